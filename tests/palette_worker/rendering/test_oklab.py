"""sRGB to OKLab and back, and into gamut."""

from __future__ import annotations

import numpy as np
import pytest

from palette_worker.rendering.oklab import in_gamut, lab_of, levels_of, levels_of_hex


def test_the_way_to_oklab_and_back_loses_nothing():
    steps = np.linspace(0, 255, 9)
    levels = np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(-1, 3)

    back = levels_of(lab_of(levels))

    assert np.abs(back - levels).max() < 1e-6


@pytest.mark.parametrize(
    ("color", "lab"),
    [  # from https://www.w3.org/TR/css-color-4/, sample values
        ("#ffffff", (1.0, 0.0, 0.0)),
        ("#ff0000", (0.62796, 0.22486, 0.12585)),
        ("#0000ff", (0.45201, -0.03246, -0.31153)),
        ("#000000", (0.0, 0.0, 0.0)),
    ],
)
def test_known_colours_have_their_published_values(color, lab):
    found = lab_of(levels_of_hex((color,)))[0]

    assert found == pytest.approx(lab, abs=2e-4)


def test_a_colour_out_of_gamut_keeps_lightness_and_hue():
    too_vivid = np.array([[0.6, 0.35, 0.20], [0.8, -0.1, -0.3]])

    shown = in_gamut(too_vivid)

    assert shown[:, 0] == pytest.approx(too_vivid[:, 0])
    hues = [np.arctan2(lab[:, 2], lab[:, 1]) for lab in (shown, too_vivid)]
    assert hues[0] == pytest.approx(hues[1])
    assert lab_of(levels_of(shown)) == pytest.approx(shown, abs=1e-4)


def test_lightness_beyond_white_and_black_is_clamped():
    beyond = np.array([[1.4, 0.1, 0.0], [-0.2, 0.1, 0.0]])

    assert in_gamut(beyond)[:, 0].tolist() == [1, 0]
    assert levels_of(in_gamut(beyond)) == pytest.approx(np.array([[255.0] * 3, [0.0] * 3]), abs=0.1)


def test_a_colour_in_gamut_is_left_alone():
    levels = np.array([[255.0, 0.0, 0.0], [12.0, 200.0, 77.0], [255.0, 255.0, 255.0]])

    assert in_gamut(lab_of(levels)) == pytest.approx(lab_of(levels), abs=1e-12)
