"""Perceptual hashes: phash, ahash, dhash and whash, bit for bit those of the ImageHash library.

What is hashed is the whole decoded picture in grey: upright, in sRGB, transparency over white, for
what hides beneath it is anybody's guess and changes when a file is written again.

A bit tells whether a value exceeds the median, and of flat art many values are the median but for
their last digit. So ImageHash's arithmetic is followed to that digit: scipy's DCT is pocketfft's,
which is numpy's FFT too, and PyWavelets' Haar takes four lines. The wavelet comes to the mean of
each 64th of the picture, so whole numbers tell all bits but those of equal means; only these are
worked out as ImageHash does, one after another, so that a large picture needs little memory.

With a picture of 12 megapixels this takes 0.2 s, nearly all of it in Pillow's Lanczos filter, which
lets other threads run; with one of 1 megapixel 15 ms. Beside the decoded picture it takes at most
another 4 bytes for each pixel, as recolouring does.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import cos, pi, sin

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from colorway.perceptual_hashes import PerceptualHashes
from palette_worker.rendering.oklab import Floats

_SIDE = 8  # of a hash, in bits
_DCT_SIZE = 32
_HAAR = 0.7071067811865476  # 1/√2, as PyWavelets has it

Bits = NDArray[np.bool_]
Levels = NDArray[np.uint8]
Details = tuple[Floats, Floats, Floats]


def hashes_of(image: Image.Image) -> PerceptualHashes:
    """Return the hashes of an upright sRGB picture, mode RGB or RGBA."""
    grey = grey_of(image)
    return PerceptualHashes(
        phash=_number(_phash(grey)),
        ahash=_number(_ahash(grey)),
        dhash=_number(_dhash(grey)),
        whash=_number(_whash(grey)),
    )


def grey_of(image: Image.Image) -> Image.Image:
    """Return what is hashed: mode L, on white."""
    grey = image.convert("L")
    if image.mode != "RGBA":
        return grey
    ground = Image.new("L", image.size, 255)
    ground.paste(grey, mask=image.getchannel("A"))
    return ground


def _phash(grey: Image.Image) -> Bits:
    low = _dct(_dct(_levels(grey, _DCT_SIZE, _DCT_SIZE).T).T)[:_SIDE, :_SIDE]
    return np.asarray(low > np.median(low))


def _ahash(grey: Image.Image) -> Bits:
    levels = _levels(grey, _SIDE, _SIDE)
    return np.asarray(levels > levels.mean())


def _dhash(grey: Image.Image) -> Bits:
    levels = _levels(grey, _SIDE + 1, _SIDE)
    return np.asarray(levels[:, 1:] > levels[:, :-1])


def _whash(grey: Image.Image) -> Bits:
    size = max(1 << (min(grey.size).bit_length() - 1), _SIDE)
    edge = size // _SIDE
    tiles = _levels(grey, size, size).reshape(_SIDE, edge, _SIDE, edge).swapaxes(1, 2)
    sums = tiles.sum(axis=(2, 3), dtype=np.int64)
    below, above = np.sort(sums, axis=None)[_SIDE**2 // 2 - 1 :][:2]
    if below != above:
        return np.asarray(sums > below)
    means = np.where(sums > above, np.inf, -np.inf)
    equal = sums == above
    means[equal] = _haar_means(tiles, equal)
    return np.asarray(means > np.median(means))


def _haar_means(tiles: NDArray[np.uint8], wanted: Bits) -> list[float]:
    """Return the wavelet's means of the tiles wanted, once the picture's own mean is taken away.

    To the last digit: the whole picture is transformed, the mean set to 0, transformed back, and
    then transformed again until a value is left of each tile.
    """
    means = np.array([[_haar(_shares(tile))[0].item() for tile in row] for row in tiles])
    mean, details = _haar(means)
    centred = _haar_back(mean * 0, details)
    found = []
    for row, column in np.argwhere(wanted):
        _, details = _haar(_shares(tiles[row, column]))
        again, _ = _haar(_haar_back(centred[row : row + 1, column : column + 1], details))
        found.append(again.item())
    return found


def _haar(square: Floats) -> tuple[Floats, list[Details]]:
    """Return the last mean, shape (1, 1), and the details of every level, the finest first."""
    details = []
    while len(square) > 1:
        mean, detail = _halved(square)
        (square, right), (below, across) = _halved(mean.T), _halved(detail.T)
        square = square.T
        details.append((right.T, below.T, across.T))
    return square, details


def _haar_back(square: Floats, details: Sequence[Details]) -> Floats:
    for right, below, across in reversed(details):
        square = _doubled(_doubled(square.T, right.T).T, _doubled(below.T, across.T).T)
    return square


def _halved(rows: Floats) -> tuple[Floats, Floats]:
    """Return means and differences of each two rows."""
    first, second = _HAAR * rows[::2], _HAAR * rows[1::2]
    return first + second, first - second


def _doubled(means: Floats, differences: Floats) -> Floats:
    """Return the rows that have these means and differences."""
    means, differences = _HAAR * means, _HAAR * differences
    return np.stack((means + differences, means - differences), axis=1).reshape(-1, means.shape[1])


def _dct_cosines() -> Floats:
    """Return cos(i·π/64) for i = 1 … 32, rounded as pocketfft does: products of smaller angles."""
    low = [(cos(i * pi / 64), sin(i * pi / 64)) for i in range(16)]
    high = [(1.0, 0.0), (sin(pi / 4), cos(pi / 4)), (0.0, 1.0)]
    products = [(low[i % 16], high[i // 16]) for i in range(1, _DCT_SIZE + 1)]
    return np.array([one[0] * other[0] - one[1] * other[1] for one, other in products])


_COSINES = _dct_cosines()


def _dct(rows: NDArray[np.generic]) -> Floats:
    """Return each row's DCT-II, not scaled: scipy's, by the steps of pocketfft's `T_dcst23`."""
    half = _DCT_SIZE // 2
    values = rows.astype(np.float64)
    folded = np.zeros((len(values), half + 1), dtype=np.complex128)
    folded[:, 0], folded[:, half] = 2 * values[:, 0], 2 * values[:, -1]
    odd, even = values[:, 1:-1:2], values[:, 2::2]
    folded[:, 1:half] = (even + odd) + 1j * (even - odd)
    found: Floats = np.fft.irfft(folded, n=_DCT_SIZE, norm="forward")
    left, right = found[:, 1:half].copy(), found[:, :half:-1].copy()
    near, far = _COSINES[: half - 1], _COSINES[_DCT_SIZE - 2 : half - 1 : -1]
    total, difference = near * right + far * left, near * left - far * right
    found[:, 1:half] = 0.5 * (total + difference)
    found[:, :half:-1] = 0.5 * (total - difference)
    found[:, half] *= _COSINES[half - 1]
    return found


def _levels(grey: Image.Image, width: int, height: int) -> Levels:
    return np.asarray(grey.resize((width, height), Image.Resampling.LANCZOS))


def _shares(levels: Levels) -> Floats:
    return np.asarray(levels / 255.0)


def _number(bits: Bits) -> int:
    return int.from_bytes(np.packbits(bits).tobytes(), "big", signed=True)
