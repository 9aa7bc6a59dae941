"""Every kind of picture comes in upright, in sRGB, 8 bits; every kind of damage is one sentence."""

from __future__ import annotations

import io
import struct
import threading
import warnings
import zlib

import numpy as np
import pytest
from drawn_pictures import a_logo, a_photo, a_see_through_logo, file_of, pixels
from PIL import Image, ImageCms

from colorway.errors import Hopeless
from palette_worker.rendering import Limits, decode

RED, BLUE = (200, 30, 40), (20, 40, 210)
DEFAULT = Limits()


def refusal(body, limits=DEFAULT):
    with pytest.raises(Hopeless) as caught:
        decode(body, limits)
    assert caught.value.phase == "decode"
    sentence = str(caught.value)
    assert sentence
    assert "\n" not in sentence
    assert "object at" not in sentence
    return caught.value


def png_of(width, height, *, depth=8, color=2, data=b""):
    """A PNG by hand, for what Pillow would not write."""

    def chunk(name, content):
        check = zlib.crc32(name + content)
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", check)

    header = struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, 0)
    content = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(data)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + content


def profile(name="sRGB", **options):
    return ImageCms.ImageCmsProfile(ImageCms.createProfile(name, **options)).tobytes()


def swapped_profile():
    """sRGB with its red and blue primaries exchanged: a profile whose effect nobody can miss."""
    body = bytearray(profile())
    red, blue = body.index(b"rXYZ", 128), body.index(b"bXYZ", 128)
    body[red : red + 4], body[blue : blue + 4] = b"bXYZ", b"rXYZ"
    return bytes(body)


def nearly_srgb_profile():
    """sRGB with a red primary moved as much as rounding differs between vendors."""
    body = bytearray(profile())
    entry = body.index(b"rXYZ", 128)
    value = int.from_bytes(body[entry + 4 : entry + 8]) + 8  # X, a 16.16 number
    x = int.from_bytes(body[value : value + 4]) + 100
    body[value : value + 4] = x.to_bytes(4)
    return bytes(body)


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
@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF"])
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


def test_in_a_very_long_gif_only_a_second_frame_is_looked_for():
    first, *others = (Image.new("RGB", (16, 16), color) for color in (RED, BLUE, "white"))
    body = file_of(first, "GIF", save_all=True, append_images=others)
    comment = b"!\xfe" + (b"\xff" + bytes(255)) * 40_000 + b"\x00"

    assert decode(body[:-1] + comment + b";").frames == 2


def test_a_profile_is_applied_and_dropped():
    body = file_of(Image.new("RGB", (8, 8), RED), icc_profile=swapped_profile())

    image = decode(body).image

    red, _, blue = image.getpixel((0, 0))
    assert blue > 150 > red
    assert not image.info


def test_a_profile_leaves_alpha_alone():
    drawn = a_see_through_logo()

    image = decode(file_of(drawn, icc_profile=swapped_profile())).image

    assert image.getchannel("A").tobytes() == drawn.getchannel("A").tobytes()
    assert image.tobytes() != drawn.tobytes()


@pytest.mark.parametrize("icc", [profile(), nearly_srgb_profile()], ids=["sRGB", "nearly"])
def test_srgb_by_another_name_changes_no_pixel(icc):
    drawn = a_photo()

    image = decode(file_of(drawn, icc_profile=icc)).image

    assert image.tobytes() == drawn.tobytes()


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "LA"])
@pytest.mark.parametrize(
    "icc",
    [b"rubbish", profile()[:200], profile("LAB"), b""],
    ids=["rubbish", "cut short", "of another kind", "empty"],
)
def test_a_profile_that_cannot_be_used_counts_as_none(mode, icc):
    drawn = a_photo().convert(mode)

    image = decode(file_of(drawn, icc_profile=icc)).image

    assert image.tobytes() == drawn.convert("RGBA" if "A" in mode else "RGB").tobytes()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"no picture at all",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n",
        b"8BPS" + bytes(40),
        file_of(a_logo(), "BMP"),
        file_of(a_logo(), "PPM"),
    ],
    ids=["nothing", "text", "svg", "eps", "psd", "bmp", "ppm"],
)
def test_what_is_no_picture_of_ours_is_refused(body):
    error = refusal(body)

    assert error.code == "image-undecodable"
    assert "not a PNG, JPEG, WebP, GIF, AVIF or TIFF" in str(error)


@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP", "GIF", "TIFF", "AVIF"])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.95])
def test_a_file_cut_short_is_refused(format, share):
    body = file_of(a_photo(), format)

    error = refusal(body[: int(len(body) * share)])

    assert error.code == "image-undecodable"


def test_a_png_with_a_wrong_checksum_is_refused():
    body = bytearray(file_of(a_photo()))
    body[body.index(b"IDAT") + 40] ^= 0xFF

    assert "PNG" in str(refusal(bytes(body)))


def test_a_picture_of_measurements_is_refused():
    error = refusal(file_of(Image.new("F", (8, 8), 0.5), "TIFF"))

    assert "32 bits" in str(error)


def test_a_tiff_packed_in_a_rare_way_is_refused():
    assert "compressed" in str(refusal(file_of(a_logo(), "TIFF", compression="zstd")))


def test_damaged_exif_is_no_reason_to_refuse_a_picture():
    body = file_of(a_photo(), "JPEG", exif=b"Exif\x00\x00MM\x00*\x00\x00\xff\xff" + bytes(30))

    assert decode(body).width == 120


@pytest.mark.parametrize(
    ("limits", "word"),
    [(Limits(max_pixels=10_799), "10,800 pixels"), (Limits(max_side=119), "120 x 90")],
)
def test_too_many_pixels_are_refused_and_the_limit_named(limits, word):
    error = refusal(file_of(a_photo()), limits)

    assert error.code == "image-too-many-pixels"
    assert word in str(error)


def test_exactly_as_much_as_allowed_is_fine():
    body = file_of(a_photo())

    limits = Limits(max_pixels=10_800, max_side=120, max_bytes=len(body))

    assert decode(body, limits).height == 90


@pytest.mark.parametrize("side", [9_500, 13_000, 29_999])
def test_a_bomb_is_refused_before_it_is_unpacked(side):
    # Pillow lets the first pass with a warning, and its own limit stops the others
    error = refusal(png_of(side, side))

    assert error.code == "image-too-many-pixels"


def test_too_many_bytes_are_refused():
    assert "1,000" in str(refusal(file_of(a_photo()), Limits(max_bytes=1_000)))


def test_warnings_are_heard_again_after_threads_decoded_side_by_side():
    before = list(warnings.filters)
    bodies = [file_of(a_photo(), "JPEG"), png_of(9_500, 9_500), b"rubbish"] * 8

    def decoded(body):
        try:
            decode(body)
        except Hopeless:
            return

    threads = [threading.Thread(target=decoded, args=(body,)) for body in bodies]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert warnings.filters == before


@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP", "GIF", "TIFF", "AVIF"])
def test_a_damaged_file_is_decoded_or_refused_and_nothing_else(format):
    random = np.random.default_rng(11)
    whole = file_of(a_see_through_logo(48) if format != "JPEG" else a_photo(48, 40), format)
    decoded, refusals = 0, []

    for _ in range(100):
        body = bytearray(whole)
        for place in random.integers(0, len(body), random.integers(1, 9)):
            body[place] = random.integers(0, 256)
        if random.random() < 0.3:
            place = int(random.integers(0, len(body)))
            del body[place : place + int(random.integers(1, 60))]
        try:
            decode(bytes(body), Limits(max_pixels=1_000_000))
            decoded += 1
        except Hopeless as error:
            refusals.append(error)

    assert decoded + len(refusals) == 100
    assert refusals
    assert {error.phase for error in refusals} == {"decode"}


def test_the_body_may_go_once_it_is_decoded():
    body = io.BytesIO(file_of(a_photo(), "GIF"))

    source = decode(body.getvalue())

    assert not hasattr(source.image, "fp")
