"""The measures of quality see what they are for, on pictures small enough to reason about."""

import numpy as np

from benchmarks.bars import BARS, summary
from benchmarks.measures import (
    FlatArt,
    adherence,
    area_colors,
    banding,
    coverage,
    distinct_areas,
    edge_error,
    flat_error,
    gradient_correlation,
    halo,
    lost_edges,
    structure,
)
from palette_worker.rendering.difference import cielab_of
from palette_worker.rendering.report import dominant_colors

RED, BLUE, GREEN, GREY = (200, 30, 40), (30, 60, 190), (40, 150, 60), (128, 128, 128)


def lab(*colors):
    return cielab_of(np.array(colors, float))


def a_checkered(dark, light):
    """Squares of 6 pixels, so that every window of 8 has an edge."""
    y, x = np.mgrid[0:48, 0:48] // 6
    return cielab_of(np.where(((x + y) % 2 == 0)[..., None], dark, light).astype(float))


def a_ramp(levels):
    return np.repeat(np.array(levels)[:, None], 3, axis=1).astype(np.uint8)


def two_areas(width=20):
    """One area fades into the other over three pixels in the middle."""
    first = np.clip((width / 2 + 2 - np.arange(width)) / 4, 0, 1)
    cover = np.repeat(np.stack((first, 1 - first), axis=-1)[None], 5, axis=0)
    return FlatArt(cover, np.array((RED, BLUE), float))


def test_dominant_colours_are_those_there_are_with_their_shares():
    pixels = np.array([RED] * 600 + [BLUE] * 300 + [GREEN] * 100, np.uint8)

    centres, shares = dominant_colors(pixels, 3)

    order = np.argsort(-shares)
    np.testing.assert_allclose(centres[order], lab(RED, BLUE, GREEN), atol=1e-9)
    np.testing.assert_allclose(shares[order], (0.6, 0.3, 0.1))


def test_more_clusters_than_colours_are_no_trouble():
    centres, shares = dominant_colors(np.array([RED, BLUE] * 9, np.uint8), 16)

    assert len(centres) == 2
    assert shares.sum() == 1


def test_adherence_counts_a_foreign_colour_by_its_share():
    near, far = adherence(lab(RED), np.ones(1), lab(RED, GREEN)), lab(RED, BLUE)

    half = adherence(far, np.array((0.5, 0.5)), lab(RED, GREEN))
    tenth = adherence(far, np.array((0.9, 0.1)), lab(RED, GREEN))

    assert near < 1e-9
    assert half > 10
    np.testing.assert_allclose(tenth, half / 5)


def test_coverage_misses_a_colour_that_adherence_does_not():
    only_red, palette = lab(RED), lab(RED, GREEN)

    assert adherence(only_red, np.ones(1), palette) < 1e-9
    assert coverage(only_red, palette) > 10


def test_structure_survives_less_contrast_but_not_light_turned_dark():
    before = a_checkered((40, 40, 40), (200, 200, 200))

    fainter = structure(before, a_checkered((90, 90, 90), (150, 150, 150)))
    inverted = structure(before, a_checkered((200, 200, 200), (40, 40, 40)))
    gone = structure(before, a_checkered(GREY, GREY))

    np.testing.assert_allclose((fainter, inverted, gone), (1, -1, 0), atol=1e-6)


def test_gradients_correlate_where_edges_stay_in_proportion():
    before = a_checkered((40, 40, 40), (200, 200, 200))
    moved = np.roll(before, 3, axis=1)

    assert gradient_correlation(before, before * 0.5) > 0.999
    assert gradient_correlation(before, moved) < 0.5


def test_an_edge_is_lost_where_both_sides_become_one_colour():
    before = a_checkered(RED, GREEN)

    assert lost_edges(before, a_checkered(BLUE, GREY)) == 0
    assert lost_edges(before, a_checkered(BLUE, BLUE)) == 1


def test_a_ramp_stretched_evenly_has_no_bands():
    before, after = a_ramp(np.arange(64, 192)), a_ramp(np.arange(0, 256, 2))

    found = banding(before, after)

    assert found.amplification < 1.5
    assert found.kept == 1


def test_a_ramp_cut_into_steps_has_bands():
    before = a_ramp(np.arange(256))

    found = banding(before, before // 64 * 64)

    assert found.amplification > 6
    np.testing.assert_allclose(found.kept, 4 / 256)


def test_flat_art_drawn_in_the_wanted_colours_is_faultless():
    art, wanted = two_areas(), np.array((GREEN, GREY), float)
    after, alpha = art.drawn(wanted)

    assert (alpha == 255).all()
    np.testing.assert_array_equal(area_colors(art, after), wanted)
    assert flat_error(art, after, wanted) == 0
    assert edge_error(art, after, wanted) == 0
    assert halo(art, after, wanted) == 0


def test_one_wrong_pixel_in_an_area_is_a_flat_error():
    art, wanted = two_areas(), np.array((GREEN, GREY), float)
    after, _ = art.drawn(wanted)
    after[2, 1] += np.array((0, 3, 0), np.uint8)

    assert flat_error(art, after, wanted) == 3
    np.testing.assert_array_equal(area_colors(art, after), wanted)


def test_a_hard_edge_is_an_error_but_no_halo():
    art, wanted = two_areas(), np.array((GREEN, GREY), float)
    after, _ = art.drawn(wanted)
    after[:, :10], after[:, 10:] = GREEN, GREY

    assert edge_error(art, after, wanted) > 3
    assert halo(art, after, wanted) == 0


def test_an_edge_in_a_third_colour_is_a_halo():
    art, wanted = two_areas(), np.array((GREEN, GREY), float)
    after, _ = art.drawn(wanted)
    after[art.is_edge] = RED

    assert halo(art, after, wanted) == 1


def test_what_is_hardly_seen_is_hardly_an_edge_error():
    art, wanted = two_areas(), np.array((GREEN, GREY), float)
    faint = FlatArt(art.cover * 0.05, art.colors)
    red = np.full((5, 20, 3), RED, np.uint8)

    assert 0 < edge_error(faint, red, wanted) < edge_error(art, red, wanted) / 5


def test_areas_of_nearly_one_colour_are_not_distinct():
    assert distinct_areas(np.array((RED, GREEN, BLUE), float)) == 1
    assert distinct_areas(np.array((RED, GREEN, (40, 151, 60)), float)) == 1 / 3


def test_the_summary_is_100_when_perfect_and_80_at_every_bar():
    perfect = {name: bar.perfect for name, bar in BARS.items()}
    at_the_bar = {
        name: bar.limit - bar.unit if bar.higher_is_better else bar.limit + bar.unit
        for name, bar in BARS.items()
    }

    np.testing.assert_allclose((summary(perfect), summary(at_the_bar)), (100, 80))
