"""What happens to lightness: one rising curve for the whole picture.

Were every main colour simply moved to its target's lightness, and the rest in between, shading
would go up and down on its way across several main colours, and a face would show contour lines.
So the targets' lightnesses are first made to rise with those of the main colours, within a least
and a greatest slope: flatter, a palette of pastels leaves no face, and steeper, noise is contrast.
Then a monotone cubic is laid through them.

The curve is drawn over L_r, OKLab's lightness with a toe like that of CIELAB's. In L itself
the darkest twelve levels of sRGB fill a fifth of the scale: noise in shadows would be stretched.
L_r: B. Ottosson, "Okhsv and Okhsl", 2021, https://bottosson.github.io/posts/colorpicker/.
"""

from __future__ import annotations

import math

import numpy as np

from palette_worker.rendering.oklab import Floats

_K1, _K2 = 0.206, 0.03  # Ottosson's fit of the toe
_K3 = (1 + _K1) / (1 + _K2)

_SAME = 0.003  # of L_r: less than one level
_STEEPEST_END = 1.0  # beyond the lightest and the darkest colour, where nothing asks for more


def tone_curve(
    lightness: Floats,
    of: Floats,
    to: Floats,
    *,
    slopes: tuple[float, float] = (0.0, math.inf),
    together: float = 0.0,
) -> Floats:
    """Return what the lightnesses (OKLab L) become, where those `of` become those `to`, shape (k,).

    Exactly so where they rise together within the slopes (of L_r, least and greatest), else as
    nearly as these allow, by least squares. What is nearer than `together` (of L_r) shares one
    knot. Lightnesses that stay give the identity.
    """
    x, y, weights = _knots(_toe(of), _toe(to), together)
    y = _within(slopes, x, y, weights)
    if x[0] > 0:
        dark = max(0.0, y[0] - _STEEPEST_END * x[0])
        x, y = np.append(0.0, x), np.append(dark, y)
    if x[-1] < 1:
        light = min(1.0, y[-1] + _STEEPEST_END * (1 - x[-1]))
        x, y = np.append(x, 1.0), np.append(y, max(light, y[-1]))
    return _without_toe(_monotone_cubic(np.clip(_toe(lightness), x[0], x[-1]), x, y))


def _toe(lightness: Floats) -> Floats:
    """Return L_r of OKLab's L, 0 to 1 both."""
    bent = _K3 * np.maximum(lightness, 0.0) - _K1
    toed: Floats = (bent + np.sqrt(bent**2 + 4 * _K2 * (bent + _K1))) / 2
    return toed


def _without_toe(toed: Floats) -> Floats:
    lightness: Floats = toed * (toed + _K1) / (_K3 * (toed + _K2))
    return lightness


def _knots(of: Floats, to: Floats, together: float) -> tuple[Floats, Floats, Floats]:
    """Return places, values and how many colours share each, darkest first."""
    groups: list[list[int]] = []
    for index in np.argsort(of, kind="stable"):
        if groups and of[index] - of[groups[-1]].mean() < max(together, _SAME):
            groups[-1].append(index)
        else:
            groups.append([index])
    x, y = ([values[group].mean() for group in groups] for values in (of, to))
    return np.array(x), np.array(y), np.array([len(group) for group in groups], dtype=np.float64)


def _within(slopes: tuple[float, float], x: Floats, y: Floats, weights: Floats) -> Floats:
    """Return the nearest values that keep the slopes, also from black and to white."""
    least, greatest = slopes
    y = _rising(y - least * x, weights).clip(0, 1 - least) + least * x
    if math.isinf(greatest):
        return y
    return greatest * x - _rising(greatest * x - y, weights)


def _rising(values: Floats, weights: Floats) -> Floats:
    """Return the nearest values that never fall, by weighted least squares.

    Pools adjacent violators: M. Ayer et al., "An empirical distribution function for sampling with
    incomplete information", Annals of Mathematical Statistics 26, 1955.
    """
    pools: list[tuple[float, float, int]] = []  # mean, weight, members
    for value, weight in zip(values.tolist(), weights.tolist(), strict=True):
        pool = (value, weight, 1)
        while pools and pools[-1][0] > pool[0]:
            mean, mass, members = pools.pop()
            both = mass + pool[1]
            pool = ((mean * mass + pool[0] * pool[1]) / both, both, members + pool[2])
        pools.append(pool)
    return np.repeat([mean for mean, _, _ in pools], [members for _, _, members in pools])


def _monotone_cubic(at: Floats, x: Floats, y: Floats) -> Floats:
    """Return the piecewise cubic through the knots that rises wherever they do.

    Slopes at the knots are weighted harmonic means of those beside them: F. N. Fritsch,
    J. Butland, "A method for constructing local monotone piecewise cubic interpolants", SIAM
    Journal on Scientific and Statistical Computing 5, 1984.
    """
    if len(x) == 1:
        return np.full_like(at, y[0])
    width = np.diff(x)
    secant = np.diff(y) / width
    before, after = width[:-1], width[1:]
    heavy, light = 2 * after + before, after + 2 * before
    rises = (secant[:-1] > 0) & (secant[1:] > 0)
    inverse = np.divide(heavy, secant[:-1], where=rises, out=np.ones_like(heavy))
    inverse += np.divide(light, secant[1:], where=rises, out=np.ones_like(light))
    inner = np.where(rises, (heavy + light) / inverse, 0.0)
    slope = np.concatenate((secant[:1], inner, secant[-1:]))

    piece = np.clip(np.searchsorted(x, at, side="right") - 1, 0, len(width) - 1)
    share, length = (at - x[piece]) / width[piece], width[piece]
    rest = 1 - share
    cubic: Floats = rest**2 * (
        (1 + 2 * share) * y[piece] + share * length * slope[piece]
    ) + share**2 * ((1 + 2 * rest) * y[piece + 1] - rest * length * slope[piece + 1])
    return cubic
