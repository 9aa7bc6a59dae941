"""Reads a file's outline before a decoder may: what it is, how many frames, and what to leave out.

A decoder reads all that a file holds: an hour of comments, ten million segments, a directory whose
one value takes a gigabyte. So each container is walked here first, in steps that are counted, and
where it can be, only what concerns the pixels is handed on: no damage elsewhere can hurt then.

Measured before there was such a walk, with files below 50 MB of 16 x 16 pixels: a JPEG of 24,000
EXIF segments took minutes, one of twelve million comments 20 s and 860 MB, a GIF with a comment in
blocks of one byte 9 s and 2.1 GB, a PNG of four million chunks 10 s, and a TIFF of a million strips
as long.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from colorway.errors import Hopeless

# Honest files stay far below: a 50 MB GIF has 200,000 blocks of 255 bytes, a PNG 6,000 chunks.
_MAX_STEPS = 300_000
# A 30,000 pixels high TIFF of one-row strips in four planes has 120,000.
_MAX_TIFF_VALUES = 200_000
# Ten are usual. libjpeg goes through the whole picture for each, however few its bytes: a hundred
# times through 40 megapixels takes 4 s. libtiff has the same limit for JPEG inside TIFF.
_MAX_JPEG_SCANS = 100

_READ = "PNG, JPEG, WebP, GIF, AVIF or TIFF"
_FOREIGN = (
    ("a PDF", re.compile(rb"%PDF-")),
    ("an EPS", re.compile(rb"%!PS|\xc5\xd0\xd3\xc6")),
    ("a Photoshop file", re.compile(rb"8BPS")),
    ("a HEIC", re.compile(rb".{4}ftyp(?:hei[cfmsx]|hev[cmsx]|mif1|msf1)", re.DOTALL)),
    ("a JPEG XL", re.compile(rb"\xff\x0a|\0\0\0\x0cJXL ")),
    ("a JPEG 2000", re.compile(rb"\xff\x4f\xff\x51|\0\0\0\x0cjP  ")),
    ("a BigTIFF", re.compile(rb"II\+\0|MM\0\+")),
    ("a BMP", re.compile(rb"BM.{12}[\x0c\x28\x38\x6c\x7c]\0\0\0", re.DOTALL)),
    ("an SVG", re.compile(rb"(?:\xef\xbb\xbf)?\s*<(?:[?!].{0,2000}<)?svg\b", re.DOTALL)),
    ("a web page", re.compile(rb"\s*<(?:!doctype html|html)\b", re.IGNORECASE)),
)


@dataclass(frozen=True, slots=True)
class Outline:
    """What a file is, by Pillow's name, what of it to decode, and its frames: None if not counted.

    `frames` is 1 for a still. In a GIF of very many blocks it is a lower bound.
    """

    format: str
    body: bytes
    frames: int | None = None


def outline(body: bytes) -> Outline:
    """Return the file's outline; Hopeless if it is none of ours, or would take for ever to read."""
    if not body:
        raise undecodable("the file is empty")
    for magic, read in _READERS:
        if magic.match(body):
            return read(body)
    foreign = next((name for name, magic in _FOREIGN if magic.match(body)), None)
    if foreign is not None:
        raise undecodable(f"this looks like {foreign}, which is not a {_READ} image")
    raise undecodable(f"this is not a {_READ} image")


def undecodable(detail: str) -> Hopeless:
    return Hopeless(detail, code="image-undecodable", phase="decode")


def damaged(kind: str) -> Hopeless:
    return undecodable(f"the {kind} file is damaged or cut short")


def _too_many_parts(kind: str, parts: str) -> Hopeless:
    return undecodable(f"the {kind} file has more {parts} than any picture needs")


# PNG specification, section 5.3: length, type, data, checksum; APNG's frames each have an fcTL


def _png(body: bytes) -> Outline:
    at, frames, is_animated, is_apart = 8, 0, False, False
    for _ in range(_MAX_STEPS):
        kind = body[at + 4 : at + 8]
        if not kind or kind == b"IEND":
            return Outline("PNG", body, frames + is_apart if is_animated else 1)
        if kind == b"acTL":
            is_animated = True
        elif kind == b"fcTL":
            frames += 1
        elif kind == b"IDAT":
            is_apart = is_apart or not frames  # a picture for who knows no animation
        at += 12 + int.from_bytes(body[at : at + 4])
    raise _too_many_parts("PNG", "chunks")


# ITU T.81, annex B

_MARKER = re.compile(rb"\xff([\x02-\xcf\xd8-\xfe])")  # others are data, fill or restarts
_NO_LENGTH = frozenset((0xD8, 0xD9))
_SCAN, _END = 0xDA, 0xD9
_APPLICATION = frozenset((*range(0xE0, 0xF0), 0xFE))
# What says how to read the pixels. Two EXIF segments would be one of 128 kB.
_TELLING = {0xE0: b"JFIF\0", 0xE1: b"Exif\0", 0xE2: b"ICC_PROFILE\0", 0xEE: b"Adobe"}


def _jpeg(body: bytes) -> Outline:
    """Keep what is needed before the first scan.

    Further pictures behind it (a preview, a depth map, the other eye) are not frames.
    """
    kept, has_exif, scans = [b"\xff\xd8"], False, 0
    for marker, start, end in _jpeg_segments(body):
        if marker == _SCAN:
            scans += 1
            if scans == 1:
                kept.append(body[start:])
            elif scans > _MAX_JPEG_SCANS:
                raise undecodable(
                    f"the JPEG file has more than {_MAX_JPEG_SCANS} scans; save it as baseline"
                )
        elif not scans and _is_telling(body, marker, start) and not (marker == 0xE1 and has_exif):
            has_exif = has_exif or marker == 0xE1
            kept.append(body[start:end])
    if not scans:
        raise damaged("JPEG")
    return Outline("JPEG", b"".join(kept), 1)


def _jpeg_segments(body: bytes) -> Iterator[tuple[int, int, int]]:
    """Yield marker, start and end of each segment up to the picture's end."""
    at = 2
    for _ in range(_MAX_STEPS):
        found = _MARKER.search(body, at)
        if found is None:
            return
        marker, at = found[1][0], found.end()
        if marker == _END:
            return
        if marker not in _NO_LENGTH:
            at += max(2, int.from_bytes(body[at : at + 2]))
            yield marker, found.start(), at
    raise _too_many_parts("JPEG", "segments")


def _is_telling(body: bytes, marker: int, start: int) -> bool:
    if marker not in _APPLICATION:
        return True
    name = _TELLING.get(marker)
    return name is not None and body.startswith(name, start + 4)


# GIF89a specification, sections 18 to 27


def _gif(body: bytes) -> Outline:
    if len(body) < 13:
        raise damaged("GIF")
    at, frames, steps = 13 + _gif_colors(body[10]), 0, 0
    while steps < _MAX_STEPS:
        steps += 1
        kind = body[at : at + 1]
        if kind in (b"", b";"):
            return Outline("GIF", body, max(frames, 1))
        if kind == b"!":
            at += 2
        elif kind == b"," and at + 10 < len(body):
            frames += 1
            at += 11 + _gif_colors(body[at + 9])
        else:
            at += 1  # whatever this is, decoders look for the next block behind it
            continue
        while steps < _MAX_STEPS and at < len(body) and body[at]:
            steps += 1
            at += 1 + body[at]
        at += 1
    if not frames:
        raise _too_many_parts("GIF", "blocks before its first frame")
    return Outline("GIF", body, frames)


def _gif_colors(flags: int) -> int:
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0


# TIFF 6.0, section 2

_TIFF_TAGS = frozenset(
    (256, 257, 258, 259, 262, 266, 273, 274, 277, 278, 279, 284, 292, 293, 317, 320, 322, 323, 324)
) | frozenset((325, 332, 338, 339, 347, 529, 530, 531, 532, 34675))
_TIFF_BLOCKS = ((273, 279), (324, 325))  # where strips and tiles are, and how long
_BYTE_TYPES = frozenset((1, 2, 6, 7))
_TIFF_ENTRY = 12


def _tiff(body: bytes) -> Outline:
    """Give the first frame a directory with nothing in it but what the pixels need.

    No EXIF, GPS or maker's directories, no previews, and no further frames to run after.
    """
    order = "<" if body.startswith(b"II") else ">"
    directories = list(_tiff_directories(body, order))
    if not directories:
        raise damaged("TIFF")
    entries: dict[int, bytes] = {}
    counts: dict[int, int] = {}
    start, end = directories[0]
    for at in range(start, end, _TIFF_ENTRY):
        tag, type_, count = struct.unpack_from(f"{order}HHL", body, at)
        if tag in _TIFF_TAGS and tag not in entries:
            if count > _MAX_TIFF_VALUES and type_ not in _BYTE_TYPES:
                raise _too_many_parts("TIFF", "strips or tiles")
            entries[tag] = body[at : at + _TIFF_ENTRY]
            counts[tag] = count
    if (322 in entries) != (323 in entries):
        raise damaged("TIFF")  # libtiff would take a strip's height for a tile's
    if any(counts.get(at) != counts.get(sizes, counts.get(at)) for at, sizes in _TIFF_BLOCKS):
        raise damaged("TIFF")  # libtiff would print as much for each of 200,000 strips
    own = struct.pack(f"{order}H", len(entries)) + b"".join(entries[tag] for tag in sorted(entries))
    filler = bytes(len(body) % 2)  # a directory begins at an even place
    head = body[:4] + struct.pack(f"{order}L", len(body) + len(filler))
    whole = b"".join((head, memoryview(body)[8:], filler, own, bytes(4)))
    return Outline("TIFF", whole, len(directories))


def _tiff_directories(body: bytes, order: str) -> Iterator[tuple[int, int]]:
    """Yield where the entries of each frame's directory begin and end, as far as they are whole."""
    number = partial(int.from_bytes, byteorder="little" if order == "<" else "big")
    seen: set[int] = set()
    at = number(body[4:8])
    while at and at not in seen and len(seen) < _MAX_STEPS:
        end = at + 2 + number(body[at : at + 2]) * _TIFF_ENTRY
        if end > len(body):
            return
        seen.add(at)
        yield at + 2, end
        at = number(body[end : end + 4])


def _webp(body: bytes) -> Outline:
    return Outline("WEBP", body)


# ISO/IEC 23008-12: an item's number, its protection, its type. AVIF's own boxes tell how it is
# turned and win over EXIF, which Pillow would read and write anew before it is asked for anything.
_EXIF_ITEM = re.compile(rb"(infe(?:\x02.{5}|\x03.{7})\0\0)Exif", re.DOTALL)


def _avif(body: bytes) -> Outline:
    return Outline("AVIF", _EXIF_ITEM.sub(rb"\1skip", body))


_READERS: tuple[tuple[re.Pattern[bytes], Callable[[bytes], Outline]], ...] = (
    (re.compile(rb"\x89PNG\r\n\x1a\n"), _png),
    (re.compile(rb"\xff\xd8\xff"), _jpeg),
    (re.compile(rb"RIFF.{4}WEBP", re.DOTALL), _webp),
    (re.compile(rb"GIF8[79]a"), _gif),
    (re.compile(rb".{4}ftyp(?:avi[fs]|(?:mif1|msf1).{0,64}?avi[fs])", re.DOTALL), _avif),
    (re.compile(rb"II\*\0|MM\0\*"), _tiff),
)
