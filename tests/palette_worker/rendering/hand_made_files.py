"""Files written by hand, for what Pillow would not write."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence

Rgb = tuple[int, int, int]


def chunk(name: bytes, content: bytes = b"") -> bytes:
    return (
        struct.pack(">I", len(content))
        + name
        + content
        + struct.pack(">I", zlib.crc32(name + content))
    )


def png_of(
    width: int,
    height: int,
    *,
    depth: int = 8,
    color: int = 2,
    data: bytes = b"",
    interlaced: bool = False,
    before: bytes = b"",
    after: bytes = b"",
) -> bytes:
    """Return a PNG of `data`, lines with their filters; `before` and `after` are further chunks."""
    header = struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, interlaced)
    pixels = chunk(b"IDAT", zlib.compress(data))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + before + pixels + after + chunk(b"IEND")


Frame = tuple[tuple[int, int, int, int], tuple[Rgb, Rgb] | None, Sequence[int]]


def gif_of(
    size: tuple[int, int],
    *,
    colors: tuple[Rgb, Rgb],
    frames: Sequence[Frame],
    clear: int | None = None,
    before: bytes = b"",
) -> bytes:
    """Return a GIF of two colours; a frame is left, top, width and height, own colours, pixels."""
    body = b"GIF89a" + struct.pack("<HHBBB", *size, 0x80, 0, 0) + _table(colors) + before
    for box, own, pixels in frames:
        if clear is not None:
            body += b"!\xf9\4" + struct.pack("<BHB", 1, 0, clear) + b"\0"
        body += b"," + struct.pack("<HHHH", *box) + (b"\x80" + _table(own) if own else b"\0")
        body += b"\2" + _sub_blocks(_codes(pixels)) + b"\0"
    return body + b";"


def _table(colors: tuple[Rgb, Rgb]) -> bytes:
    return bytes(level for color in colors for level in color)


def _codes(pixels: Sequence[int]) -> bytes:
    """LZW that learns nothing: a clear code before every pixel keeps all codes at 3 bits."""
    bits = at = 0
    for code in [code for pixel in pixels for code in (4, pixel)] + [5]:
        bits |= code << at
        at += 3
    return bits.to_bytes((at + 7) // 8, "little")


def _sub_blocks(data: bytes) -> bytes:
    blocks = (data[at : at + 255] for at in range(0, len(data), 255))
    return b"".join(bytes((len(block),)) + block for block in blocks)


def tiff_of(
    entries: Sequence[tuple[int, int, int, int]], data: bytes = b"", following: int = 0
) -> bytes:
    """Return a little-endian TIFF: tag, type, count and value; an offset None is that of `data`."""
    directory = struct.pack("<H", len(entries))
    directory += b"".join(struct.pack("<HHLL", *entry) for entry in entries)
    return b"II*\0" + struct.pack("<L", 8) + directory + struct.pack("<L", following) + data


def data_at(entries: int) -> int:
    """Where `data` begins in a `tiff_of` that many entries."""
    return 8 + 2 + 12 * entries + 4
