"""What a picture's colours are and how near they come to a palette, in figures for people.

Differences are ΔE2000: 1 is just noticeable, beyond 5 one sees another colour. Figures come from a
nearest-neighbour sample of at most 512 x 512 pixels, so a report costs the same at any size.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from palette_worker.rendering.analyse import Analysis
from palette_worker.rendering.base_palette import base_palette
from palette_worker.rendering.difference import ciede2000, cielab_of
from palette_worker.rendering.oklab import Floats, levels_of, levels_of_hex

_SAMPLE_EDGE = 512  # pixels
_VISIBLE = 128  # alpha
_ROUNDS = 60


def own_palette(analysis: Analysis, k: int) -> tuple[list[str], list[float]]:
    """Return the picture's own main colours, at most k, and their shares of it, largest first.

    Colours are `#rrggbb`; shares sum to 1, each pixel counting for the main colour nearest to it.
    Both are empty where nothing is visible.
    """
    colors = base_palette(analysis, k)
    if not len(colors):
        return [], []
    squared = ((analysis.bins[:, None, :] - colors[None, :, :]) ** 2).sum(axis=-1)
    shares = np.bincount(squared.argmin(axis=1), weights=analysis.bin_shares, minlength=len(colors))
    order = np.argsort(-shares, kind="stable")
    return hex_of(levels_of(colors[order])), shares[order].tolist()


def difference_report(image: Image.Image, colors: tuple[str, ...]) -> dict[str, Any]:
    """Return how the picture's dominant colours and the palette, `#rrggbb`, differ; for JSON.

    `adherence`: how far what one sees is from the palette, the mean of the dominant colours'
    differences weighted by share. `coverage`: how far the palette is from being seen, the mean of
    its colours' differences to the nearest dominant one. Per colour of the palette, `share` is that
    of the pixels it is nearest to. Both means are None where nothing is visible.
    """
    pixels = _visible_sample(image)
    distinct = tuple(dict.fromkeys(colors))
    palette = cielab_of(levels_of_hex(distinct))
    if not len(pixels):
        return {"adherence": None, "coverage": None, "dominant": [], "palette": []}

    levels, weights = _histogram(pixels)
    points = cielab_of(levels)
    centres, shares = dominant_colors(pixels, len(palette))
    apart = ciede2000(centres[:, None, :], palette[None, :, :])
    shown = levels[_squared_distances(centres, points).argmin(axis=1)]
    # one colour at a time: 32 000 bins by 16 colours would take ciede2000 100 MB
    nearest = np.stack([ciede2000(points, color) for color in palette]).argmin(axis=0)
    share_of_color = np.bincount(nearest, weights=weights, minlength=len(palette))

    return {
        "adherence": round(float(np.average(apart.min(axis=1), weights=shares)), 2),
        "coverage": round(float(apart.min(axis=0).mean()), 2),
        "dominant": [
            {
                "color": color,
                "share": round(float(share), 4),
                "nearest": distinct[row.argmin()],
                "difference": round(float(row.min()), 2),
            }
            for color, share, row in zip(hex_of(shown), shares, apart, strict=True)
        ],
        "palette": [
            {"color": color, "share": round(float(share), 4), "difference": round(float(least), 2)}
            for color, share, least in zip(distinct, share_of_color, apart.min(axis=0), strict=True)
        ],
    }


def dominant_colors(pixels: NDArray[np.uint8], k: int) -> tuple[Floats, Floats]:
    """Return the centres (CIELAB, shape (n, 3), n ≤ k) and shares of a k-means over the pixels.

    Weighted over the histogram of 5 bits a channel. Seeds: the heaviest bin, then again and again
    the bin with the most weight times squared distance to the seeds so far. Largest share first.
    """
    levels, weights = _histogram(pixels)
    points = cielab_of(levels)
    centres = points[[weights.argmax()]]
    while len(centres) < min(k, len(points)):
        distance = _squared_distances(points, centres).min(axis=1)
        centres = np.concatenate((centres, points[[(weights * distance).argmax()]]))
    for _ in range(_ROUNDS):
        labels = _squared_distances(points, centres).argmin(axis=1)
        used = np.unique(labels)
        members = [labels == label for label in used]
        before, centres = (
            centres,
            np.array([np.average(points[m], axis=0, weights=weights[m]) for m in members]),
        )
        if len(before) == len(centres) and np.allclose(centres, before, atol=1e-3):
            break
    shares = np.array([weights[m].sum() for m in members])
    order = np.argsort(-shares, kind="stable")
    return centres[order], shares[order]


def hex_of(levels: Floats) -> list[str]:
    """Return `#rrggbb` for each of the colours, shape (n, 3), rounded to whole levels."""
    return ["#{:02x}{:02x}{:02x}".format(*color) for color in np.rint(levels).astype(int).tolist()]


def _visible_sample(image: Image.Image) -> NDArray[np.uint8]:
    """Return pixels of the picture, of any mode, shape (n, 3); averaging would invent colours."""
    width, height = image.size
    size = (min(_SAMPLE_EDGE, width), min(_SAMPLE_EDGE, height))
    sample = image.resize(size, Image.Resampling.NEAREST).convert("RGBA")
    pixels = np.asarray(sample).reshape(-1, 4)
    alpha = pixels[:, 3]
    visible = alpha >= _VISIBLE
    return pixels[visible if visible.any() else alpha > 0, :3]  # a watermark is faint all over


def _histogram(pixels: NDArray[np.uint8]) -> tuple[Floats, Floats]:
    """Return the mean levels of the used bins, 5 bits a channel, and their shares."""
    five = (pixels >> 3).astype(np.intp)
    index = (five[:, 0] << 10) | (five[:, 1] << 5) | five[:, 2]
    counts = np.bincount(index, minlength=1 << 15)
    used = np.flatnonzero(counts)
    sums = [np.bincount(index, weights=pixels[:, c], minlength=1 << 15)[used] for c in range(3)]
    return np.stack(sums, axis=-1) / counts[used, None], counts[used] / len(pixels)


def _squared_distances(points: Floats, centres: Floats) -> Floats:
    squared: Floats = ((points[:, None, :] - centres[None, :, :]) ** 2).sum(axis=-1)
    return squared
