"""How different two colours look: CIELAB and CIEDE2000, for reports and measurements.

The recolouring itself works in OKLab. This is the yardstick of the trade beside it: a difference
of 1 is just noticeable, one of 2 to 3 passes in print, beyond 5 one sees another colour.

CIELAB: CIE 15:2004, with D65 as white. CIEDE2000: G. Sharma, W. Wu, E. N. Dalal, "The CIEDE2000
color-difference formula: implementation notes, supplementary test data, and mathematical
observations", Color Research & Application 30 (1), 2005; the numbers of its equations stand beside
the code.
"""

from __future__ import annotations

import numpy as np

from palette_worker.rendering.oklab import Floats, linear_of_levels

# IEC 61966-2-1, scaled so that white is (1, 1, 1)
_XYZ_OF_LINEAR = np.array(
    [
        [0.4124564, 0.3575761, 0.1804375],
        [0.2126729, 0.7151522, 0.0721750],
        [0.0193339, 0.1191920, 0.9503041],
    ]
)
_XYZ_OF_LINEAR /= _XYZ_OF_LINEAR.sum(axis=1, keepdims=True)

_KNEE = (6 / 29) ** 3  # below it the cube root is replaced by its tangent
_25_TO_THE_7TH = 25.0**7


def cielab_of(levels: Floats) -> Floats:
    """Return the CIELAB colours (L* 0 to 100) of sRGB levels (0 to 255), shape (..., 3)."""
    xyz = linear_of_levels(levels) @ _XYZ_OF_LINEAR.T
    f = np.where(xyz > _KNEE, np.cbrt(xyz), xyz * (29 / 6) ** 2 / 3 + 4 / 29)
    x, y, z = f[..., 0], f[..., 1], f[..., 2]
    return np.stack((116 * y - 16, 500 * (x - y), 200 * (y - z)), axis=-1)


def ciede2000(one: Floats, other: Floats) -> Floats:
    """Return ΔE2000 of CIELAB colours, which are broadcast against each other: shape (...)."""
    lightness_1, lightness_2 = one[..., 0], other[..., 0]
    chroma_1, chroma_2 = np.hypot(one[..., 1], one[..., 2]), np.hypot(other[..., 1], other[..., 2])

    stretch = 1 + 0.5 * (1 - _saturating((chroma_1 + chroma_2) / 2))  # (4), (5)
    a_1, a_2 = one[..., 1] * stretch, other[..., 1] * stretch
    chroma_1, chroma_2 = np.hypot(a_1, one[..., 2]), np.hypot(a_2, other[..., 2])  # (6)
    hue_1, hue_2 = _hue(a_1, one[..., 2]), _hue(a_2, other[..., 2])  # (7)

    no_hue = chroma_1 * chroma_2 == 0
    turn = hue_2 - hue_1
    turn = np.where(turn > 180, turn - 360, np.where(turn < -180, turn + 360, turn))
    turn = np.where(no_hue, 0, turn)  # (10)
    hue_difference = 2 * np.sqrt(chroma_1 * chroma_2) * np.sin(np.radians(turn / 2))  # (11)

    lightness = (lightness_1 + lightness_2) / 2
    chroma = (chroma_1 + chroma_2) / 2
    hue = hue_1 + hue_2
    across_zero = np.abs(hue_1 - hue_2) > 180
    hue = np.where(across_zero, np.where(hue < 360, hue + 360, hue - 360), hue)
    hue = np.where(no_hue, hue_1 + hue_2, hue / 2)  # (14)

    t = (  # (15)
        1
        - 0.17 * np.cos(np.radians(hue - 30))
        + 0.24 * np.cos(np.radians(2 * hue))
        + 0.32 * np.cos(np.radians(3 * hue + 6))
        - 0.20 * np.cos(np.radians(4 * hue - 63))
    )
    off_middle = (lightness - 50) ** 2
    by_lightness = (lightness_2 - lightness_1) / (
        1 + 0.015 * off_middle / np.sqrt(20 + off_middle)  # (18)
    )
    by_chroma = (chroma_2 - chroma_1) / (1 + 0.045 * chroma)  # (19)
    by_hue = hue_difference / (1 + 0.015 * chroma * t)  # (20)
    rotation = (  # (16), (17), (21)
        -2 * _saturating(chroma) * np.sin(np.radians(60 * np.exp(-(((hue - 275) / 25) ** 2))))
    )
    difference: Floats = np.sqrt(  # (22); rounding may leave less than nothing
        np.maximum(0, by_lightness**2 + by_chroma**2 + by_hue**2 + rotation * by_chroma * by_hue)
    )
    return difference


def _saturating(chroma: Floats) -> Floats:
    seventh = chroma**7
    share: Floats = np.sqrt(seventh / (seventh + _25_TO_THE_7TH))
    return share


def _hue(a: Floats, b: Floats) -> Floats:
    degrees: Floats = np.degrees(np.arctan2(b, a)) % 360
    return degrees
