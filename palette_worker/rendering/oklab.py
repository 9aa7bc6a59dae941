"""sRGB and OKLab, and the way back into gamut.

*Levels* are sRGB values on the scale of 8 bits, 0 to 255, as floats so that nothing is rounded on
the way. *Lab* is OKLab: L from 0 (black) to 1 (white), a and b within about ±0.32 for what sRGB
can show. Arrays have any shape that ends in 3.

OKLab: Björn Ottosson, "A perceptual color space for image processing", 2020, with the matrices of
the 2021 correction, https://bottosson.github.io/posts/oklab/. Transfer curve: IEC 61966-2-1.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_LMS_OF_LINEAR = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
_LAB_OF_LMS = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)
# inverted here, not copied: the published inverses are rounded, and identity should be exact
_LINEAR_OF_LMS = np.linalg.inv(_LMS_OF_LINEAR)
_LMS_OF_LAB = np.linalg.inv(_LAB_OF_LMS)

_IN_GAMUT = 1e-6  # of linear light: far below a level, above what the two conversions round
_BISECTIONS = 12  # leaves 1/4096 of the chroma, below a tenth of a level


def lab_of(levels: Floats) -> Floats:
    """Return the OKLab colours of sRGB levels (0 to 255)."""
    lab: Floats = np.cbrt(linear_of_levels(levels) @ _LMS_OF_LINEAR.T) @ _LAB_OF_LMS.T
    return lab


def linear_of_levels(levels: Floats) -> Floats:
    """Return linear light (0 to 1) of sRGB levels (0 to 255)."""
    value = levels / 255.0
    linear: Floats = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
    return linear


def levels_of(lab: Floats) -> Floats:
    """Return the sRGB levels of OKLab colours, clipped to 0 to 255 channel by channel.

    Clipping moves hue and lightness: give what may be out of gamut to `in_gamut` first.
    """
    linear = np.clip(_linear_of(lab), 0.0, 1.0)
    value = np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)
    levels: Floats = value * 255.0
    return levels


def levels_of_hex(colors: tuple[str, ...]) -> Floats:
    """Return the levels, shape (n, 3), of colours written `#rrggbb`."""
    return np.array([list(bytes.fromhex(color[1:])) for color in colors], dtype=np.float64)


def in_gamut(lab: Floats) -> Floats:
    """Return the colours, shape (n, 3), with chroma reduced until sRGB can show them.

    Lightness (clamped to 0..1) and hue stay, for these are what carries a picture's structure.
    """
    inside = lab.copy()
    inside[:, 0] = np.clip(lab[:, 0], 0.0, 1.0)
    outside = np.flatnonzero(~_is_shown(inside))
    if not outside.size:
        return inside
    colors = inside[outside]
    kept, lost = np.zeros(len(colors)), np.ones(len(colors))
    for _ in range(_BISECTIONS):
        middle = (kept + lost) / 2
        shown = _is_shown(_with_chroma(colors, middle))
        kept = np.where(shown, middle, kept)
        lost = np.where(shown, lost, middle)
    inside[outside] = _with_chroma(colors, kept)
    return inside


def _linear_of(lab: Floats) -> Floats:
    lms = lab @ _LMS_OF_LAB.T
    linear: Floats = (lms * lms * lms) @ _LINEAR_OF_LMS.T
    return linear


def _is_shown(lab: Floats) -> NDArray[np.bool_]:
    linear = _linear_of(lab)
    shown: NDArray[np.bool_] = np.all((linear >= -_IN_GAMUT) & (linear <= 1 + _IN_GAMUT), axis=-1)
    return shown


def _with_chroma(lab: Floats, share: Floats) -> Floats:
    return np.column_stack((lab[:, 0], lab[:, 1] * share, lab[:, 2] * share))
