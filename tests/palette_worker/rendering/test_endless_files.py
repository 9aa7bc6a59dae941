"""What kept readers busy for minutes, or took all memory, is refused or passed over soon."""

from __future__ import annotations

import re
import struct
import tracemalloc
import zlib

import pytest
from PIL import Image

from palette_worker.rendering import Limits, decode
from palette_worker.rendering.picture import open_picture
from tests.palette_worker.rendering.drawn_pictures import a_photo, file_of
from tests.palette_worker.rendering.hand_made_files import chunk, data_at, gif_of, png_of, tiff_of
from tests.palette_worker.rendering.refusals import DEFAULT, refusal, soon, why

RED, BLUE = (200, 30, 40), (20, 40, 210)


@pytest.fixture(autouse=True)
def in_little_time():
    with soon():
        yield


@pytest.mark.parametrize("part", [chunk(b"quXx"), chunk(b"tEXt", b"a\0b"), chunk(b"IDAT")])
@pytest.mark.parametrize("place", ["before", "after"])
def test_a_png_of_very_many_chunks_is_refused(part, place):
    body = png_of(1, 1, data=bytes(4), **{place: part * 400_000})

    assert "more chunks" in why(body)


@pytest.mark.parametrize(
    "segments",
    [b"\xff\xfe\0\2" * 400_000, b"\xff\xdb\0\2" * 400_000],
    ids=["comments", "empty tables"],
)
def test_a_jpeg_of_very_many_segments_is_refused(segments):
    body = file_of(a_photo(), "JPEG")

    assert "more segments" in why(body[:2] + segments + body[2:])


@pytest.mark.parametrize(
    "ballast",
    [
        b"\xff\xe1\x07\xd8Exif\0\0".ljust(2_010, b"\0") * 10_000,
        b"\xff\xfe\xff\xff".ljust(65_537, b"\0") * 400,
        b"\xff" * 20_000_000,
        bytes(20_000_000),
    ],
    ids=["EXIF", "comments", "fill", "rubbish"],
)
def test_ballast_before_the_pixels_of_a_jpeg_is_passed_over(ballast):
    body = file_of(a_photo(), "JPEG")

    assert decode(body[:20] + ballast + body[20:]).width == 120


def test_the_scans_of_pictures_behind_a_jpeg_do_not_count():
    body = file_of(a_photo(), "JPEG", progressive=True)

    assert decode(body * 30).width == 120


def test_a_jpeg_of_a_thousand_scans_is_refused():
    body = file_of(Image.new("L", (4_000, 4_000)), "JPEG", progressive=True)
    last = body.rindex(b"\xff\xda")

    assert "more than 100 scans" in why(body[:last] + body[last:-2] * 1_000 + b"\xff\xd9")


@pytest.mark.parametrize(
    "blocks", [b"\1a" * 5_000_000, b"\1a\0!\xfe" * 2_000_000], ids=["one", "many"]
)
def test_a_gif_of_very_many_blocks_is_refused(blocks):
    body = gif_of(
        (1, 1),
        colors=(RED, BLUE),
        frames=[((0, 0, 1, 1), None, (0,))],
        before=b"!\xfe" + blocks + b"\0",
    )

    assert "more blocks" in why(body)


def test_in_an_endless_gif_the_frames_are_counted_for_a_while():
    frame = ((0, 0, 1, 1), None, (1,))
    body = gif_of((1, 1), colors=(RED, BLUE), frames=[frame])
    more = body[body.index(b",") : -1]

    assert 100_000 < decode(body[:-1] + more * 1_000_000).frames < 1_000_001


def test_directories_that_go_round_in_a_tiff_are_counted_once():
    body = file_of(a_photo(), "TIFF")
    (start,) = struct.unpack_from("<L", body, 4)
    (count,) = struct.unpack_from("<H", body, start)
    looped = bytearray(body)
    struct.pack_into("<L", looped, start + 2 + 12 * count, start)

    assert decode(bytes(looped)).frames == 1


# tag, type, count, value: one grey row of `width`, in the strips that follow
def grey_rows(width, rows, *further):
    return [
        (256, 4, 1, width),
        (257, 4, 1, rows),
        (258, 3, 1, 8),
        (259, 3, 1, 1),
        (262, 3, 1, 1),
        *further,
    ]


def test_a_tiff_of_very_many_strips_is_refused():
    at = data_at(8)
    strips = [(273, 4, 1_000_000, at), (278, 3, 1, 1), (279, 4, 1_000_000, at)]

    assert "strips" in why(tiff_of(grey_rows(1_000, 1_000, *strips), bytes(4_000_000)))


def test_strips_a_byte_apart_do_not_make_a_tiff_slow():
    at, size = data_at(8), 30_000 * 60
    strips = [(273, 4, 2, at), (278, 4, 1, 59), (279, 4, 2, at + 8)]
    told = struct.pack("<4L", at + 16, at + 17, 30_000 * 59, 30_000)

    assert decode(tiff_of(grey_rows(30_000, 60, *strips), told + bytes(size))).height == 60


def test_strips_without_their_sizes_are_refused_in_silence(capfd):
    at = data_at(8)
    strips = [(273, 4, 50, at), (278, 3, 1, 1), (279, 4, 1, 10)]

    assert "damaged" in why(tiff_of(grey_rows(10, 50, *strips), bytes(1_000)))
    assert capfd.readouterr().err == ""


def test_a_tile_far_larger_than_its_picture_is_refused():
    packed = zlib.compress(bytes(10_000_000))
    tiles = [
        (322, 4, 1, 16_384),
        (323, 4, 1, 16_384),
        (324, 4, 1, data_at(9)),
        (325, 4, 1, len(packed)),
    ]
    entries = [entry if entry[0] != 259 else (259, 3, 1, 8) for entry in grey_rows(16, 16, *tiles)]

    assert "tiles far larger" in why(tiff_of(entries, packed))


def test_a_tile_without_a_height_is_refused_before_libtiff_makes_it(capfd):
    packed = zlib.compress(bytes(10_000_000))
    tiles = [(273, 4, 1, data_at(8)), (278, 4, 1, 32_767), (322, 4, 1, 5_008)]
    entries = [entry if entry[0] != 259 else (259, 3, 1, 8) for entry in grey_rows(16, 16, *tiles)]

    assert why(tiff_of(entries, packed)) == "the TIFF file is damaged or cut short"
    assert capfd.readouterr().err == ""  # where it would say so, 160 MB later


def test_a_gigabyte_in_a_tag_that_nobody_needs_is_not_read():
    at = data_at(9)
    strips = [(273, 4, 1, at), (278, 3, 1, 1), (279, 4, 1, 10), (282, 5, 2_000_000, at)]
    body = tiff_of(grey_rows(10, 1, *strips), bytes(16_000_000))
    tracemalloc.start()

    try:
        assert open_picture(body, DEFAULT).image.width == 10
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak < 40_000_000  # twice the file; the numbers unpacked would be a gigabyte


def a_large_avif_that_says_it_is_small(**options):
    body = bytearray(file_of(Image.new("RGB", (2_000, 1_000)), "AVIF", speed=10, **options))
    for found in re.finditer(rb"ispe.{4}", body, re.DOTALL):
        body[found.end() : found.end() + 8] = struct.pack(">II", 64, 64)
    return bytes(body)


@pytest.mark.parametrize("frames", [0, 2], ids=["still", "animated"])
def test_an_avif_is_refused_for_the_size_it_has_and_not_the_one_it_tells(frames):
    others = [Image.new("RGB", (2_000, 1_000), color) for color in (RED, BLUE)][:frames]
    body = a_large_avif_that_says_it_is_small(save_all=bool(frames), append_images=others)

    error = refusal(body, Limits(max_pixels=1_999_999))

    assert error.code == "image-too-many-pixels"
    assert "2,000,000 pixels" in str(error)


def test_an_avif_of_very_many_items_is_refused():
    body = file_of(a_photo(), "AVIF")
    one = struct.pack(">HHHLL", 1, 0, 1, 8, 4)  # its number, file and extents; where, and how long
    items = b"iloc" + bytes(4) + b"\x44\0" + struct.pack(">H", 20_000) + one * 20_000

    assert "more parts" in why(body + items)
