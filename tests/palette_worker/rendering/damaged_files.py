"""Valid small files of every kind, and what can be done to them.

`damaged` picks a file, and one to four things to do: bytes turned, cut, moved, doubled, a piece of
another file put in, numbers set to their extremes; and, knowing the format, its size fields, its
lengths and its tables, with the checksums made right again so that the reader gets to see them.
"""

from __future__ import annotations

import functools
import random
import struct
import zlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from PIL import Image, ImageCms

from tests.palette_worker.rendering.drawn_pictures import (
    a_logo,
    a_photo,
    a_see_through_logo,
    file_of,
)

FILES = Path(__file__).parent / "files"
EXTREMES = (0, 1, 2, 3, 7, 8, 16, 127, 128, 255, 256, 1000, 1414, 4096, 30_000, 32_767, 32_768)
EXTREMES += (65_535, 65_536, 1 << 20, (1 << 24) - 1, (1 << 31) - 1, 1 << 31, (1 << 32) - 1)


@functools.cache
def whole_files() -> dict[str, bytes]:
    """Return files that decode, by what they are; the part before the first dash is the format."""
    photo, logo, see_through = a_photo(48, 40), a_logo(edge=40), a_see_through_logo(40)
    indexed = photo.quantize(64)
    grey = photo.convert("L")
    deep = Image.new("I;16", (24, 20), 40_000)
    icc = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "a picture"
    frames = {"save_all": True, "append_images": [logo.rotate(90), logo.rotate(180)]}
    files = {
        "png-rgb": file_of(photo, icc_profile=icc, exif=exif),
        "png-alpha": file_of(see_through),
        "png-indexed": file_of(indexed, transparency=3),
        "png-grey": file_of(grey),
        "png-deep": file_of(deep),
        "png-bits": file_of(logo.convert("1")),
        "png-frames": file_of(logo, "PNG", **frames),
        "jpeg-rgb": file_of(photo, "JPEG", icc_profile=icc, exif=exif),
        "jpeg-progressive": file_of(photo, "JPEG", progressive=True),
        "jpeg-grey": file_of(grey, "JPEG"),
        "jpeg-cmyk": file_of(photo.convert("CMYK"), "JPEG"),
        "jpeg-restarts": file_of(photo, "JPEG", restart_marker_blocks=3),
        "gif-one": file_of(indexed, "GIF"),
        "gif-frames": file_of(logo.quantize(8), "GIF", transparency=1, **frames),
        "webp-lossy": file_of(photo, "WEBP", icc_profile=icc, exif=exif),
        "webp-lossless": file_of(see_through, "WEBP", lossless=True),
        "webp-alpha": file_of(see_through, "WEBP"),
        "webp-frames": file_of(logo, "WEBP", **frames),
        "avif-rgb": file_of(photo, "AVIF", icc_profile=icc, exif=exif, speed=10),
        "avif-alpha": file_of(see_through, "AVIF", speed=10),
        "avif-frames": file_of(logo, "AVIF", speed=10, **frames),
        "tiff-raw": file_of(photo, "TIFF", exif=exif),
        "tiff-alpha": file_of(see_through, "TIFF", compression="tiff_lzw"),
        "tiff-deflate": file_of(photo, "TIFF", compression="tiff_adobe_deflate", icc_profile=icc),
        "tiff-jpeg": file_of(photo, "TIFF", compression="jpeg"),
        "tiff-packbits": file_of(indexed, "TIFF", compression="packbits"),
        "tiff-fax": file_of(logo.convert("1"), "TIFF", compression="group4"),
        "tiff-deep": file_of(deep, "TIFF"),
        "tiff-cmyk": file_of(photo.convert("CMYK"), "TIFF"),
        "tiff-frames": file_of(logo, "TIFF", **frames),
    }
    for file in sorted(FILES.glob("*.*")):
        if file.suffix != ".md" and file.stat().st_size < 10_000:
            files[f"{file.suffix[1:]}-{file.stem}"] = file.read_bytes()
    return files


def damaged(by: random.Random) -> tuple[str, bytes]:
    """Return what was done to which file, and the outcome."""
    files = whole_files()
    name = by.choice(list(files))
    body = bytearray(files[name])
    done = []
    for _ in range(by.choice((1, 1, 1, 2, 2, 3, 4))):
        known = _OF_FORMAT.get(name.partition("-")[0], ())
        damage = by.choice(known) if known and by.random() < 0.5 else by.choice(_ANYWHERE)
        with suppress(IndexError, ValueError, struct.error):  # what it counts on may be gone by now
            body = damage(bytearray(body), by)
            done.append(damage.__name__)
        if len(body) < 16:
            break
    return f"{name}: {', '.join(done)}", bytes(body)


# Anywhere


def bits_turned(body: bytearray, by: random.Random) -> bytearray:
    for _ in range(by.choice((1, 1, 2, 8, 40))):
        body[by.randrange(len(body))] ^= 1 << by.randrange(8)
    return body


def bytes_changed(body: bytearray, by: random.Random) -> bytearray:
    start = by.randrange(len(body)) if by.random() < 0.5 else by.randrange(min(len(body), 200))
    for at in range(start, min(len(body), start + by.choice((1, 2, 4, 16)))):
        body[at] = by.choice((0, 255, by.randrange(256)))
    return body


def cut(body: bytearray, by: random.Random) -> bytearray:
    return body[: by.randrange(1, len(body))]


def block_lost(body: bytearray, by: random.Random) -> bytearray:
    start, end = _block(body, by)
    return body[:start] + body[end:]


def block_doubled(body: bytearray, by: random.Random) -> bytearray:
    start, end = _block(body, by)
    return body[:end] + body[start:end] * by.choice((1, 1, 3, 50)) + body[end:]


def blocks_swapped(body: bytearray, by: random.Random) -> bytearray:
    start, middle = _block(body, by)
    end = min(len(body), middle + (middle - start))
    return body[:start] + body[middle:end] + body[start:middle] + body[end:]


def noise_put_in(body: bytearray, by: random.Random) -> bytearray:
    at = by.randrange(len(body))
    return body[:at] + by.randbytes(by.choice((1, 4, 64, 3000))) + body[at:]


def number_set(body: bytearray, by: random.Random) -> bytearray:
    size = by.choice((2, 4))
    at = by.randrange(len(body) if by.random() < 0.5 else min(len(body), 120))
    number = by.choice(EXTREMES) % (1 << 8 * size)
    body[at : at + size] = number.to_bytes(size, by.choice(("big", "little")))
    return body


def spliced(body: bytearray, by: random.Random) -> bytearray:
    """Put a piece of another file into this one, or its end in place of this one's."""
    other = whole_files()[by.choice(list(whole_files()))]
    start, end = sorted(by.randrange(len(other)) for _ in range(2))
    at = by.randrange(len(body))
    return body[:at] + other[start:end] + (body[at:] if by.random() < 0.5 else b"")


def _block(body: bytearray, by: random.Random) -> tuple[int, int]:
    start = by.randrange(len(body))
    return start, min(len(body), start + by.choice((1, 4, 12, 60, 400)))


# PNG


def png_chunk_changed(body: bytearray, by: random.Random) -> bytearray:
    chunks = _png_chunks(body)
    if not chunks:
        return body
    name, content = by.choice(chunks)
    changed = bytearray(content)
    if name == b"IDAT" and by.random() < 0.7:
        try:
            lines = bytearray(zlib.decompress(content))
            changed = bytearray(zlib.compress(bits_turned(lines, by) if lines else lines))
        except zlib.error:
            changed = bits_turned(changed, by)
    elif changed:
        changed = (
            by.choice((bits_turned, number_set, cut))(changed, by) if len(changed) > 1 else b""
        )
    chunks[chunks.index((name, content))] = (name, bytes(changed))
    return _png_of(chunks)


def png_header_changed(body: bytearray, by: random.Random) -> bytearray:
    chunks = _png_chunks(body)
    if not chunks or len(chunks[0][1]) != 13:
        return body
    fields = list(struct.unpack(">IIBBBBB", chunks[0][1]))
    at = by.randrange(7)
    if at < 2:
        fields[at] = by.choice(EXTREMES)
    else:
        fields[at] = by.choice((0, 1, 2, 3, 4, 6, 8, 16, 255))
    return _png_of([(chunks[0][0], struct.pack(">IIBBBBB", *fields)), *chunks[1:]])


def png_chunks_moved(body: bytearray, by: random.Random) -> bytearray:
    chunks = _png_chunks(body)
    if len(chunks) < 2:
        return body
    moved = chunks.pop(by.randrange(len(chunks)))
    if by.random() < 0.7:
        for _ in range(by.choice((1, 1, 2, 100))):
            chunks.insert(by.randrange(len(chunks) + 1), moved)
    return _png_of(chunks)


def png_bomb_put_in(body: bytearray, by: random.Random) -> bytearray:
    chunks = _png_chunks(body)
    packed = zlib.compress(bytes(by.choice((10_000, 3_000_000))))
    kinds = ((b"zTXt", b"a\0\0"), (b"iCCP", b"a\0\0"), (b"iTXt", b"a\0\1\0\0\0"))
    name, start = by.choice(kinds)
    chunks.insert(min(1, len(chunks)), (name, start + packed))
    return _png_of(chunks)


def _png_chunks(body: bytearray) -> list[tuple[bytes, bytes]]:
    chunks, at = [], 8
    while at + 8 <= len(body):
        length = int.from_bytes(body[at : at + 4], "big")
        chunks.append((bytes(body[at + 4 : at + 8]), bytes(body[at + 8 : at + 8 + length])))
        at += 12 + length
    return chunks


def _png_of(chunks: list[tuple[bytes, bytes]]) -> bytearray:
    body = bytearray(b"\x89PNG\r\n\x1a\n")
    for name, content in chunks:
        check = struct.pack(">I", zlib.crc32(name + content))
        body += struct.pack(">I", len(content)) + name + content + check
    return body


# JPEG


def jpeg_segment_changed(body: bytearray, by: random.Random) -> bytearray:
    at = _found(body, by, *(bytes((0xFF, marker)) for marker in range(0xC0, 0xFF)))
    if at is None:
        return body
    end = at + 4 + int.from_bytes(body[at + 2 : at + 4], "big")
    segment = body[at:end]
    what = by.randrange(4)
    if what == 0:
        return body[:at] + body[end:]
    if what == 1:
        return body[:end] + segment * by.choice((1, 10, 200)) + body[end:]
    if what == 2:
        segment[1] = by.randrange(0xC0, 0xFF)
        return body[:at] + segment + body[end:]
    return body[: at + 4] + bits_turned(segment[4:] or bytearray(1), by) + body[end:]


def jpeg_size_changed(body: bytearray, by: random.Random) -> bytearray:
    at = _found(body, by, b"\xff\xc0", b"\xff\xc2")
    if at is None or at + 20 > len(body):
        return body
    what = by.randrange(4)
    if what < 2:
        body[at + 5 + 2 * what : at + 7 + 2 * what] = struct.pack(
            ">H", by.choice(EXTREMES) % 65_536
        )
    elif what == 2:
        body[at + 9] = by.choice((0, 1, 2, 3, 4, 255))
    else:
        body[at + 11] = by.choice((0x11, 0x12, 0x21, 0x22, 0x41, 0x44, 0x14, 0xFF, 0))
    return body


# GIF, WebP, AVIF, TIFF


def gif_size_changed(body: bytearray, by: random.Random) -> bytearray:
    place = by.randrange(6)
    at = 6 + 2 * place if place < 2 else (_found(body, by, b",") or 6) + 2 * place - 3
    body[at : at + 2] = struct.pack("<H", by.choice(EXTREMES) % 65_536)
    return body


def webp_chunk_changed(body: bytearray, by: random.Random) -> bytearray:
    at = _found(body, by, b"VP8X", b"VP8 ", b"VP8L", b"ALPH", b"ANMF", b"ICCP", b"EXIF", b"ANIM")
    if at is None:
        return body
    what = by.randrange(4)
    if what == 0:
        body[at + 4 : at + 8] = struct.pack("<I", by.choice(EXTREMES))
    elif what == 1:
        body[at : at + 4] = by.choice((b"VP8X", b"VP8 ", b"VP8L", b"ALPH", b"ANMF", b"none"))
    elif what == 2:
        body[at + 12 : at + 15] = struct.pack("<I", by.choice(EXTREMES))[:3]
    else:
        body[at + 8] ^= 1 << by.randrange(8)
    return body


def avif_box_changed(body: bytearray, by: random.Random) -> bytearray:
    boxes = (b"ispe", b"meta", b"iloc", b"infe", b"iinf", b"pixi", b"av1C", b"colr", b"ipma")
    boxes += (b"irot", b"imir", b"moov", b"stsz", b"stts", b"stsc", b"stco", b"tkhd", b"mdat")
    at = _found(body, by, *boxes)
    if at is None:
        return body
    what = by.randrange(3)
    if what == 0:
        body[at - 4 : at] = struct.pack(">I", by.choice(EXTREMES))
    elif what == 1:
        start = at + 4 + by.randrange(24)
        body[start : start + 4] = struct.pack(">I", by.choice(EXTREMES))
    else:
        body[at : at + 4] = by.choice(boxes)
    return body


def tiff_entry_changed(body: bytearray, by: random.Random) -> bytearray:
    order = "<" if body[:2] == b"II" else ">"
    (at,) = struct.unpack_from(f"{order}I", body, 4)
    if at + 2 > len(body):
        return body
    (count,) = struct.unpack_from(f"{order}H", body, at)
    entry = at + 2 + 12 * by.randrange(max(1, count))
    if entry + 12 > len(body):
        return body
    what = by.randrange(5)
    if what == 0:
        tags = (256, 257, 258, 259, 262, 273, 274, 277, 278, 279, 284, 317, 320, 322, 323, 324, 325)
        struct.pack_into(f"{order}H", body, entry, by.choice((*tags, 338, 339, 347, 530, 34675)))
    elif what == 1:
        struct.pack_into(f"{order}H", body, entry + 2, by.randrange(20))
    elif what == 2:
        struct.pack_into(f"{order}I", body, entry + 4, by.choice(EXTREMES))
    elif what == 3:
        struct.pack_into(f"{order}I", body, entry + 8, by.choice(EXTREMES))
    else:
        struct.pack_into(f"{order}H", body, entry + 8, by.choice(EXTREMES) % 65_536)
    return body


def _found(body: bytearray, by: random.Random, *words: bytes) -> int | None:
    places = [place for word in words for place in _places(body, word)]
    return by.choice(places) if places else None


def _places(body: bytearray, word: bytes) -> list[int]:
    places, at = [], body.find(word, 4)
    while at >= 0 and len(places) < 50:
        places.append(at)
        at = body.find(word, at + 1)
    return places


Damage = Callable[[bytearray, random.Random], bytearray]
_ANYWHERE: tuple[Damage, ...] = (
    bits_turned,
    bytes_changed,
    cut,
    block_lost,
    block_doubled,
    blocks_swapped,
    noise_put_in,
    number_set,
    spliced,
)
_OF_FORMAT: dict[str, tuple[Damage, ...]] = {
    "png": (png_chunk_changed, png_header_changed, png_chunks_moved, png_bomb_put_in),
    "jpeg": (jpeg_segment_changed, jpeg_size_changed),
    "gif": (gif_size_changed,),
    "webp": (webp_chunk_changed,),
    "avif": (avif_box_changed,),
    "tiff": (tiff_entry_changed,),
}
