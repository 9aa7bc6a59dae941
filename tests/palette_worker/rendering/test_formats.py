"""Real files of every kind: the right pixels, upright, the first frame, and nothing besides."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
from PIL import Image, ImageCms, PngImagePlugin

from palette_worker.rendering import decode
from palette_worker.rendering.outline import outline
from tests.palette_worker.rendering.damaged_files import FILES, whole_files
from tests.palette_worker.rendering.drawn_pictures import (
    a_logo,
    a_photo,
    a_see_through_logo,
    file_of,
    pixels,
)
from tests.palette_worker.rendering.hand_made_files import chunk, gif_of, png_of

RED, BLUE, GREEN = (200, 30, 40), (20, 40, 210), (10, 160, 60)
SAMPLES = sorted(path for path in FILES.glob("*.*") if path.suffix != ".md")


def the_gradient():
    y, x = np.mgrid[0:40, 0:60]
    return np.stack((4 * x, 6 * y, 2 * (x + y)), axis=-1)


@pytest.mark.parametrize("path", SAMPLES, ids=[path.name for path in SAMPLES])
def test_a_file_of_another_encoder_shows_what_was_drawn(path):
    drawn = the_gradient()
    if "grey" in path.name:
        drawn = drawn[..., :1].repeat(3, axis=2)

    source = decode(path.read_bytes())

    found = pixels(source.image)
    lossy = path.suffix in (".jpeg", ".avif")
    assert source.format == path.suffix[1:]
    assert np.abs(found[..., :3] - drawn).max() <= (6 if lossy else 0)
    if "alpha" in path.name:
        assert np.abs(found[..., 3] - (255 - drawn[..., 0])).max() <= lossy
    else:
        assert source.image.mode == "RGB"


@pytest.mark.parametrize("name", whole_files())
def test_what_is_damaged_by_the_fuzz_was_whole(name):
    assert decode(whole_files()[name]).width


@pytest.mark.parametrize(
    ("depth", "color", "data", "clear", "shades", "alpha"),
    [
        (1, 0, b"\x40", 1, (0, 255), (255, 0)),
        (2, 0, b"\x1b", 2, (0, 85, 170, 255), (255, 255, 0, 255)),
        (4, 0, b"\x0f\x50", 15, (0, 255, 85), (255, 0, 255)),
        (8, 0, b"\x00\x64\xff", 100, (0, 100, 255), (255, 0, 255)),
        (16, 0, b"\0\0\x80\x55\x80\x56", 0x8055, (0, 128, 128), (255, 0, 255)),
    ],
    ids=["1 bit", "2 bits", "4 bits", "8 bits", "16 bits"],
)
def test_a_grey_that_is_see_through_is_so_at_every_depth(depth, color, data, clear, shades, alpha):
    body = png_of(
        len(shades),
        1,
        depth=depth,
        color=color,
        data=b"\0" + data,
        before=chunk(b"tRNS", struct.pack(">H", clear)),
    )

    found = pixels(decode(body).image)

    assert tuple(found[0, :, 0]) == shades
    assert tuple(found[0, :, 3]) == alpha


@pytest.mark.parametrize("depth", [8, 16])
def test_a_color_that_is_see_through_becomes_alpha(depth):
    pattern = ">3B3B" if depth == 8 else ">3H3H"
    numbers = (1, 2, 3, 4, 5, 6) if depth == 8 else (0x101, 0x202, 0x303, 0x404, 0x505, 0x606)
    body = png_of(
        2,
        1,
        depth=depth,
        data=b"\0" + struct.pack(pattern, *numbers),
        before=chunk(b"tRNS", struct.pack(">3H", *numbers[3:])),
    )

    assert pixels(decode(body).image).tolist() == [[[1, 2, 3, 255], [4, 5, 6, 0]]]


def test_an_interlaced_png_is_read():
    # 2 x 2: the passes are one pixel, none, …, one to its right, and the row below
    passes = b"\0" + bytes(RED) + b"\0" + bytes(BLUE) + b"\0" + bytes(GREEN) + bytes(RED)

    image = decode(png_of(2, 2, data=passes, interlaced=True)).image

    assert pixels(image).tolist() == [[list(RED), list(BLUE)], [list(GREEN), list(RED)]]


@pytest.mark.parametrize(
    "options", [{"progressive": True}, {"restart_marker_rows": 1}, {"keep_rgb": True}]
)
def test_jpegs_of_every_build_show_the_same(options):
    plain = pixels(decode(file_of(a_photo(), "JPEG", quality=95, subsampling=0)).image)

    found = pixels(decode(file_of(a_photo(), "JPEG", quality=95, subsampling=0, **options)).image)

    assert np.abs(found - plain).mean() < 2


@pytest.mark.parametrize(
    "options", [{"lossless": True, "exact": True}, {"quality": 100}], ids=["lossless", "lossy"]
)
def test_a_webp_keeps_its_alpha(options):
    drawn = a_see_through_logo()

    image = decode(file_of(drawn, "WEBP", **options)).image

    assert image.getchannel("A").tobytes() == drawn.getchannel("A").tobytes()


@pytest.mark.parametrize(
    "compression", ["raw", "packbits", "tiff_lzw", "tiff_adobe_deflate", "tiff_deflate"]
)
@pytest.mark.parametrize(
    "mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16", "I;16B", "LAB", "YCbCr"]
)
def test_a_tiff_is_read_however_it_is_packed(mode, compression):
    drawn = a_photo(24, 20)
    if mode.startswith("I;16"):
        drawn = Image.fromarray(np.asarray(drawn.convert("L")) * np.uint16(257))
        expected = np.asarray(drawn)[..., None].repeat(3, axis=2) >> 8
    else:
        drawn = drawn.convert("RGB").quantize(200) if mode == "P" else _as(drawn, mode)
        expected = np.asarray(drawn.convert("RGBA" if mode.endswith("A") else "RGB"))

    found = pixels(decode(file_of(drawn, "TIFF", compression=compression)).image)

    assert np.abs(found - expected).max() <= (3 if mode in ("LAB", "YCbCr") else 0)


def _as(image, mode):
    if mode == "LAB":
        srgb, lab = (ImageCms.createProfile(name) for name in ("sRGB", "LAB"))
        return ImageCms.profileToProfile(image, srgb, lab, outputMode="LAB")
    return image.convert(mode)


@pytest.mark.parametrize("compression", ["group3", "group4", "tiff_ccitt"])
def test_a_fax_is_read(compression):
    drawn = a_logo().convert("1")

    image = decode(file_of(drawn, "TIFF", compression=compression)).image

    assert image.tobytes() == drawn.convert("RGB").tobytes()


def test_a_tiff_made_of_jpeg_is_read():
    found = pixels(decode(file_of(a_photo(), "TIFF", compression="jpeg", quality=95)).image)

    assert np.abs(found - pixels(a_photo())).mean() < 6


def test_a_gif_frame_may_have_colors_of_its_own():
    body = gif_of((2, 1), colors=(GREEN, GREEN), frames=[((0, 0, 2, 1), (RED, BLUE), (0, 1))])

    assert pixels(decode(body).image).tolist() == [[list(RED), list(BLUE)]]


def test_around_a_smaller_first_gif_frame_nothing_is_drawn():
    body = gif_of((3, 1), colors=(RED, BLUE), frames=[((1, 0, 1, 1), None, (1,))], clear=0)

    found = pixels(decode(body).image)

    assert found[0, :, 3].tolist() == [0, 255, 0]
    assert found[0, 1, :3].tolist() == list(BLUE)


def test_the_frames_of_a_gif_are_counted_as_pillow_counts_them():
    first, *others = (Image.new("RGB", (16, 16), color) for color in (RED, BLUE, GREEN, RED))
    body = file_of(first, "GIF", save_all=True, append_images=others, comment=b"x" * 600, loop=0)

    with Image.open(io.BytesIO(body)) as opened:
        assert decode(body).frames == opened.n_frames == 4


@pytest.mark.parametrize("rubbish", [b"\0", b"\0\0\0", b"\xff"])
def test_rubbish_between_the_frames_of_a_gif_hides_none(rubbish):
    frame = ((0, 0, 1, 1), None, (1,))
    body = gif_of((1, 1), colors=(RED, BLUE), frames=[frame])
    one = body[body.index(b",") : -1]

    assert decode(body[:-1] + rubbish + one + b";").frames == 2


@pytest.mark.parametrize("is_part", [True, False], ids=["a frame", "for who knows no animation"])
def test_of_an_animated_png_the_plain_picture_is_taken(is_part):
    first, *others = (Image.new("RGB", (16, 16), color) for color in (RED, BLUE, GREEN))
    body = file_of(first, save_all=True, append_images=others, default_image=not is_part)

    source = decode(body)

    with Image.open(io.BytesIO(body)) as opened:
        assert source.frames == opened.n_frames == 3
    assert source.image.getpixel((8, 8)) == RED


def test_a_png_that_claims_more_frames_than_it_has_is_not_believed():
    claim = chunk(b"acTL", struct.pack(">II", 0x8000_0000, 0))
    body = png_of(
        1,
        1,
        data=bytes(4),
        before=claim + chunk(b"fcTL", struct.pack(">IIIIIHHBB", 0, 1, 1, 0, 0, 1, 1, 0, 0)),
    )

    assert decode(body).frames == 1


def test_pictures_behind_a_jpeg_are_no_frames():
    body = file_of(a_photo(), "MPO", save_all=True, append_images=[a_photo(), a_logo()])

    source = decode(body)

    assert (source.format, source.frames) == ("jpeg", 1)
    assert (source.width, source.height) == a_photo().size


def test_the_exif_of_an_avif_is_not_shown_to_pillow():
    exif = Image.Exif()
    exif[0x010E] = "where I live"
    body = file_of(a_photo(), "AVIF", exif=exif)

    with Image.open(io.BytesIO(outline(body).body)) as opened:
        assert "exif" not in opened.info


@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP", "GIF", "AVIF", "TIFF"])
def test_of_what_a_file_tells_besides_nothing_is_kept(format):
    exif = Image.Exif()
    exif[0x010E] = "where I live"
    exif.get_ifd(0x8825)[1] = "N"  # and where that is
    told = PngImagePlugin.PngInfo()
    told.add_text("Comment", "where I live")
    told.add_itxt("XML:com.adobe.xmp", "<x>where I live</x>", zip=True)
    options = {
        "PNG": {"pnginfo": told, "dpi": (72, 72)},
        "JPEG": {"comment": "where I live", "xmp": b"<x>where I live</x>", "dpi": (72, 72)},
        "WEBP": {"xmp": b"<x>where I live</x>"},
        "AVIF": {"xmp": b"<x>where I live</x>"},
        "GIF": {"comment": "where I live"},
        "TIFF": {"description": "where I live", "dpi": (72, 72)},
    }
    body = file_of(a_photo(), format, exif=exif, **options[format])

    image = decode(body).image

    assert b"where I live" in body or format == "PNG"
    assert type(image) is Image.Image
    assert not image.info
    assert not image.getexif()
    for written in ("PNG", "JPEG", "WEBP", "TIFF"):
        assert b"where I live" not in file_of(image, written)
