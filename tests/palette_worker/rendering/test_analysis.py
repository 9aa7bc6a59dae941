"""Which colours a picture has, and whether it is flat art; its main colours."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from palette_worker.rendering.analyse import analyse
from palette_worker.rendering.base_palette import base_palette
from palette_worker.rendering.oklab import levels_of
from tests.palette_worker.rendering.drawn_pictures import (
    LOGO_COLORS,
    a_logo,
    a_photo,
    a_ramp,
    a_see_through_logo,
    a_soft_logo,
    file_of,
    opened,
    rgb,
)


def colors_in(lab):
    return {tuple(int(level) for level in color) for color in levels_of(lab).round()}


@pytest.mark.parametrize("draw", [a_logo, a_soft_logo, a_see_through_logo])
def test_a_logo_is_flat_art_and_its_modes_are_its_colours(draw):
    found = analyse(draw())

    assert found.is_flat
    assert colors_in(found.modes) == {rgb(color) for color in LOGO_COLORS}


def test_a_logo_stays_flat_art_as_a_jpeg():
    found = analyse(opened(file_of(a_soft_logo(edge=192), "JPEG", quality=85)))

    assert found.is_flat


@pytest.mark.parametrize("image", [a_photo(), a_ramp("#000000", "#ffffff")], ids=["photo", "ramp"])
def test_what_has_shading_is_not_flat_art(image):
    assert not analyse(image).is_flat


def test_one_colour_is_flat_art():
    found = analyse(Image.new("RGB", (40, 30), "#336699"))

    assert found.is_flat
    assert colors_in(found.modes) == {rgb("#336699")}


def test_what_is_transparent_does_not_count():
    image = a_logo().convert("RGBA")
    image.paste((255, 0, 255, 20), (0, 0, 96, 30))

    assert rgb("#ff00ff") not in colors_in(analyse(image).modes)


def test_a_picture_that_is_faint_all_over_is_still_analysed():
    watermark = a_logo().convert("RGBA")
    watermark.putalpha(50)

    assert analyse(watermark).is_flat


def test_a_picture_of_nothing_has_no_colours():
    found = analyse(Image.new("RGBA", (20, 20), (10, 20, 30, 0)))

    assert len(found.bins) == 0
    assert base_palette(found, 5).shape == (0, 3)


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (9, 1), (2, 3), (5, 4), (1500, 2)])
def test_every_size_can_be_analysed(size):
    found = analyse(Image.new("RGB", size, "#336699"))

    assert colors_in(found.bins) == {rgb("#336699")}
    assert found.bin_shares.sum() == pytest.approx(1)


def test_a_sepia_print_has_one_hue_and_a_landscape_has_not():
    landscape = a_photo()
    tones = np.linspace((20, 12, 5), (250, 235, 205), 256).round().astype(np.uint8)
    sepia = Image.fromarray(tones[np.asarray(landscape.convert("L"))])

    assert analyse(sepia).one_hue > 0.9
    assert analyse(landscape.convert("L").convert("RGB")).one_hue == pytest.approx(1)
    assert analyse(landscape).one_hue < 0.1


@pytest.mark.parametrize("k", range(1, 17))
def test_a_photo_has_as_many_main_colours_as_asked_for(k):
    found = base_palette(analyse(a_photo()), k)

    assert len(found) == k
    assert len(np.unique(found.round(6), axis=0)) == k


def test_a_logo_with_fewer_colours_than_asked_for_gives_all_it_has():
    assert len(base_palette(analyse(a_logo()), 9)) == len(LOGO_COLORS)


def test_a_logo_with_more_colours_than_asked_for_gives_real_ones():
    found = base_palette(analyse(a_logo()), 2)

    assert len(found) == 2
    assert colors_in(found) < {rgb(color) for color in LOGO_COLORS}


def test_an_even_ground_is_taken_as_it_is_and_not_averaged_with_its_neighbours():
    product = Image.new("RGB", (120, 200), "#fefefe")
    product.paste(a_photo(), (0, 100))

    assert rgb("#fefefe") in colors_in(base_palette(analyse(product), 5))
