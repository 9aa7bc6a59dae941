"""A picture's k main colours, the ones that become the palette's.

Flat art has them already: its modes. Elsewhere they are the centres of a weighted k-means over the
histogram, in a space where lightness counts less, so that the light and the dark side of one
object stay one cluster. Nothing is random: seeds are picked by weight and distance.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from palette_worker.rendering.analyse import Analysis
from palette_worker.rendering.oklab import Floats

_LIGHTNESS = 0.4  # how much of L counts within the clusters
_SPREAD = 0.16  # in that space: nearer than this, a seed keeps others from being picked
_ROUNDS = 25
_NO_WEIGHT = 1e-12


def base_palette(analysis: Analysis, k: int) -> Floats:
    """Return at most k OKLab colours, shape (n, 3); fewer where the picture has no more."""
    if analysis.is_flat and len(analysis.modes) <= k:
        return analysis.modes
    if analysis.is_flat:
        colors, weights = analysis.modes, analysis.mode_shares
    else:
        colors, weights = analysis.bins, analysis.bin_shares
    if not len(colors):  # nothing is visible
        return colors
    points = _in_cluster_space(colors)
    labels = _clusters(points, weights, _seeds(points, weights, k))
    members = [labels == label for label in np.unique(labels)]
    centres = np.array([np.average(colors[m], axis=0, weights=weights[m]) for m in members])
    shares = np.array([weights[m].sum() for m in members])
    return _snapped_to_modes(centres, shares, analysis)


def _in_cluster_space(lab: Floats) -> Floats:
    return lab * (_LIGHTNESS, 1.0, 1.0)


def _squared_distances(points: Floats, centres: Floats) -> Floats:
    squared: Floats = ((points[:, None, :] - centres[None, :, :]) ** 2).sum(axis=-1)
    return squared


def _seeds(points: Floats, weights: Floats, k: int) -> Floats:
    """Return the heaviest point, then again and again the heaviest of those far from all seeds."""
    left = weights.copy()
    seeds: list[Floats] = []
    while len(seeds) < k and left.max() > _NO_WEIGHT:
        seeds.append(points[left.argmax()])
        distance = ((points - seeds[-1]) ** 2).sum(axis=1)
        left *= -np.expm1(-distance / _SPREAD**2)
    return np.array(seeds)


def _clusters(points: Floats, weights: Floats, centres: Floats) -> NDArray[np.intp]:
    """Return every point's cluster, by Lloyd's iteration (IEEE Trans. Inf. Theory 28, 1982)."""
    labels = np.full(len(points), -1, dtype=np.intp)
    for _ in range(_ROUNDS):
        nearest = _squared_distances(points, centres).argmin(axis=1)
        if np.array_equal(nearest, labels):
            break
        labels = nearest
        for index in range(len(centres)):
            mine = labels == index
            if mine.any():
                centres[index] = np.average(points[mine], axis=0, weights=weights[mine])
    return labels


def _snapped_to_modes(centres: Floats, shares: Floats, analysis: Analysis) -> Floats:
    """Return the centres, moved onto an even area where that is most of what they stand for."""
    if not len(analysis.modes):
        return centres
    nearest = _squared_distances(
        _in_cluster_space(analysis.modes), _in_cluster_space(centres)
    ).argmin(axis=1)
    snapped = centres.copy()
    for index in range(len(centres)):
        mine = np.flatnonzero(nearest == index)  # heaviest first, as the modes are
        if mine.size and (analysis.is_flat or analysis.mode_shares[mine[0]] >= 0.5 * shares[index]):
            snapped[index] = analysis.modes[mine[0]]
    return snapped
