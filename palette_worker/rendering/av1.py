"""How large the pictures in an AVIF really are, which its outer boxes may lie about.

An AVIF tells its size in a box (`ispe`), and each AV1 picture in it tells its own again. libavif
decodes whatever the latter is and then scales it: 3 kB behind a size of 64 x 64 took 970 MB. So the
sequence headers are read before it may. Where a box is read here that libavif would not look at,
that does no harm: in honest files none is too large.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

# ISO/IEC 14496-12, 8.11.3 and 8.7.5: where items are, and where the chunks of a track begin
_ITEM_PLACES = re.compile(rb"iloc([\0-\2]).{3}", re.DOTALL)
_TRACK_PLACES = re.compile(rb"(stco|co64).{4}(.{4})", re.DOTALL)
_MOST_PARTS = 10_000  # a picture of tiles has some hundred
_MOST_UNITS = 400_000  # every frame of an animation has two or three
_SEQUENCE_HEADER = 1


class TooManyParts(Exception):
    """More of them than anyone would read."""


class _CutShort(Exception):
    pass


def coded_sizes(body: bytes) -> list[tuple[int, int]]:
    """Return width and height of the largest AV1 picture in each place of an AVIF that has any.

    What cannot be read is passed over. Raises TooManyParts.
    """
    largest, units = [], 0
    for start, end in _places(body):
        sizes = []
        for kind, payload in _units(body, start, end):
            units += 1
            if units > _MOST_UNITS:
                raise TooManyParts
            if kind == _SEQUENCE_HEADER:
                with suppress(_CutShort):
                    sizes.append(_frame_size(payload))
        if sizes:
            largest.append(max(sizes, key=math.prod))
    return largest


def _places(body: bytes) -> Iterator[tuple[int, int]]:
    """Yield where AV1 data begins and must end; a piece in several extents is taken as several."""
    for found in _ITEM_PLACES.finditer(body):
        with suppress(_CutShort):
            yield from _extents(body, _Numbers(body, found.end()), found[1][0])
    for found in _TRACK_PLACES.finditer(body):
        if int.from_bytes(found[2]):
            with suppress(_CutShort):
                yield _Numbers(body, found.end()).next(8 if found[1] == b"co64" else 4), len(body)


def _extents(body: bytes, numbers: _Numbers, version: int) -> Iterator[tuple[int, int]]:
    sizes = numbers.next(2)
    of_offset, of_length, of_base, of_index = (sizes >> shift & 15 for shift in (12, 8, 4, 0))
    inside = body.find(b"idat") + 4
    parts = 0
    for _ in range(numbers.next(4 if version == 2 else 2)):
        numbers.next(4 if version == 2 else 2)  # its number
        is_inside = version > 0 and numbers.next(2) & 15 == 1
        numbers.next(2)  # in which file
        base = numbers.next(of_base) + (inside if is_inside else 0)
        for _ in range(numbers.next(2)):
            parts += 1
            if parts > _MOST_PARTS:
                raise TooManyParts
            numbers.next(of_index if version else 0)
            start, size = base + numbers.next(of_offset), numbers.next(of_length)
            yield start, start + size if size else len(body)


@dataclass
class _Numbers:
    """Big-endian numbers of so many bytes, one after the other."""

    body: bytes
    at: int

    def next(self, size: int) -> int:
        self.at += size
        if self.at > len(self.body):
            raise _CutShort
        return int.from_bytes(self.body[self.at - size : self.at])


def _units(body: bytes, start: int, end: int) -> Iterator[tuple[int, bytes]]:
    """Yield kind and beginning of each open bitstream unit (AV1 specification, 5.3)."""
    while start < min(end, len(body)):
        header = body[start]
        start += 2 if header & 4 else 1
        if header & 0x80:  # this is no AV1
            return
        size = end - start
        if header & 2:
            size = 0
            for at, byte in enumerate(body[start : start + 8]):
                size |= (byte & 0x7F) << 7 * at
                start += 1
                if byte < 0x80:
                    break
        yield header >> 3 & 15, body[start : start + min(size, 200)]
        start += size


def _frame_size(header: bytes) -> tuple[int, int]:
    """Return the largest frame that a sequence header allows (AV1 specification, 5.5.1)."""
    bits = _Bits(header)
    bits.next(4)
    is_reduced = bits.next(1)
    if is_reduced:
        bits.next(5)
    else:
        model = 0
        if bits.next(1):  # timing
            bits.next(64)
            if bits.next(1):
                while not bits.next(1):  # a number in as many bits again
                    model += 1
                bits.next(model)
                model = 0
            if bits.next(1):
                model = bits.next(5) + 1
                bits.next(42)
        has_delay = bits.next(1)
        for _ in range(bits.next(5) + 1):
            bits.next(12)
            if bits.next(5) > 7:
                bits.next(1)
            if model and bits.next(1):
                bits.next(2 * model + 1)
            if has_delay and bits.next(1):
                bits.next(4)
    of_width, of_height = bits.next(4) + 1, bits.next(4) + 1
    return bits.next(of_width) + 1, bits.next(of_height) + 1


class _Bits:
    """Numbers of so many bits, one after the other."""

    def __init__(self, body: bytes) -> None:
        self._number = int.from_bytes(body)
        self._left = 8 * len(body)

    def next(self, size: int) -> int:
        self._left -= size
        if self._left < 0:
            raise _CutShort
        return self._number >> self._left & (1 << size) - 1
