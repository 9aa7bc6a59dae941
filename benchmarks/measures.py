"""What makes a recolouring good, as numbers: pure functions on arrays.

Pictures are arrays of shape (height, width, 3), rows of pixels of shape (n, 3): *levels* are 8-bit
sRGB, *lab* is CIELAB (D65). Differences are ΔE2000 unless a docstring says otherwise: 1 is just
noticeable, from 5 on one sees another colour. Nothing is random, so a picture's figure is the same
in every run.

What a picture is compared with differs: *adherence* and *coverage* know the output and the palette,
*structure* and *edges* the input and the output, the measures of *flat art* the truth, which is the
same drawing made in the colours that each region should have.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from palette_worker.rendering.difference import ciede2000, cielab_of

Floats = NDArray[np.float64]
Levels = NDArray[np.uint8]
Mask = NDArray[np.bool_]

_WINDOW = 8  # pixels: the window of SSIM in its box form, and a block of JPEG
_BUSY = 2.0  # L*, standard deviation: a window with less has noise at most
_GONE = 0.3  # L*, standard deviation: what rounding to 8 bits leaves of nothing
_CLEAR_EDGE = 5.0  # ΔE76 a pixel: plainly an edge, not shading
_NO_EDGE = 1.0  # ΔE76 a pixel
_STEP = 2.0  # ΔE2000: a stretch of ramp that rounding to 8 bits no longer disturbs
_HALO = 10.0  # ΔE2000: plainly another colour; JPEG itself strays by 5 in every fifth edge pixel
_DISTINCT = 2.0  # ΔE2000 between areas that lie apart


def adherence(centres: Floats, shares: Floats, palette: Floats) -> float:
    """Return how far the dominant colours are from the palette's: mean ΔE2000 to the nearest.

    Weighted by share. `centres` and `palette` are CIELAB, shapes (n, 3) and (k, 3).
    """
    nearest = ciede2000(centres[:, None, :], palette[None, :, :]).min(axis=1)
    return float(np.average(nearest, weights=shares))


def coverage(centres: Floats, palette: Floats) -> float:
    """Return how far the palette's colours are from being seen: mean ΔE2000 to the nearest centre.

    Every colour of the palette counts alike, however little of it there is.
    """
    return float(ciede2000(palette[:, None, :], centres[None, :, :]).min(axis=1).mean())


def structure(before: Floats, after: Floats) -> float:
    """Return the mean correlation of L* between input and output (lab) in windows of 8 x 8 pixels.

    Windows at every pixel whose L* has a standard deviation of 2 or more in the input; those with
    nothing left in the output count as 0. 1 where no window has that much.
    """
    x, y = before[..., 0], after[..., 0]
    mean_x, mean_y = _window_means(x), _window_means(y)
    sigma_x = np.sqrt(np.maximum(_window_means(x * x) - mean_x**2, 0))
    sigma_y = np.sqrt(np.maximum(_window_means(y * y) - mean_y**2, 0))
    together = _window_means(x * y) - mean_x * mean_y
    busy = sigma_x >= _BUSY
    if not busy.any():
        return 1.0
    return float((together[busy] / (sigma_x[busy] * np.maximum(sigma_y[busy], _GONE))).mean())


def gradient_correlation(before: Floats, after: Floats) -> float:
    """Return Pearson's correlation of the gradient lengths of L* (lab, Sobel)."""
    x, y = _steepness(before[..., :1]), _steepness(after[..., :1])
    if min(x.std(), y.std()) < 1e-6:
        return float(np.allclose(x, y))
    return float(np.corrcoef(x.ravel(), y.ravel())[0, 1])


def lost_edges(before: Floats, after: Floats) -> float:
    """Return the share of the input's clear edge pixels (lab) of which the output shows nothing.

    Clear: a gradient (Sobel, Euclidean over L*, a*, b*) of 5 or more a pixel. Nothing: everywhere
    in the 3 x 3 pixels around, the output's is below 1. 0 where the input has no clear edge.
    """
    clear = _steepness(before) >= _CLEAR_EDGE
    if not clear.any():
        return 0.0
    left = _largest_around(_steepness(after))
    return float((left[clear] < _NO_EDGE).mean())


@dataclass(frozen=True, slots=True)
class Banding:
    """What became of a ramp.

    `amplification` is the largest growth of a step; `kept` the number of different colours, as a
    share of the input's.
    """

    amplification: float
    kept: float


def banding(before: Levels, after: Levels) -> Banding:
    """Judge a ramp before and after: one row of levels from end to end.

    A step is as many pixels as take the input 2 ΔE2000 further on average. Its growth is output
    over input, or over the input's median step where that is larger: near black the formula finds
    steps smaller than they look. A ramp that has become longer as a whole is forgiven that much.
    """
    x, y = cielab_of(before.astype(np.float64)), cielab_of(after.astype(np.float64))
    stride = max(1, round(_STEP / ciede2000(x[1:], x[:-1]).mean()))
    steps_x = ciede2000(x[stride:], x[:-stride])
    steps_y = ciede2000(y[stride:], y[:-stride])
    longer = max(1.0, steps_y.mean() / steps_x.mean())
    growth = steps_y / np.maximum(steps_x, np.median(steps_x))
    return Banding(
        amplification=float(growth.max() / longer),
        kept=min(1.0, len(np.unique(after, axis=0)) / len(np.unique(before, axis=0))),
    )


@dataclass(frozen=True, slots=True)
class FlatArt:
    """A drawing of even areas: how much of each pixel every one of them covers, and their colours.

    `cover` has shape (height, width, n) and sums to 1, or less where one sees through; `colors` are
    levels, shape (n, 3).
    """

    cover: Floats
    colors: Floats

    def drawn(self, colors: Floats) -> tuple[Levels, Levels]:
        """Return the drawing in these colours, and its alpha, shape (height, width)."""
        alpha = self.cover.sum(axis=-1)
        mixed = self.cover @ colors / np.maximum(alpha, 1e-9)[..., None]
        return _rounded(mixed), _rounded(255 * alpha)

    @property
    def solid(self) -> NDArray[np.intp]:
        """The area that covers a pixel all alone, or -1, shape (height, width)."""
        return np.where(self.cover.max(axis=-1) > 0.999, self.cover.argmax(axis=-1), -1)

    @property
    def is_edge(self) -> Mask:
        """Whether a pixel shows a bit of two areas or more, or of one and what lies behind."""
        edge: Mask = (self.solid < 0) & (self.cover.sum(axis=-1) > 0.02)
        return edge


def area_colors(art: FlatArt, after: Levels) -> Floats:
    """Return each area's most frequent colour in the output, as levels, shape (n, 3)."""
    found = []
    for area in range(len(art.colors)):
        colors, counts = np.unique(after[art.solid == area], axis=0, return_counts=True)
        found.append(colors[counts.argmax()])
    return np.array(found, dtype=np.float64)


def flat_error(art: FlatArt, after: Levels, wanted: Floats) -> float:
    """Return the largest error of a channel in an area's solid pixels, in levels."""
    solid = art.solid
    error = np.abs(after[solid >= 0] - wanted[solid[solid >= 0]])
    return float(error.max())


def distinct_areas(colors: Floats) -> float:
    """Return the share of areas that no other one looks like: 2 ΔE2000 or more to each of them."""
    lab = cielab_of(colors)
    difference = ciede2000(lab[:, None, :], lab[None, :, :])
    np.fill_diagonal(difference, np.inf)
    return float((difference.min(axis=1) >= _DISTINCT).mean())


def edge_error(art: FlatArt, after: Levels, truth: Floats) -> float:
    """Return the mean ΔE2000 of edge pixels to the drawing made in the colours `truth`.

    Where one sees through, the mean of both laid on white and laid on black.
    """
    wanted, alpha = art.drawn(truth)
    edge = art.is_edge
    if (alpha[edge] == 255).all():
        return float(_difference(after[edge], wanted[edge]).mean())
    share = alpha[edge][:, None] / 255
    errors = [
        _difference(after[edge] * share + ground, wanted[edge] * share + ground).mean()
        for ground in (0.0, 255 * (1 - share))
    ]
    return float(np.mean(errors))


def halo(art: FlatArt, after: Levels, truth: Floats) -> float:
    """Return the share of edge pixels that are no mixture of the two areas they lie between.

    That is, more than 10 ΔE2000 from the nearest of 33 sRGB mixtures of the colours of both. Only
    pixels with exactly two areas are asked; with one area and nothing, its colour alone.
    """
    present = art.cover > 0.01
    asked = art.is_edge & (present.sum(axis=-1) <= 2)
    ranked = np.argsort(-art.cover[asked], axis=-1)
    first, second = ranked[:, 0], ranked[:, 1]
    second = np.where(present[asked].sum(axis=-1) == 2, second, first)
    got = cielab_of(after[asked].astype(np.float64))
    nearest = np.full(len(got), np.inf)
    for share in np.linspace(0, 1, 33):
        mixture = truth[first] * share + truth[second] * (1 - share)
        nearest = np.minimum(nearest, ciede2000(got, cielab_of(mixture)))
    return float((nearest > _HALO).mean())


def changed(before: Levels, after: Levels) -> float:
    """Return the share of numbers that are not the same at the same place."""
    return float((before != after).mean())


def mean_difference(before: Levels, after: Levels) -> float:
    """Return the mean ΔE2000 of pixels at the same place."""
    return float(_difference(before, after).mean())


def _difference(one: NDArray[np.generic], other: NDArray[np.generic]) -> Floats:
    return ciede2000(cielab_of(one.astype(np.float64)), cielab_of(other.astype(np.float64)))


def _window_means(values: Floats) -> Floats:
    """Return the means of all windows that fit, by an integral image."""
    sums = np.pad(values.cumsum(axis=0).cumsum(axis=1), ((1, 0), (1, 0)))
    w = _WINDOW
    means: Floats = (sums[w:, w:] - sums[:-w, w:] - sums[w:, :-w] + sums[:-w, :-w]) / w**2
    return means


def _steepness(values: Floats) -> Floats:
    """Return the Sobel gradient's length per pixel, Euclidean over the last axis."""
    p = np.pad(values, ((1, 1), (1, 1), (0, 0)), mode="edge")
    right = p[:-2, 2:] + 2 * p[1:-1, 2:] + p[2:, 2:] - p[:-2, :-2] - 2 * p[1:-1, :-2] - p[2:, :-2]
    down = p[2:, :-2] + 2 * p[2:, 1:-1] + p[2:, 2:] - p[:-2, :-2] - 2 * p[:-2, 1:-1] - p[:-2, 2:]
    length: Floats = np.sqrt((right**2 + down**2).sum(axis=-1)) / 8
    return length


def _largest_around(values: Floats) -> Floats:
    padded = np.pad(values, 1, mode="edge")
    height, width = values.shape
    shifts = [padded[y : y + height, x : x + width] for y in range(3) for x in range(3)]
    largest: Floats = np.max(shifts, axis=0)
    return largest


def _rounded(levels: Floats) -> Levels:
    return np.floor(levels + 0.5).clip(0, 255).astype(np.uint8)
