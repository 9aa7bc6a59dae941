"""What a picture's first bytes say: its format, and its size. Nothing is decoded here."""

from __future__ import annotations

from typing import BinaryIO

import imagesize

from colorway.errors import InvalidRequest

FORMATS = ("png", "jpeg", "webp", "gif", "avif", "tiff")

_MAGIC = (
    (0, b"\x89PNG\r\n\x1a\n", "png"),
    (0, b"\xff\xd8\xff", "jpeg"),
    (8, b"WEBP", "webp"),
    (0, b"GIF87a", "gif"),
    (0, b"GIF89a", "gif"),
    (4, b"ftypavif", "avif"),
    (4, b"ftypavis", "avif"),
    (0, b"II*\x00", "tiff"),
    (0, b"MM\x00*", "tiff"),
)
_MAX_EDGE = 65_535


def picture_header(file: BinaryIO, *, max_pixels: int) -> tuple[str, int, int]:
    """Return format, width and height (EXIF orientation applied), or raise InvalidRequest."""
    head = file.read(32)
    kind = next((name for at, magic, name in _MAGIC if head[at:].startswith(magic)), None)
    if kind is None:
        raise InvalidRequest(
            f"these bytes are no picture we read; send one of {', '.join(FORMATS)}",
            code="image-undecodable",
        )
    width, height = _size(file)
    if not (0 < width <= _MAX_EDGE and 0 < height <= _MAX_EDGE):
        raise InvalidRequest(
            f"the {kind} file's header is damaged: it tells no size", code="image-undecodable"
        )
    if width * height > max_pixels:
        raise InvalidRequest(
            f"the picture has {width} x {height} pixels; the limit is {max_pixels} in all",
            code="image-too-many-pixels",
        )
    return kind, width, height


def _size(file: BinaryIO) -> tuple[int, int]:
    file.seek(0)
    try:
        width, height = imagesize.get(file)
    except Exception:  # the reader of a hostile header may stumble in any way it likes
        return -1, -1
    return int(width), int(height)
