"""PNG files of our own making: right for every reader, small, and made strip by strip."""

from __future__ import annotations

import io
import struct
import tracemalloc
import zlib

import numpy as np
import pytest
from PIL import Image

from palette_worker.rendering.png import png_parts
from tests.palette_worker.rendering.drawn_pictures import (
    HARBOUR,
    a_logo,
    a_photo,
    a_see_through_logo,
    file_of,
    opened,
    rendered,
)


def written(image):
    return b"".join(png_parts(image))


def chunks(body):
    """Kind and data of each chunk, after a look at lengths and checksums."""
    assert body[:8] == b"\x89PNG\r\n\x1a\n"
    rest, found = body[8:], []
    while rest:
        length, kind = struct.unpack(">I4s", rest[:8])
        data, checksum = rest[8 : 8 + length], rest[8 + length : 12 + length]
        assert checksum == zlib.crc32(kind + data).to_bytes(4)
        found.append((kind, data))
        rest = rest[12 + length :]
    return found


def stream(body):
    return b"".join(data for kind, data in chunks(body) if kind == b"IDAT")


def filters(body, image):
    """The filters that occur, by their numbers in the PNG specification."""
    row = 1 + image.width * len(image.getbands())
    return set(zlib.decompress(stream(body))[::row])


def noise(width, height, bands=3):
    levels = np.random.default_rng(3).integers(0, 256, (height, width, bands), dtype=np.uint8)
    return Image.fromarray(levels)


def a_grainy_photo(width=300, height=200):
    """As from a camera: each channel has noise of its own."""
    grain = np.random.default_rng(5).normal(0, 2, (height, width, 3))
    levels = np.asarray(a_photo(width, height)) + grain
    return Image.fromarray(levels.clip(0, 255).round().astype(np.uint8))


def with_alpha(image):
    image.putalpha(Image.linear_gradient("L").resize(image.size))
    return image


def an_illustration(edge=200):
    """A pattern that comes again on a ramp from left to right."""
    x = np.arange(edge)
    dots = (x[:, None] * 7 + x[None, :] * 5) % 23 < 4
    ramp = np.stack((x // 2 + 60, 255 - x, x // 3), axis=-1)[None].repeat(edge, axis=0)
    return Image.fromarray((ramp + 40 * dots[..., None]).clip(0, 255).astype(np.uint8))


def a_gradient_map(width=300, height=200):
    """A grey photo in colours: one of at most 256 for each level."""
    share = np.linspace(0, 1, 256)
    table = np.stack((30 + 220 * share, 20 + 200 * share**2, 90 + 90 * np.sin(4 * share)), axis=-1)
    grey = np.asarray(a_grainy_photo(width, height).convert("L"))
    return Image.fromarray(table.round().astype(np.uint8)[grey])


PICTURES = {
    "photo": a_photo,
    "photo, one row": lambda: a_photo(90, 1),
    "photo, one column": lambda: a_photo(1, 90),
    "photo, odd": lambda: a_photo(37, 53),
    "grainy photo": a_grainy_photo,
    "grainy photo, several strips": lambda: a_grainy_photo(900, 401),
    "grainy photo with alpha": lambda: with_alpha(a_grainy_photo()),
    "logo": a_logo,
    "logo on nothing": a_see_through_logo,
    "illustration": an_illustration,
    "gradient map": a_gradient_map,
    "noise": lambda: noise(64, 33),
    "noise with alpha": lambda: noise(300, 200, 4),
    "one colour": lambda: Image.new("RGB", (70, 50), "#336699"),
    "nothing": lambda: Image.new("RGBA", (70, 50), (255, 0, 255, 0)),
    "one pixel": lambda: noise(1, 1),
    "six pixels": lambda: noise(3, 2, 4),
    "very wide": lambda: noise(30_000, 1),
    "very wide rows": lambda: noise(30_000, 5, 4),
    "very tall": lambda: noise(1, 30_000),
}


@pytest.mark.parametrize("name", PICTURES)
def test_every_pixel_comes_back_even_under_alpha_0(name):
    image = PICTURES[name]()

    read = opened(written(image))

    assert (read.format, read.mode, read.size) == ("PNG", image.mode, image.size)
    assert read.tobytes() == image.tobytes()


@pytest.mark.parametrize("name", PICTURES)
def test_the_file_has_pixels_and_nothing_else(name):
    image = PICTURES[name]()

    kinds, data = zip(*chunks(written(image)), strict=True)

    assert kinds == (b"IHDR", *[b"IDAT"] * (len(kinds) - 2), b"IEND")
    assert data[0][:9] == struct.pack(">IIB", *image.size, 8)
    assert all(data[1:-1])
    assert data[-1] == b""


@pytest.mark.parametrize(
    ("name", "filter"), [("grainy photo", 4), ("gradient map", 0), ("illustration", 1)]
)
def test_each_kind_of_picture_finds_its_filter(name, filter):
    image = PICTURES[name]()

    assert filters(written(image), image) == {filter}


def test_a_reader_with_the_window_the_file_declares_can_read_it():
    body = stream(written(a_grainy_photo(200, 150)))
    window_bits = 8 + (body[0] >> 4)
    reader = zlib.decompressobj(window_bits)

    rows = []
    while body:  # a little at a time, so that only the window is there to copy from
        rows.append(reader.decompress(body, 64))
        body = reader.unconsumed_tail

    assert window_bits == 9
    assert reader.eof
    assert sum(map(len, rows)) == 150 * (1 + 3 * 200)


@pytest.mark.parametrize("palette", [None, HARBOUR])
@pytest.mark.parametrize(
    "name", ["photo", "grainy photo", "grainy photo with alpha", "gradient map"]
)
def test_photos_are_hardly_larger_than_pillows(name, palette):
    image = PICTURES[name]()
    if palette is not None:
        image = opened(rendered(image, palette).body)

    assert len(written(image)) <= 1.2 * len(file_of(image, compress_level=6))


def test_what_repeats_is_small():
    logo = a_logo(edge=500)

    assert len(written(logo)) < 0.01 * len(logo.tobytes())


def test_parts_are_small_and_so_is_what_they_take():
    image = noise(2_500, 2_000)
    sizes = []

    tracemalloc.start()
    for part in png_parts(image):
        sizes.append(len(part))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert sum(sizes) > 14_000_000
    assert max(sizes) < 600_000
    assert peak < 5_000_000


def test_the_same_picture_gives_the_same_bytes():
    image = a_grainy_photo(500, 401)
    again = opened(file_of(image))

    assert written(image) == written(image) == written(again)


def test_a_rendered_png_is_one_of_these():
    found = rendered(a_photo(200, 150), HARBOUR)

    assert found.body == written(Image.open(io.BytesIO(found.body)))
