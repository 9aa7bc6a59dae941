"""What a picture's header says: its format, and its size. Nothing is decoded here."""

from __future__ import annotations

import math
import re
import struct
from typing import BinaryIO

import imagesize

from colorway.errors import InvalidRequest

FORMATS = ("png", "jpeg", "webp", "gif", "avif", "tiff")

_MAGIC = (
    ("png", re.compile(rb"\x89PNG\r\n\x1a\n")),
    ("jpeg", re.compile(rb"\xff\xd8\xff")),
    ("webp", re.compile(rb"RIFF.{4}WEBP", re.DOTALL)),
    ("gif", re.compile(rb"GIF8[79]a")),
    ("avif", re.compile(rb".{4}ftypavi[fs]", re.DOTALL)),
    ("tiff", re.compile(rb"II\*\x00|MM\x00\*")),
)
_MAX_EDGE = 65_535

_MOST_READS = 5_000
_MOST_BYTES = 16 << 20  # an editor's XMP in a JPEG may take some megabytes
_AVIF_BOXES = 1 << 18  # they come first; a picture of many tiles has some 10 kB of them
_ISPE = re.compile(rb"\x00\x00\x00\x14ispe\x00{4}(.{8})", re.DOTALL)
_IROT = re.compile(rb"\x00\x00\x00\x09irot(.)", re.DOTALL)  # in steps of 90 degrees


def picture_header(file: BinaryIO, *, max_pixels: int) -> tuple[str, int, int]:
    """Return format, width and height as a viewer shows it, or raise InvalidRequest."""
    file.seek(0)
    head = file.read(32)
    kind = next((name for name, magic in _MAGIC if magic.match(head)), None)
    if kind is None:
        raise InvalidRequest(
            f"these bytes are no picture we read; send one of {', '.join(FORMATS)}",
            code="image-undecodable",
        )
    width, height = _avif_size(file) if kind == "avif" else _size(file)
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
    width, height = imagesize.get(_BriefReader(file))
    return int(width), int(height)


def _avif_size(file: BinaryIO) -> tuple[int, int]:
    # imagesize refuses every AVIF that is turned, and its search for EXIF builds a list as long as
    # a hostile file says. The whole picture is the largest item: tiles and previews are smaller.
    file.seek(0)
    boxes = file.read(_AVIF_BOXES)
    sizes = [struct.unpack(">II", found[1]) for found in _ISPE.finditer(boxes)]
    width, height = max(sizes, key=math.prod, default=(-1, -1))
    turn = _IROT.search(boxes)
    return (height, width) if turn and turn[1][0] & 1 else (width, height)


class _BriefReader:
    """A file that refuses to be read for long: some headers lead imagesize through all of it.

    imagesize takes any error for "no size".
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._reads_left = _MOST_READS
        self._bytes_left = _MOST_BYTES

    def read(self, size: int = -1) -> bytes:
        self._reads_left -= 1
        self._bytes_left -= size
        if size < 0 or self._reads_left < 0 or self._bytes_left < 0:
            raise ValueError("this header goes on for too long")
        return self._file.read(size)

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._file.seek(offset, whence)
