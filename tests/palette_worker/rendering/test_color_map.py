"""What happens to every colour between the main ones."""

from __future__ import annotations

import numpy as np
import pytest

from palette_worker.rendering.color_map import mapped
from palette_worker.rendering.oklab import lab_of, levels_of_hex

BASE = lab_of(levels_of_hex(("#101820", "#7a2f20", "#3f7d5a", "#d9b98a", "#f8f8f8")))
TARGETS = lab_of(levels_of_hex(("#0b1d2a", "#14506b", "#2a9d8f", "#e9c46a", "#fdf6e3")))
MODES = pytest.mark.parametrize(
    ("is_flat", "preserve_luminance"), [(True, True), (True, False), (False, True), (False, False)]
)


WITH_BLACK_AND_WHITE = np.concatenate((BASE, [[0.0, 0.0, 0.0], [1.0, 0.0, 0.0]]))


def some_colors(count=500):
    return lab_of(np.random.default_rng(3).uniform(0, 255, (count, 3)))


@MODES
def test_main_colours_become_their_targets(is_flat, preserve_luminance):
    found = mapped(BASE, BASE, TARGETS, is_flat=is_flat, preserve_luminance=preserve_luminance)

    assert found == pytest.approx(TARGETS, abs=1e-5)


@MODES
@pytest.mark.parametrize("base", [BASE, WITH_BLACK_AND_WHITE, WITH_BLACK_AND_WHITE[-1:]])
def test_the_own_palette_changes_no_colour(base, is_flat, preserve_luminance):
    colors = some_colors()

    found = mapped(colors, base, base, is_flat=is_flat, preserve_luminance=preserve_luminance)

    assert found == pytest.approx(colors, abs=1e-9)


def test_greys_become_a_gradient_of_the_palette_that_only_gets_lighter():
    greys = lab_of(np.arange(256.0)[:, None].repeat(3, axis=1))
    base = greys[[20, 70, 120, 180, 240]]

    found = mapped(greys, base, TARGETS, is_flat=False, preserve_luminance=True)

    assert (np.diff(found[:, 0]) > -1e-3).all()
    assert np.hypot(found[120, 1], found[120, 2]) > 0.05


def test_neighbouring_colours_stay_neighbours():
    line = np.linspace(BASE[1], BASE[3], 400)

    found = mapped(line, BASE, TARGETS, is_flat=False, preserve_luminance=True)

    steps = np.linalg.norm(np.diff(found, axis=0), axis=1)
    assert steps.max() < 0.02


def test_shading_around_a_main_colour_keeps_its_direction():
    step = np.array((0.02, 0, 0))
    darker, lighter = BASE - step, BASE + step

    for preserve_luminance in (True, False):
        below, above = (
            mapped(lab, BASE, TARGETS, is_flat=False, preserve_luminance=preserve_luminance)
            for lab in (darker, lighter)
        )
        assert (below[:, 0] < above[:, 0]).all()


@pytest.mark.parametrize("is_flat", [True, False])
def test_slopes_follow_the_palette_only_where_luminance_is_preserved(is_flat):
    base = lab_of(levels_of_hex(("#202020", "#808080", "#e0e0e0")))
    narrow = lab_of(levels_of_hex(("#606060", "#808080", "#a0a0a0")))
    step = np.array((0.001, 0, 0))

    def slope(preserve_luminance):
        dark, light = (
            mapped(lab, base, narrow, is_flat=is_flat, preserve_luminance=preserve_luminance)
            for lab in (base[1:2] - step, base[1:2] + step)
        )
        return (light - dark)[0, 0] / 0.002

    assert 0.2 < slope(preserve_luminance=True) < 0.5
    assert slope(preserve_luminance=False) == pytest.approx(1, abs=0.01)


def test_a_palette_of_one_lightness_keeps_the_modelling_of_a_photo():
    pastels = lab_of(levels_of_hex(("#e6dcff", "#ffd6e0", "#cfe8ff", "#d8f3dc", "#ffefcf")))
    shades = np.linspace((0.1, 0, 0), (0.95, 0, 0), 200)
    base = shades[[20, 60, 100, 140, 180]]

    found = mapped(shades, base, pastels, is_flat=False, preserve_luminance=True)

    assert np.diff(found[:, 0]).min() > 0
    assert np.ptp(found[:, 0]) > 0.15


def test_in_a_picture_of_one_hue_the_change_of_hue_goes_evenly_from_colour_to_colour():
    shades = lab_of(np.linspace((30, 20, 10), (245, 230, 200), 300))
    base = shades[[30, 90, 150, 210, 270]]
    unlike = lab_of(levels_of_hex(("#3a0ca3", "#e63946", "#2a9d8f", "#ffb703", "#f8f9fa")))

    in_bands, evenly = (
        mapped(shades, base, unlike, is_flat=False, preserve_luminance=True, one_hue=one_hue)
        for one_hue in (0.0, 1.0)
    )

    def steepest(image):
        return np.linalg.norm(np.diff(image[:, 1:], axis=0), axis=1).max()

    assert steepest(evenly) < 0.75 * steepest(in_bands)
    assert evenly[[30, 90, 150, 210, 270], 1:] == pytest.approx(unlike[:, 1:], abs=1e-6)


@pytest.mark.parametrize("one_hue", [0.0, 0.5, 1.0])
def test_a_one_hue_pictures_own_palette_changes_no_colour(one_hue):
    colors = some_colors()

    found = mapped(colors, BASE, BASE, is_flat=False, preserve_luminance=True, one_hue=one_hue)

    assert found == pytest.approx(colors, abs=1e-9)


def test_colours_near_a_grey_fade_when_the_others_move_away():
    white_and_teal = lab_of(levels_of_hex(("#ffffff", "#137361")))
    white_and_orange = lab_of(levels_of_hex(("#ffffff", "#c8674a")))
    highlight = lab_of(levels_of_hex(("#c8fff0",)))

    found = mapped(
        highlight, white_and_teal, white_and_orange, is_flat=False, preserve_luminance=True
    )

    assert np.hypot(found[0, 1], found[0, 2]) < 0.5 * np.hypot(highlight[0, 1], highlight[0, 2])


def test_a_single_main_colour_is_enough():
    found = mapped(some_colors(), BASE[:1], TARGETS[:1], is_flat=False, preserve_luminance=True)

    assert np.isfinite(found).all()


def test_grey_beside_a_colour_that_fades_never_passes_to_the_complement():
    red, nearly_grey, grey = np.array([[[0.5, 0.15, 0]], [[0.5, 0.003, 0]], [[0.5, 0, 0]]])

    found = mapped(grey, red, nearly_grey, is_flat=False, preserve_luminance=True)

    assert 0 <= found[0, 1] <= 0.003


def test_a_hue_far_off_a_main_colour_that_moves_becomes_a_tint_of_it():
    red, green, purple = np.array([[[0.5, 0.1, 0]], [[0.5, -0.1, 0]], [[0.5, 0.1, -0.3]]])

    found = mapped(purple, red, green, is_flat=False, preserve_luminance=True)

    assert np.linalg.norm((found - green)[0, 1:]) < 0.03
