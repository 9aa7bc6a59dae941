"""Every kind of picture comes in upright, in sRGB and 8 bits."""

from __future__ import annotations

import io
import zlib

import numpy as np
import pytest
from PIL import Image

from palette_worker.rendering import decode
from tests.palette_worker.rendering.drawn_pictures import a_logo, a_photo, file_of, pixels

RED, BLUE = (200, 30, 40), (20, 40, 210)


@pytest.mark.parametrize("format", ["PNG", "WEBP", "GIF", "TIFF", "JPEG", "AVIF"])
def test_every_format_is_read(format):
    source = decode(file_of(a_logo(), format))

    assert (source.width, source.height) == (96, 96)
    assert source.format == format.lower()
    assert source.frames == 1
    assert source.image.mode == "RGB"
    assert source.nbytes >= 4 * 96 * 96


@pytest.mark.parametrize(
    ("image", "mode", "first"),
    [
        (Image.new("L", (8, 8), 77), "RGB", (77, 77, 77)),
        (Image.new("LA", (8, 8), (77, 99)), "RGBA", (77, 77, 77, 99)),
        (Image.new("1", (8, 8), 1), "RGB", (255, 255, 255)),
        (Image.new("RGB", (8, 8), RED).quantize(4), "RGB", RED),
        (Image.new("RGBA", (8, 8), (*RED, 9)), "RGBA", (*RED, 9)),
        (Image.new("I;16", (8, 8), 0x8055), "RGB", (128, 128, 128)),
    ],
    ids=["grey", "grey with alpha", "black and white", "palette", "alpha", "16-bit grey"],
)
def test_every_mode_becomes_rgb_or_rgba(image, mode, first):
    source = decode(file_of(image))

    assert source.image.mode == mode
    assert source.image.getpixel((0, 0)) == first


def test_16_bit_grey_keeps_its_whole_range():
    ramp = np.arange(0, 65536, 256, dtype=np.uint16).repeat(2)[None].repeat(4, axis=0)

    found = pixels(decode(file_of(Image.fromarray(ramp))).image)

    assert np.array_equal(found[0, ::2, 0], np.arange(256))


@pytest.mark.parametrize("transparency", [0, bytes((255, 0))], ids=["one colour", "a list"])
def test_transparency_of_a_palette_becomes_alpha(transparency):
    image = Image.new("P", (8, 8), 1)
    image.putpalette([*RED, *BLUE])
    image.putpixel((0, 0), 0 if transparency == 0 else 1)

    source = decode(file_of(image, transparency=transparency))

    assert source.image.mode == "RGBA"
    assert source.image.getchannel("A").getextrema()[0] == 0


def test_cmyk_is_converted():
    source = decode(file_of(Image.new("CMYK", (8, 8), (0, 255, 255, 0)), "JPEG"))

    red, green, blue = source.image.getpixel((4, 4))
    assert red > 200
    assert max(green, blue) < 60


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
def test_a_picture_is_turned_upright(orientation, format):
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = Image.new("RGB", (24, 16), RED)
    stored.paste(BLUE, (0, 0, 12, 8))  # the corner that tells how it was turned
    corner = {
        1: (0, 0),
        2: (1, 0),
        3: (1, 1),
        4: (0, 1),
        5: (0, 0),
        6: (1, 0),
        7: (1, 1),
        8: (0, 1),
    }

    image = decode(file_of(stored, format, exif=exif)).image

    assert image.size == ((24, 16) if orientation < 5 else (16, 24))
    right, below = corner[orientation]
    at = (image.width - 4 if right else 3, image.height - 4 if below else 3)
    assert np.abs(np.subtract(image.getpixel(at), BLUE)).max() < 25
    assert not image.getexif()


@pytest.mark.parametrize(
    ("format", "frames"), [("GIF", 3), ("WEBP", 3), ("PNG", 3), ("TIFF", 3), ("AVIF", 3)]
)
def test_of_several_frames_the_first_is_taken_and_all_are_counted(format, frames):
    first, *others = (Image.new("RGB", (16, 16), color) for color in (RED, BLUE, "white"))

    source = decode(file_of(first, format, save_all=True, append_images=others))

    assert source.frames == frames
    assert np.abs(np.subtract(source.image.getpixel((8, 8))[:3], RED)).max() < 12


def test_the_body_may_go_once_it_is_decoded():
    body = io.BytesIO(file_of(a_photo(), "GIF"))

    source = decode(body.getvalue())

    assert not hasattr(source.image, "fp")


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "AVIF"])
def test_damaged_exif_is_no_reason_to_refuse_a_picture(format):
    exif = Image.Exif()
    exif[0x010E] = "a picture of a harbour"
    body = bytearray(file_of(a_photo(), format, exif=exif))
    at = body.index(b"II*\0") if b"II*\0" in body else body.index(b"MM\0*")
    body[at : at + 14] = b"MM\0*\0\0\0\x08\xff\xff\x01\x12\0\x05"
    if format == "PNG":  # whose checksum is to be right again
        start = body.index(b"eXIf")
        length = int.from_bytes(body[start - 4 : start])
        check = zlib.crc32(body[start : start + 4 + length]).to_bytes(4)
        body[start + 4 + length : start + 8 + length] = check

    assert decode(bytes(body)).width == 120
