"""What happens to lightness."""

from __future__ import annotations

import numpy as np
import pytest

from palette_worker.rendering.tone import tone_curve

EVERY = np.linspace(0, 1, 500)
DARK_TO_LIGHT = np.array([0.15, 0.4, 0.6, 0.9])


def curve(of, to, **limits):
    return tone_curve(EVERY, np.array(of), np.array(to), **limits)


@pytest.mark.parametrize(
    "of", [[0.5], [0.0, 1.0], [0.2, 0.21, 0.7], [1.0], [0.9, 0.1, 0.5], [0.3, 0.3]]
)
def test_lightnesses_that_stay_change_nothing(of):
    assert curve(of, of, slopes=(0.2, 3)) == pytest.approx(EVERY, abs=1e-9)


def test_what_rises_together_is_met_exactly():
    targets = np.array([0.2, 0.3, 0.7, 0.95])

    found = tone_curve(DARK_TO_LIGHT, DARK_TO_LIGHT, targets, slopes=(0.2, 3))

    assert found == pytest.approx(targets, abs=1e-9)


@pytest.mark.parametrize("seed", range(20))
def test_it_never_falls_whatever_is_asked_of_it(seed):
    chance = np.random.default_rng(seed)
    count = chance.integers(1, 17)

    found = curve(chance.uniform(0, 1, count), chance.uniform(0, 1, count), slopes=(0.2, 3))

    assert (np.diff(found) >= -1e-12).all()
    assert found.min() >= 0
    assert found.max() <= 1


def test_targets_in_the_wrong_order_meet_in_the_middle():
    found = tone_curve(np.array([0.4, 0.6]), np.array([0.4, 0.6]), np.array([0.7, 0.5]))

    assert found[0] == pytest.approx(found[1])
    assert 0.5 < found[0] < 0.7


def test_a_least_slope_keeps_shading_in_a_palette_of_one_lightness():
    pastels = [0.85, 0.86, 0.85, 0.87]

    flat, modelled = (curve(DARK_TO_LIGHT, pastels, slopes=(slope, 3)) for slope in (0.0, 0.2))

    shaded = (EVERY > 0.2) & (EVERY < 0.8)
    assert np.ptp(flat[shaded]) < 0.03
    assert np.ptp(modelled[shaded]) > 0.1


def test_colours_of_nearly_one_lightness_make_no_jump():
    shared, limited = (
        curve([0.5, 0.51], [0.2, 0.8], **limits)
        for limits in ({"together": 0.05}, {"slopes": (0.2, 3)})
    )

    assert np.diff(shared).max() < 0.01
    assert np.diff(limited).max() < 0.01
    assert np.diff(curve([0.5, 0.51], [0.2, 0.8])).max() > 0.05


def test_beyond_the_darkest_and_the_lightest_colour_there_is_still_black_and_white():
    found = curve([0.3, 0.7], [0.3, 0.7])

    assert found[[0, -1]] == pytest.approx([0, 1], abs=1e-9)
