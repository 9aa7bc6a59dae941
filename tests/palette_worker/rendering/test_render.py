"""A picture in a palette: what one sees."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from colorway.job import OutputOptions, RenderOptions
from colorway.palette import CATALOGUE
from palette_worker.rendering import decode, render
from palette_worker.rendering.lut import Recoloring, color_lut
from palette_worker.rendering.oklab import lab_of, levels_of
from palette_worker.rendering.rendition import lut_for, matching
from tests.palette_worker.rendering.drawn_pictures import (
    FULLY,
    HARBOUR,
    LOGO_COLORS,
    a_logo,
    a_palette,
    a_photo,
    a_ramp,
    a_see_through_logo,
    a_soft_logo,
    file_of,
    pixels,
    recolored_pixels,
    rendered,
    rgb,
    source_of,
)

PALETTES = pytest.mark.parametrize("palette", CATALOGUE, ids=lambda palette: palette.name)


def lightness(levels):
    return lab_of(levels[..., :3].astype(float))[..., 0]


def delta(one, other):
    """Mean distance in OKLab; 0.02 is just noticeable."""
    return np.linalg.norm(lab_of(one.astype(float)) - lab_of(other.astype(float)), axis=-1).mean()


def own_palette(image, k):
    found = levels_of(source_of(image).base_palette(k)).round().astype(np.uint8)
    return a_palette(*("#" + color.tobytes().hex() for color in found))


@PALETTES
@pytest.mark.parametrize("preserve_luminance", [True, False])
def test_flat_art_has_the_palettes_colours_and_no_others(palette, preserve_luminance):
    options = RenderOptions(preserve_luminance=preserve_luminance)

    found = recolored_pixels(a_logo(), palette, options)

    seen = {tuple(color) for color in found.reshape(-1, 3).tolist()}
    assert len(seen) == len(LOGO_COLORS)
    assert seen <= {rgb(color) for color in palette.colors}


@PALETTES
def test_every_area_of_antialiased_art_is_hit_exactly(palette):
    drawn = pixels(a_soft_logo(edge=128))

    found = recolored_pixels(a_soft_logo(edge=128), palette)

    for color in LOGO_COLORS:
        area = found[(drawn == rgb(color)).all(axis=-1)]
        assert (area == area[0]).all()
        assert tuple(area[0]) in {rgb(target) for target in palette.colors}


def test_areas_stay_distinct_when_the_palette_has_fewer_colours():
    found = recolored_pixels(a_logo(), a_palette("#101030", "#f0e0d0"))

    seen = {tuple(color) for color in found.reshape(-1, 3).tolist()}
    assert len(seen) == len(LOGO_COLORS)
    assert {rgb("#101030"), rgb("#f0e0d0")} <= seen


def test_a_palette_of_one_colour_written_twice_is_that_colour():
    found = recolored_pixels(Image.new("RGB", (30, 30), "#123456"), a_palette("#abc", "#aabbcc"))

    assert (found == rgb("#aabbcc")).all()


@PALETTES
def test_all_of_the_palette_is_seen_in_a_photo(palette):
    found = recolored_pixels(a_photo(), palette).reshape(-1, 3)

    for color in palette.colors:
        distance = np.linalg.norm(
            lab_of(found.astype(float)) - lab_of(np.array(rgb(color))), axis=-1
        )
        assert distance.min() < 0.03


@PALETTES
def test_light_stays_light_and_dark_stays_dark(palette):
    photo = a_photo()

    found = recolored_pixels(photo, palette)

    before, after = lightness(pixels(photo)), lightness(found)
    assert np.corrcoef(before.ravel(), after.ravel())[0, 1] > 0.85


def test_without_luminance_light_and_dark_may_change_places():
    drawn = a_logo(("#f08080", "#f08080", "#f08080", "#1530a0"))  # light red on dark blue
    palette = a_palette("#a01818", "#6f90ff")  # a dark red, a light blue

    kept = recolored_pixels(drawn, palette)
    free = recolored_pixels(drawn, palette, RenderOptions(preserve_luminance=False))

    assert tuple(kept[0, 0]) == rgb("#a01818")
    assert tuple(free[0, 0]) == rgb("#6f90ff")


@pytest.mark.parametrize("k", [2, 3, 5, 9, 16])
@pytest.mark.parametrize("preserve_luminance", [True, False])
def test_a_photos_own_palette_gives_the_photo_back(k, preserve_luminance):
    photo = a_photo()
    options = RenderOptions(preserve_luminance=preserve_luminance)

    found = recolored_pixels(photo, own_palette(photo, k), options)

    assert delta(found, pixels(photo)) < 0.004


@pytest.mark.parametrize("draw", [a_logo, a_soft_logo])
def test_a_logos_own_palette_gives_the_logo_back(draw):
    found = recolored_pixels(draw(), a_palette(*reversed(LOGO_COLORS)))

    assert np.abs(found - pixels(draw())).max() <= 1


@pytest.mark.parametrize("draw", [a_logo, a_photo, a_see_through_logo])
def test_strength_0_gives_the_picture_back_bit_for_bit(draw):
    found = recolored_pixels(draw(), HARBOUR, RenderOptions(strength=0))

    assert np.array_equal(found, pixels(draw()))


def test_more_strength_goes_further():
    photo = a_photo()

    moved = [
        delta(recolored_pixels(photo, HARBOUR, RenderOptions(strength=strength)), pixels(photo))
        for strength in (0.0, 0.25, 0.5, 0.75, 1.0)
    ]

    assert moved == sorted(moved)
    assert moved[2] == pytest.approx(moved[4] / 2, rel=0.1)


@PALETTES
def test_alpha_is_untouched(palette):
    drawn = a_see_through_logo()

    found = recolored_pixels(drawn, palette)

    assert np.array_equal(found[..., 3], pixels(drawn)[..., 3])
    assert not np.array_equal(found[..., :3], pixels(drawn)[..., :3])


def test_a_picture_of_nothing_stays_as_it_is():
    nothing = Image.new("RGBA", (20, 20), (10, 20, 30, 0))

    assert np.array_equal(recolored_pixels(nothing, HARBOUR), pixels(nothing))


@PALETTES
@pytest.mark.parametrize("ramp", [("#000000", "#ffffff"), ("#14287a", "#fab450")])
def test_ramps_stay_smooth(palette, ramp):
    drawn = pixels(a_ramp(*ramp))[0]

    found = recolored_pixels(a_ramp(*ramp), palette)[0]

    assert np.abs(np.diff(found, axis=0)).max() <= 12
    colors_before, colors_after = (len(np.unique(row, axis=0)) for row in (drawn, found))
    assert colors_after >= 0.78 * colors_before


def test_a_grey_photo_becomes_a_gradient_of_the_palette():
    grey = a_photo().convert("L")

    found = recolored_pixels(grey, HARBOUR)

    lab = lab_of(found.reshape(-1, 3).astype(float))
    assert np.hypot(lab[:, 1], lab[:, 2]).mean() > 0.03
    assert np.corrcoef(pixels(grey).ravel(), lab[:, 0])[0, 1] > 0.95


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (40, 1), (2, 2), (7, 3)])
@pytest.mark.parametrize("format", ["png", "webp", "jpeg", "auto"])
def test_the_smallest_pictures_can_be_rendered(size, format):
    found = rendered(a_photo(*size), HARBOUR, output=OutputOptions(format=format))

    assert (found.width, found.height) == size


@pytest.mark.parametrize("count", range(2, 17))
def test_palettes_of_every_size_can_be_rendered(count):
    random = np.random.default_rng(count)
    palette = a_palette(*("#" + random.bytes(3).hex() for _ in range(count)))

    for image in (a_photo(), a_logo(), a_ramp("#000000", "#ffffff"), a_see_through_logo()):
        assert rendered(image, palette).body


def test_threads_that_share_a_source_render_what_one_alone_does():
    def every_order(source):
        return [
            (source, palette, RenderOptions(strength=strength), OutputOptions(format=format))
            for palette in CATALOGUE
            for strength in (0, 1)
            for format in ("png", "jpeg")
        ]

    def files(order):
        found = render(*order)
        return found.body, found.thumbnail

    body = file_of(a_photo())
    alone = [files(order) for order in every_order(decode(body))]

    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(files, every_order(decode(body))))

    assert together == alone


def test_two_processes_make_the_same_bytes():
    here = Path(__file__)
    script = "import test_render; print(test_render.fingerprint_of_renditions())"
    path = os.pathsep.join([str(here.parent), *sys.path])

    answers = {
        subprocess.run(  # noqa: S603 - our own interpreter and script
            [sys.executable, "-c", script],
            env={**os.environ, "PYTHONPATH": path, "PYTHONHASHSEED": seed},
            check=True,
            capture_output=True,
            text=True,
        ).stdout.strip()
        for seed in ("1", "2")
    }

    assert answers == {fingerprint_of_renditions()}


def fingerprint_of_renditions():
    digest = hashlib.sha256()
    for image in (a_photo(), a_soft_logo(), a_see_through_logo()):
        for format in ("png", "webp", "jpeg"):
            found = rendered(image, HARBOUR, output=OutputOptions(format=format))
            digest.update(found.body + found.thumbnail)
    return digest.hexdigest()


def test_a_rendition_says_how_long_it_took():
    found = rendered(a_photo(), HARBOUR)

    assert found.render_seconds > 0
    assert found.encode_seconds > 0


def test_what_the_analysis_says_of_one_hue_reaches_the_table():
    source = source_of(a_ramp("#140c05", "#faebcd"))
    base, targets = matching(source, HARBOUR, FULLY)

    found = lut_for(source, HARBOUR, FULLY)

    def table(one_hue):
        recoloring = Recoloring(
            base, targets, strength=1, is_flat=False, preserve_luminance=True, one_hue=one_hue
        )
        return color_lut(recoloring, base).table

    assert source.analysis.one_hue > 0.9
    assert np.array_equal(found.table, table(source.analysis.one_hue))
    assert not np.array_equal(found.table, table(0.0))
