"""An AVIF's pictures are measured wherever it may keep them, however they tell their size."""

from __future__ import annotations

import struct

import pytest

from palette_worker.rendering.av1 import coded_sizes

SIMPLE = "000 1 1 00000"  # profile 0, a still, in the reduced form, level 0
# profile 0, no still, the long form; then timing, its model, delays, and two operating points
PLAIN = "000 0 0 0 0 00000" + "0" * 12 + "00000"
TIMED = "000 0 0 1" + "0" * 64 + "1 001 01 0 0 00000" + "0" * 12 + "01000 1"
MODELLED = "000 0 0 1" + "0" * 64 + "0 1 00011" + "0" * 42 + "1 00001"
MODELLED += ("0" * 12 + "00001 1" + "0" * 9 + "1 0000") + ("0" * 12 + "00001 0 0")


def a_picture(start: str, width: int, height: int) -> bytes:
    """A temporal delimiter and a sequence header, as open bitstream units."""
    bits = start + f"{15:04b}{15:04b}{width - 1:016b}{height - 1:016b}"
    bits = bits.replace(" ", "")
    bits += "0" * (-len(bits) % 8)
    header = int(bits, 2).to_bytes(len(bits) // 8)
    return b"\x12\0" + b"\x0a" + bytes((len(header),)) + header


@pytest.mark.parametrize("start", [SIMPLE, PLAIN, TIMED, MODELLED])
def test_every_form_of_header_is_understood(start):
    body = b"stco" + bytes(4) + struct.pack(">LL", 1, 16) + a_picture(start, 4_321, 1_234)

    assert coded_sizes(body) == [(4_321, 1_234)]


def test_of_several_headers_in_a_place_the_largest_counts():
    # an animation has one before each key frame, and only the first frame is decoded
    pictures = a_picture(SIMPLE, 8, 8) + b"\x32\x03abc" + a_picture(SIMPLE, 16_000, 16_000)

    body = b"stco" + bytes(4) + struct.pack(">LL", 1, 16) + pictures

    assert coded_sizes(body) == [(16_000, 16_000)]


@pytest.mark.parametrize("name", [b"stco", b"co64"])
def test_a_track_is_looked_for_where_its_first_chunk_is(name):
    at = struct.pack(">L" if name == b"stco" else ">Q", 30)
    body = (name + bytes(4) + struct.pack(">L", 1) + at).ljust(30, b"\0")

    assert coded_sizes(body + a_picture(SIMPLE, 50, 60)) == [(50, 60)]


def test_an_item_is_looked_for_behind_its_base():
    one = struct.pack(">HHLHLL", 1, 0, 60, 1, 40, 20)  # number, file, base, extents, where, length
    body = (b"iloc" + bytes(4) + b"\x44\x40" + struct.pack(">H", 1) + one).ljust(100, b"\0")

    assert coded_sizes(body + a_picture(SIMPLE, 50, 60)) == [(50, 60)]


def test_an_item_may_be_inside_the_box_of_boxes():
    one = struct.pack(">HHHHLL", 1, 1, 0, 1, 0, 20)  # number, how: inside, file, extents, …
    body = b"iloc\1" + bytes(3) + b"\x44\0" + struct.pack(">H", 1) + one

    assert coded_sizes(body + b"....idat" + a_picture(SIMPLE, 50, 60)) == [(50, 60)]


def test_what_cannot_be_read_is_passed_over():
    pictures = b"\x0a\x01\0" + a_picture(SIMPLE, 50, 60) + b"\x0a\xff\xff"

    body = b"stco" + bytes(4) + struct.pack(">LL", 1, 16) + pictures + b"iloc\0"

    assert coded_sizes(body) == [(50, 60)]
    assert coded_sizes(b"iloc" + bytes(4) + b"\x44\0\xff\xff") == []
