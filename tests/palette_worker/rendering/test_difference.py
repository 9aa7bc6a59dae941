"""ΔE2000 against the pairs its authors published, and CIELAB against known colours."""

import numpy as np
import pytest

from palette_worker.rendering.difference import ciede2000, cielab_of

# From table 1 of Sharma, Wu and Dalal (2005), by its numbers; among them those that tell wrong
# implementations apart: hues 180 degrees apart (7 to 16) or across zero, and blues (1 to 6).
SHARMA = {
    1: ((50.0, 2.6772, -79.7751), (50.0, 0.0, -82.7485), 2.0425),
    2: ((50.0, 3.1571, -77.2803), (50.0, 0.0, -82.7485), 2.8615),
    3: ((50.0, 2.8361, -74.0200), (50.0, 0.0, -82.7485), 3.4412),
    4: ((50.0, -1.3802, -84.2814), (50.0, 0.0, -82.7485), 1.0000),
    5: ((50.0, -1.1848, -84.8006), (50.0, 0.0, -82.7485), 1.0000),
    6: ((50.0, -0.9009, -85.5211), (50.0, 0.0, -82.7485), 1.0000),
    7: ((50.0, 0.0, 0.0), (50.0, -1.0, 2.0), 2.3669),
    8: ((50.0, -1.0, 2.0), (50.0, 0.0, 0.0), 2.3669),
    9: ((50.0, 2.4900, -0.0010), (50.0, -2.4900, 0.0009), 7.1792),
    10: ((50.0, 2.4900, -0.0010), (50.0, -2.4900, 0.0010), 7.1792),
    11: ((50.0, 2.4900, -0.0010), (50.0, -2.4900, 0.0011), 7.2195),
    12: ((50.0, 2.4900, -0.0010), (50.0, -2.4900, 0.0012), 7.2195),
    13: ((50.0, -0.0010, 2.4900), (50.0, 0.0009, -2.4900), 4.8045),
    14: ((50.0, -0.0010, 2.4900), (50.0, 0.0010, -2.4900), 4.8045),
    15: ((50.0, -0.0010, 2.4900), (50.0, 0.0011, -2.4900), 4.7461),
    16: ((50.0, 2.5000, 0.0), (50.0, 0.0, -2.5000), 4.3065),
    17: ((50.0, 2.5000, 0.0), (73.0, 25.0, -18.0), 27.1492),
    18: ((50.0, 2.5000, 0.0), (61.0, -5.0, 29.0), 22.8977),
    19: ((50.0, 2.5000, 0.0), (56.0, -27.0, -3.0), 31.9030),
    20: ((50.0, 2.5000, 0.0), (58.0, 24.0, 15.0), 19.4535),
    25: ((60.2574, -34.0099, 36.2677), (60.4626, -34.1751, 39.4387), 1.2644),
    26: ((63.0109, -31.0961, -5.8663), (62.8187, -29.7946, -4.0864), 1.2630),
    27: ((61.2901, 3.7196, -5.3901), (61.4292, 2.2480, -4.9620), 1.8731),
    28: ((35.0831, -44.1164, 3.7933), (35.0232, -40.0716, 1.5901), 1.8645),
    31: ((90.9257, -0.5406, -0.9208), (88.6381, -0.8985, -0.7239), 1.5381),
    33: ((6.7747, -0.2908, -2.4247), (5.8714, -0.0985, -2.2286), 0.6377),
    34: ((2.0776, 0.0795, -1.1350), (0.9033, -0.0636, -0.5514), 0.9082),
}
ONE, OTHER, WANTED = (np.array(column) for column in zip(*SHARMA.values(), strict=True))


@pytest.mark.parametrize("pair", SHARMA)
def test_a_published_difference_is_met_to_its_last_digit(pair):
    one, other, wanted = SHARMA[pair]

    found = ciede2000(np.array(one), np.array(other))

    assert abs(found - wanted) < 0.00006


def test_the_order_of_two_colours_makes_no_difference():
    np.testing.assert_allclose(ciede2000(OTHER, ONE), ciede2000(ONE, OTHER), atol=1e-12)


def test_a_colour_does_not_differ_from_itself():
    assert ciede2000(ONE, ONE).max() == 0


def test_every_colour_is_compared_with_every_other_by_broadcasting():
    found = ciede2000(ONE[:, None], OTHER[None, :5])

    assert found.shape == (len(ONE), 5)
    np.testing.assert_allclose(found.diagonal(), WANTED[:5], atol=1e-4)


@pytest.mark.parametrize(
    ("levels", "lab"),
    [
        ((0, 0, 0), (0, 0, 0)),
        ((255, 255, 255), (100, 0, 0)),
        ((255, 0, 0), (53.24, 80.09, 67.20)),
        ((0, 255, 0), (87.73, -86.18, 83.18)),
        ((0, 0, 255), (32.30, 79.19, -107.86)),
        ((2, 2, 2), (0.55, 0, 0)),
        ((28, 28, 28), (10.27, 0, 0)),
    ],
)
def test_known_colours_have_their_cielab(levels, lab):
    np.testing.assert_allclose(cielab_of(np.array(levels, float)), lab, atol=0.02)


def test_greys_have_no_colour():
    greys = np.repeat(np.arange(256.0)[:, None], 3, axis=1)

    assert np.abs(cielab_of(greys)[:, 1:]).max() < 1e-9
