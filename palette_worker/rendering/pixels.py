"""A picture's pixels as whole numbers, a band of rows at a time.

A *word* is a pixel of 32 bits, R | G << 8 | B << 16 | alpha << 24. Pillow keeps RGB in four bytes
a pixel too, so words are soon there, and one word is one index into a table over all colours.
Bands keep what is computed on the way small, however large the picture is.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Words = NDArray[np.uint32]

COLOR = 0xFFFFFF  # what of a word is the colour
ALPHA = 0xFF000000

_BAND = 1 << 18  # pixels: a megabyte of words, and some more of what is computed from them
_RAW = {"RGB": "RGBX", "RGBA": "RGBA"}  # Pillow's names of four bytes a pixel; X may be anything


def bands(size: tuple[int, int]) -> Iterator[slice]:
    """Return the rows of a picture, band by band."""
    width, height = size
    rows = max(1, _BAND // width)
    for top in range(0, height, rows):
        yield slice(top, min(height, top + rows))


def words_by_band(image: Image.Image) -> Iterator[tuple[slice, Words]]:
    """Return the rows and the pixels, shape (rows, width), of each band of an RGB or RGBA picture.

    Of an RGB picture alpha is 255.
    """
    for rows in bands(image.size):
        band = image.crop((0, rows.start, image.width, rows.stop))
        words = np.frombuffer(band.tobytes("raw", _RAW[image.mode]), dtype="<u4")
        if image.mode == "RGB":
            words = words | np.uint32(ALPHA)
        yield rows, words.reshape(band.height, band.width)


def set_band(image: Image.Image, rows: slice, words: Words) -> None:
    """Replace the pixels of a band."""
    raw, size = words.astype("<u4").tobytes(), (image.width, rows.stop - rows.start)
    image.paste(Image.frombytes(image.mode, size, raw, "raw", _RAW[image.mode]), (0, rows.start))


def inside(at: NDArray[np.integer], rows: slice, width: int) -> slice:
    """Return which of the pixels, counted row by row and in order, lie in these rows."""
    first, last = np.searchsorted(at, (rows.start * width, rows.stop * width))
    return slice(int(first), int(last))


def differences_around(image: Image.Image, at: NDArray[np.intp]) -> NDArray[np.uint8]:
    """Return by how many levels of a channel the 3 x 3 pixels around each differ, shape (n,).

    Pixels are counted row by row, and in order.
    """
    found = np.zeros(len(at), dtype=np.uint8)
    for rows in bands(image.size):
        mine = inside(at, rows, image.width)
        above = max(0, rows.start - 1)
        band = image.crop((0, above, image.width, min(image.height, rows.stop + 1)))
        levels = np.asarray(band)[..., :3]
        row, column = np.divmod(at[mine] - above * image.width, image.width)
        low = high = levels[row, column]
        for down, right in product((-1, 0, 1), repeat=2):
            there = (row + down).clip(0, band.height - 1), (column + right).clip(0, band.width - 1)
            low, high = np.minimum(low, levels[there]), np.maximum(high, levels[there])
        found[mine] = (high - low).max(axis=1, initial=0)
    return found


def levels_of(words: Words) -> NDArray[np.uint8]:
    """Return the levels of words, shape (n, 3)."""
    return np.stack([(words >> shift & 255).astype(np.uint8) for shift in (0, 8, 16)], axis=-1)


def words_of(levels: NDArray[np.uint8]) -> Words:
    """Return the words of levels, shape (n, 3), with alpha 0."""
    words: Words = levels.astype(np.uint32) @ np.array((1, 1 << 8, 1 << 16), dtype=np.uint32)
    return words
