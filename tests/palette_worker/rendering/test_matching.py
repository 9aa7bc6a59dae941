"""Which main colour becomes which colour of the palette."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest

from palette_worker.rendering.match import assignment, matched
from palette_worker.rendering.oklab import lab_of, levels_of_hex


def lab(*colors):
    return lab_of(levels_of_hex(colors))


@pytest.mark.parametrize("seed", range(20))
def test_the_assignment_is_as_cheap_as_the_best_of_all(seed):
    random = np.random.default_rng(seed)
    rows = int(random.integers(1, 6))
    cost = random.random((rows, int(random.integers(rows, 7))))

    found = assignment(cost.tolist())

    assert len(set(found)) == rows
    every = permutations(range(cost.shape[1]), rows)
    best = min(sum(cost[row, column] for row, column in enumerate(way)) for way in every)
    assert sum(cost[row, column] for row, column in enumerate(found)) == pytest.approx(best)


def test_ties_are_settled_the_same_way_every_time():
    assert assignment([[1.0] * 16] * 16) == assignment([[1.0] * 16] * 16)


def test_light_stays_light_and_dark_stays_dark():
    base = lab("#c0392b", "#101010", "#f0f0f0", "#777777")
    palette = lab("#fdf6e3", "#2a9d8f", "#0b1d2a", "#14506b")

    found = matched(base, palette, preserve_luminance=True)

    assert np.array_equal(np.argsort(base[:, 0]), np.argsort(found[:, 0]))


def test_a_palette_matches_itself_in_any_order():
    colors = lab("#1f3a93", "#e74c3c", "#f1c40f", "#ffffff", "#2c3e50")

    for preserve_luminance in (True, False):
        found = matched(colors, colors[::-1], preserve_luminance=preserve_luminance)
        assert np.array_equal(found, colors)


def test_among_colours_of_like_lightness_hue_decides():
    base = lab("#c05a5a", "#3f8f3f")
    palette = lab("#4f974f", "#b85050")

    assert np.array_equal(matched(base, palette, preserve_luminance=True), palette[[1, 0]])


def test_of_too_many_colours_the_nearest_in_lightness_are_used():
    base = lab("#000000", "#ffffff")
    palette = lab("#808080", "#0a0a0a", "#f5f5f5", "#a0a0a0")

    found = matched(base, palette, preserve_luminance=True)

    assert np.array_equal(found, palette[[1, 2]])


def test_without_luminance_hue_leads():
    base = lab("#f08080", "#1530a0")  # a light red, a dark blue
    palette = lab("#a01818", "#6f90ff")  # a dark red, a light blue

    assert np.array_equal(matched(base, palette, preserve_luminance=True), palette[[1, 0]])
    assert np.array_equal(matched(base, palette, preserve_luminance=False), palette)
