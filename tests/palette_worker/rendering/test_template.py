"""Flat art with few colours: files that differ in their table of colours only."""

from __future__ import annotations

import io
import struct
from concurrent.futures import ThreadPoolExecutor
from itertools import permutations

import numpy as np
import pytest
from PIL import Image

from colorway.job import OutputOptions, RenderOptions
from colorway.palette import CATALOGUE
from palette_worker.rendering import Source, decode, render
from palette_worker.rendering.edges import edges_of
from palette_worker.rendering.oklab import levels_of_hex
from palette_worker.rendering.source import Drawing
from tests.palette_worker.rendering.drawn_pictures import (
    AS_PNG,
    FULLY,
    HARBOUR,
    a_badge,
    a_logo,
    a_palette,
    a_photo,
    a_ramp,
    a_see_through_logo,
    a_soft_logo,
    cover_of,
    file_of,
    in_colors,
    pixels,
)

AS_WEBP = OutputOptions(format="webp")
COLORS = ("#ffffff", "#1f3a93", "#e74c3c", "#f1c40f", "#27ae60")


def a_badge_in(colors=COLORS, edge=128):
    cover = cover_of(lambda pen, s: a_badge(pen, s * edge / 128), len(colors), (edge, edge))
    return in_colors(cover, levels_of_hex(colors))


def a_see_through_soft_logo(colors=COLORS[:4]):
    logo = a_soft_logo(colors).convert("RGBA")
    disc = a_soft_logo(("#ffffff", "#000000")).getchannel("R")
    logo.putalpha(disc)
    return logo


def chunks(body):
    """Return the chunks of a PNG, names and contents, in order."""
    found, at = [], 8
    while at < len(body):
        (length,) = struct.unpack(">I", body[at : at + 4])
        found.append((body[at + 4 : at + 8].decode(), body[at + 8 : at + 8 + length]))
        at += length + 12
    return found


def png_of(image, palette=HARBOUR, options=FULLY):
    return render(decode(file_of(image)), palette, options, AS_PNG).body


def by_the_table(image) -> Source:
    """Return a source that is looked up pixel by pixel, whatever its number of colours."""
    source = decode(file_of(image))
    modes = source.mode_levels
    source.drawing = Drawing(source.image, edges=edges_of(source.image, modes))
    return source


DRAWINGS = pytest.mark.parametrize(
    "draw", [a_logo, a_soft_logo, a_badge_in, a_see_through_soft_logo]
)


@DRAWINGS
@pytest.mark.parametrize("palette", CATALOGUE, ids=lambda palette: palette.name)
@pytest.mark.parametrize("strength", [0.5, 1.0])
def test_the_file_shows_just_what_other_formats_show(draw, palette, strength):
    source, options = decode(file_of(draw())), RenderOptions(strength=strength)

    png, webp = (render(source, palette, options, output).body for output in (AS_PNG, AS_WEBP))

    assert chunks(png)[1][0] == "PLTE"
    with Image.open(io.BytesIO(png)) as found:
        levels = pixels(found.convert(source.image.mode))
    assert np.array_equal(levels, pixels(webp))


@pytest.mark.parametrize("palette", CATALOGUE, ids=lambda palette: palette.name)
@pytest.mark.parametrize("image", [a_logo(), a_soft_logo(), a_see_through_soft_logo(COLORS[:2])])
def test_pixels_looked_up_one_by_one_come_out_the_same_within_a_level(image, palette):
    found = pixels(png_of(image, palette))
    other = pixels(render(by_the_table(image), palette, FULLY, AS_PNG).body)

    visible = other[..., -1] > 0 if image.mode == "RGBA" else np.ones(image.size, dtype=bool)
    assert np.abs(found - other)[visible].max() <= 1


def test_a_drawing_with_a_few_colours_too_many_is_off_by_a_few_levels_at_its_edges():
    image = a_badge_in(edge=320)
    table = by_the_table(image)
    assert len(table.drawing.edges.mixtures) > 256

    found, other = pixels(png_of(image)), pixels(render(table, HARBOUR, FULLY, AS_PNG).body)

    assert np.abs(found - other).max() <= 8
    assert np.abs(found - other).mean() <= 0.05
    even = (pixels(image) == pixels(image)[0, 0]).all(axis=-1)
    assert np.array_equal(found[even], other[even])


def test_palettes_change_the_table_of_colours_and_nothing_else():
    source = decode(file_of(a_badge_in()))

    one, other = (chunks(render(source, palette, FULLY, AS_PNG).body) for palette in CATALOGUE[:2])

    assert [name for name, _ in one] == ["IHDR", "PLTE", "IDAT", "IEND"]
    assert [name for (name, data), (_, rest) in zip(one, other, strict=True) if data != rest] == [
        "PLTE"
    ]


@pytest.mark.parametrize(
    ("count", "depth"), [(1, 1), (2, 1), (3, 2), (4, 2), (5, 4), (16, 4), (17, 8)]
)
@pytest.mark.parametrize("width", [60, 61, 67])
def test_a_pixel_takes_as_few_bits_as_the_colours_allow(count, depth, width):
    random = np.random.default_rng(count)
    stripes = np.arange(width)[None, :] * count // width
    colors = random.integers(0, 256, (count, 3), dtype=np.uint8)
    image = Image.fromarray(colors[stripes.repeat(20, axis=0)])

    body = png_of(image)

    assert chunks(body)[0][1][8] == depth
    assert len(chunks(body)[1][1]) == 3 * count
    assert np.array_equal(
        pixels(body), pixels(render(decode(file_of(image)), HARBOUR, FULLY, AS_WEBP).body)
    )


def test_alpha_is_kept_to_the_last_of_its_values():
    image = a_see_through_soft_logo()

    found = chunks(png_of(image))

    assert [name for name, _ in found] == ["IHDR", "PLTE", "tRNS", "IDAT", "IEND"]
    alpha = dict(found)["tRNS"]
    assert list(alpha) == sorted(alpha)
    assert alpha[-1] < 255
    assert np.array_equal(pixels(png_of(image))[..., 3], pixels(image)[..., 3])


def test_what_alpha_hides_takes_one_colour():
    image = a_see_through_soft_logo()
    noise = np.random.default_rng(1).integers(0, 256, (96, 96, 3), dtype=np.uint8)
    hidden = np.array(image)
    hidden[hidden[..., 3] == 0, :3] = noise[hidden[..., 3] == 0]

    assert png_of(Image.fromarray(hidden)) == png_of(image)


@pytest.mark.parametrize(
    "draw", [a_photo, a_see_through_logo, lambda: a_ramp("#000000", "#ffffff")]
)
def test_pictures_with_many_colours_keep_them_in_the_pixels(draw):
    assert "PLTE" not in dict(chunks(png_of(draw())))


def test_mixtures_that_differ_by_more_are_not_made_one():
    def draw_every_pair(pen, s):
        for tile, (ground, disc) in enumerate(permutations(range(6), 2)):
            left, top = tile % 5 * 50 * s, tile // 5 * 50 * s
            pen.rectangle((left, top, left + 50 * s - 1, top + 50 * s - 1), fill=ground)
            r = (18 + tile / 10) * s
            x, y = left + 25 * s, top + 25 * s
            pen.ellipse((x - r, y - r, x + r, y + r), fill=disc)

    image = in_colors(cover_of(draw_every_pair, 6, (250, 300)), levels_of_hex((*COLORS, "#000000")))
    source = decode(file_of(image))

    assert source.analysis.is_flat
    assert 256 < len(source.drawing.edges.mixtures) < 1024
    assert source.drawing.template is None


def test_a_smaller_file_is_made_from_the_full_picture():
    source = decode(file_of(a_badge_in()))
    whole = Image.fromarray(pixels(png_of(a_badge_in())).astype(np.uint8))

    found = render(source, HARBOUR, FULLY, OutputOptions(max_edge=50))

    wanted = whole.resize((50, 50), Image.Resampling.HAMMING, reducing_gap=3.0)
    assert (found.width, found.height) == (50, 50)
    assert np.array_equal(pixels(found.body), pixels(wanted))


def test_strength_0_does_not_go_through_the_table():
    found = png_of(a_see_through_soft_logo(), options=RenderOptions(strength=0))

    assert np.array_equal(pixels(found), pixels(a_see_through_soft_logo()))


def test_threads_write_a_template_once_and_get_the_same_bytes():
    body, palettes = file_of(a_badge_in()), CATALOGUE * 3
    alone = [render(decode(body), palette, FULLY, AS_PNG).body for palette in palettes]
    shared = decode(body)

    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda one: render(shared, one, FULLY, AS_PNG).body, palettes))

    assert together == alone
    template = shared.drawing.template
    assert shared.template_file(template) is shared.template_file(template)


def test_a_template_counts_in_the_memory_of_a_source():
    source = decode(file_of(a_badge_in()))
    pixels_and_analysis = 4 * 128 * 128 + source.analysis.nbytes
    unwritten = source.nbytes

    file = render(source, a_palette("#000000", "#ffffff"), FULLY, AS_PNG).body

    assert unwritten >= pixels_and_analysis + 128 * 128
    assert source.nbytes > unwritten + 0.7 * len(file)
