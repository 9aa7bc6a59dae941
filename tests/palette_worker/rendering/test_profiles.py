"""A picture's profile is applied for real, and then gone."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageCms

from palette_worker.rendering import decode
from tests.palette_worker.rendering.drawn_pictures import (
    a_photo,
    a_see_through_logo,
    file_of,
    pixels,
)
from tests.palette_worker.rendering.icc_profiles import (
    DISPLAY_P3,
    a_display_p3_profile,
    a_linear_grey_profile,
    an_ink_profile,
    an_srgb_profile,
)

# IEC 61966-2-1, adapted to D50
SRGB_D50 = ((0.43607, 0.22249, 0.01392), (0.38515, 0.71687, 0.09708), (0.14307, 0.06061, 0.71410))
OF_EVERY_KIND = [
    ("PNG", {}),
    ("JPEG", {"quality": 100, "subsampling": 0}),
    ("WEBP", {"lossless": True}),
    ("TIFF", {}),
    ("AVIF", {"quality": 100, "subsampling": "4:4:4"}),
]


def light(levels):
    shares = np.asarray(levels) / 255
    return np.where(shares <= 0.04045, shares / 12.92, ((shares + 0.055) / 1.055) ** 2.4)


def levels_of(light_):
    low, high = 12.92 * light_, 1.055 * np.maximum(light_, 0) ** (1 / 2.4) - 0.055
    return 255 * np.where(light_ <= 0.0031308, low, high)


def nearly_srgb_profile():
    """sRGB with a red primary moved as much as rounding differs between vendors."""
    body = bytearray(an_srgb_profile())
    entry = body.index(b"rXYZ", 128)
    value = int.from_bytes(body[entry + 4 : entry + 8]) + 8  # X, a 16.16 number
    x = int.from_bytes(body[value : value + 4]) + 100
    body[value : value + 4] = x.to_bytes(4)
    return bytes(body)


@pytest.mark.parametrize(("format", "options"), OF_EVERY_KIND)
def test_a_wider_gamut_is_converted_and_its_profile_dropped(format, options):
    shown = (180, 110, 90)
    body = file_of(
        Image.new("RGB", (16, 16), shown), format, icc_profile=a_display_p3_profile(), **options
    )

    image = decode(body).image

    expected = levels_of(
        np.linalg.solve(np.transpose(SRGB_D50), np.transpose(DISPLAY_P3) @ light(shown))
    )
    assert np.abs(expected - shown).max() > 8  # or the test could not fail
    assert np.abs(np.asarray(image)[8, 8] - expected).max() < 3
    assert not image.info


def test_a_grey_profile_is_applied():
    body = file_of(Image.new("L", (8, 8), 128), icc_profile=a_linear_grey_profile())

    red, green, blue = decode(body).image.getpixel((4, 4))

    assert red == green == blue
    assert abs(red - 188) <= 1  # half the light


def test_a_grey_profile_leaves_alpha_alone():
    body = file_of(Image.new("LA", (8, 8), (128, 77)), icc_profile=a_linear_grey_profile())

    shade, _, _, alpha = decode(body).image.getpixel((4, 4))

    assert abs(shade - 188) <= 1
    assert alpha == 77


def test_a_profile_leaves_alpha_alone():
    drawn = a_see_through_logo()

    image = decode(file_of(drawn, icc_profile=a_display_p3_profile())).image

    assert image.getchannel("A").tobytes() == drawn.getchannel("A").tobytes()
    assert image.tobytes() != drawn.tobytes()


@pytest.mark.parametrize("format", ["JPEG", "TIFF"])
def test_inks_are_converted_by_their_profile(format):
    cyan = Image.new("CMYK", (16, 16), (255, 0, 0, 0))

    naive = decode(file_of(cyan, format)).image.getpixel((8, 8))
    profiled = decode(file_of(cyan, format, icc_profile=an_ink_profile())).image.getpixel((8, 8))

    assert naive[0] < 20
    assert profiled[0] > profiled[1] + 80  # the pink that this cyan is


def test_an_indexed_picture_has_its_profile_applied():
    body = file_of(
        Image.new("RGB", (8, 8), (180, 110, 90)).quantize(4), icc_profile=a_display_p3_profile()
    )

    assert np.abs(np.subtract(decode(body).image.getpixel((4, 4)), (189, 107, 86))).max() < 4


@pytest.mark.parametrize("icc", [an_srgb_profile(), nearly_srgb_profile()], ids=["sRGB", "nearly"])
def test_srgb_by_another_name_changes_no_pixel(icc):
    drawn = a_photo()

    image = decode(file_of(drawn, icc_profile=icc)).image

    assert image.tobytes() == drawn.tobytes()


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "LA", "CMYK"])
@pytest.mark.parametrize(
    "icc",
    [
        b"rubbish",
        an_srgb_profile()[:200],
        ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes(),
        a_display_p3_profile().replace(b"rTRC", b"none"),
        an_srgb_profile().replace(b"curv", b"nope").replace(b"para", b"nope"),
        b"",
    ],
    ids=[
        "rubbish",
        "cut short",
        "of another kind",
        "without a curve",
        "of strange curves",
        "empty",
    ],
)
def test_a_profile_that_cannot_be_used_counts_as_none(mode, icc):
    drawn = a_photo().convert(mode)

    image = decode(file_of(drawn, "TIFF", icc_profile=icc)).image

    assert np.array_equal(
        pixels(image), pixels(drawn.convert("RGBA" if mode.endswith("A") else "RGB"))
    )
