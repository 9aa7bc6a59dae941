"""What files come out."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from colorway.errors import Hopeless
from colorway.job import OutputOptions, RenderOptions
from palette_worker.rendering import decode, render
from palette_worker.rendering.encode import chosen_format
from tests.palette_worker.rendering.drawn_pictures import (
    HARBOUR,
    a_logo,
    a_photo,
    a_see_through_logo,
    file_of,
    opened,
    pixels,
    rendered,
)

UNTOUCHED = RenderOptions(strength=0)


@pytest.mark.parametrize("format", ["png", "webp", "jpeg"])
@pytest.mark.parametrize("lossless", [True, False])
@pytest.mark.parametrize("draw", [a_logo, a_photo, a_see_through_logo])
def test_every_format_opens_again_as_what_was_promised(draw, format, lossless):
    output = OutputOptions(format=format, lossless=lossless)

    found = rendered(draw(), HARBOUR, output=output)

    image = opened(found.body)
    assert found.format == format
    assert found.media_type == f"image/{format}"
    assert Image.MIME[Image.open(io.BytesIO(found.body)).format] == found.media_type
    assert image.size == (found.width, found.height) == draw().size
    assert image.mode == ("RGBA" if draw is a_see_through_logo and format != "jpeg" else "RGB")


@pytest.mark.parametrize(("draw", "format"), [(a_logo, "png"), (a_photo, "webp")])
def test_auto_is_png_for_flat_art_and_lossless_webp_for_photos(draw, format):
    output = OutputOptions(format="auto", lossless=False)

    found = rendered(draw(), HARBOUR, UNTOUCHED, output)

    assert found.format == format
    assert np.array_equal(pixels(found.body), pixels(draw()))


@pytest.mark.parametrize("size", [(16_384, 3), (3, 16_384), (2_500, 1_700)])
def test_auto_is_png_where_webp_is_impossible_or_costs_too_much_memory(size):
    assert chosen_format(OutputOptions(format="auto"), size, is_flat=False) == "png"


@pytest.mark.parametrize(("format", "side"), [("webp", 16_384), ("jpeg", 65_501)])
def test_a_side_beyond_the_format_is_hopeless_and_says_what_helps(format, side):
    with pytest.raises(Hopeless, match="max_edge") as caught:
        chosen_format(OutputOptions(format=format), (side, 2), is_flat=False)

    assert (caught.value.code, caught.value.phase) == ("image-too-many-pixels", "encode")


def test_a_long_picture_is_refused_as_webp_and_fine_with_a_max_edge():
    long = decode(file_of(a_photo(16_400, 4)))

    with pytest.raises(Hopeless):
        render(long, HARBOUR, RenderOptions(), OutputOptions(format="webp"))

    fitted = render(long, HARBOUR, RenderOptions(), OutputOptions(format="webp", max_edge=2_000))
    assert (fitted.width, fitted.height) == (2_000, 1)


@pytest.mark.parametrize("format", ["png", "webp", "auto"])
def test_lossless_files_keep_even_the_colours_under_transparency(format):
    drawn = a_see_through_logo()

    found = rendered(drawn, HARBOUR, UNTOUCHED, OutputOptions(format=format))

    assert opened(found.body).tobytes() == drawn.tobytes()


def test_lossy_webp_keeps_alpha_exactly():
    drawn = a_see_through_logo()

    found = rendered(drawn, HARBOUR, output=OutputOptions(format="webp", lossless=False))

    assert opened(found.body).getchannel("A").tobytes() == drawn.getchannel("A").tobytes()


def test_jpeg_shows_what_is_transparent_on_white():
    drawn = a_logo().convert("RGBA")
    drawn.putalpha(0)

    found = rendered(drawn, HARBOUR, output=OutputOptions(format="jpeg"))

    assert pixels(found.body).min() > 250


@pytest.mark.parametrize("options", [{"format": "jpeg"}, {"format": "webp", "lossless": False}])
def test_less_quality_is_a_smaller_file(options):
    sizes = [
        len(rendered(a_photo(), HARBOUR, output=OutputOptions(quality=quality, **options)).body)
        for quality in (95, 60, 20)
    ]

    assert sizes == sorted(sizes, reverse=True)


@pytest.mark.parametrize("format", ["png", "webp", "jpeg"])
@pytest.mark.parametrize("strength", [0, 1])
def test_no_metadata_comes_out(format, strength):
    exif = Image.Exif()
    exif[0x010E] = "SECRET description"
    text = PngImagePlugin.PngInfo()
    text.add_text("Comment", "SECRET comment")
    text.add_itxt("XML:com.adobe.xmp", "<x>SECRET xmp</x>")
    with_png = file_of(a_photo(), exif=exif, pnginfo=text, dpi=(300, 300))
    with_jpeg = file_of(
        a_photo(), "JPEG", exif=exif, comment=b"SECRET", xmp=b"<x>SECRET</x>", dpi=(300, 300)
    )

    for body in (with_png, with_jpeg):
        assert b"SECRET" in body
        found = render(
            decode(body), HARBOUR, RenderOptions(strength=strength), OutputOptions(format=format)
        )
        for file in (found.body, found.thumbnail):
            assert b"SECRET" not in file
            info = opened(file).info
            assert not {"exif", "icc_profile", "xmp", "comment", "dpi"} & info.keys()


@pytest.mark.parametrize(
    ("size", "edge", "expected"),
    [
        ((120, 90), 60, (60, 45)),
        ((90, 120), 60, (45, 60)),
        ((120, 90), 120, (120, 90)),
        ((120, 90), 500, (120, 90)),
        ((400, 1), 100, (100, 1)),
    ],
)
@pytest.mark.parametrize("draw", [a_photo, lambda width, height: a_logo().resize((width, height))])
def test_max_edge_and_thumbnails_keep_the_aspect_and_never_enlarge(draw, size, edge, expected):
    output = OutputOptions(max_edge=edge, thumbnail_edge=edge)

    found = rendered(draw(*size), HARBOUR, output=output)

    assert (found.width, found.height) == expected
    assert opened(found.body).size == expected
    thumbnail = opened(found.thumbnail)
    assert (thumbnail.format, thumbnail.size) == ("WEBP", expected)


def test_making_it_smaller_does_not_let_hidden_colours_bleed():
    drawn = Image.new("RGBA", (200, 200), (255, 0, 255, 0))  # invisible magenta
    drawn.paste((20, 160, 60, 255), (50, 50, 150, 150))

    found = rendered(drawn, HARBOUR, UNTOUCHED, OutputOptions(max_edge=37))

    seen = pixels(found.body)
    visible = seen[seen[..., 3] > 40]
    assert np.abs(visible[:, :3] - (20, 160, 60)).max() <= 6


def test_a_smaller_photo_looks_like_the_large_one():
    large = rendered(a_photo(240, 180), HARBOUR)

    small = rendered(a_photo(240, 180), HARBOUR, output=OutputOptions(max_edge=60))

    expected = pixels(opened(large.body).resize((60, 45), Image.Resampling.BOX))
    assert np.abs(pixels(small.body) - expected).mean() < 6


def test_thumbnails_of_changing_sizes_come_from_one_source():
    source = decode(file_of(a_photo()))

    def thumbnail(edge):
        output = OutputOptions(thumbnail_edge=edge)
        return render(source, HARBOUR, RenderOptions(), output).thumbnail

    first = thumbnail(40)
    assert opened(thumbnail(64)).size == (64, 48)
    assert thumbnail(40) == first
    assert Image.open(io.BytesIO(first)).size == (40, 30)
