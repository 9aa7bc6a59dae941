"""Flat art with few colours: its pixels written once, and only the table of colours per palette.

A PNG may keep its colours in a table, PLTE, of at most 256, and its pixels as places in it. Where
all of a picture's colours fit, one that has several alphas or is several mixtures counted as
several, every palette's file has the same pixels: they are compressed once, as well as zlib can,
and a palette costs its table and the checksum.

The format is that of the W3C Recommendation "Portable Network Graphics (PNG) Specification (Third
Edition)", sections 5, 7.2 and 11.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from palette_worker.rendering.edges import MIXTURE, Edges, Mixtures
from palette_worker.rendering.pixels import (
    COLOR,
    Words,
    bands,
    inside,
    levels_of,
    set_band,
    words_by_band,
    words_of,
)
from palette_worker.rendering.png import SIGNATURE, chunk

FEW = 256  # as many as PLTE may have
_MERGING = 4  # times as many may be made to fit: a logo of five colours has some 350
_APART = 1 / 32  # of a share: most that is made one, so nothing is off by more than some 4 levels
_PURE = 0.999  # the share of a mode that is nothing else, which stays exact
_ENTRY = np.dtype([("alpha", np.uint8), ("mixture", MIXTURE)])
# entries that have become one: shares and then rest (of 255 levels), their mean and extremes
_RUN = np.dtype(
    [
        ("first", np.intp),
        ("kind", np.intp),
        ("weight", np.float64),
        ("mean", np.float64, 6),
        ("low", np.float64, 6),
        ("high", np.float64, 6),
    ]
)


@dataclass(frozen=True, slots=True)
class Template:
    """A picture as places in a table of colours: `index`, shape (height, width), into `mixtures`.

    `alpha` has one value for each colour, or is None where the picture has no alpha.
    """

    index: NDArray[np.unsignedinteger]
    mixtures: Mixtures
    alpha: NDArray[np.uint8] | None

    @property
    def nbytes(self) -> int:
        """The memory of the arrays."""
        return self.index.nbytes + self.mixtures.nbytes  # alpha is as good as nothing

    def picture(self, levels: NDArray[np.uint8]) -> Image.Image:
        """Return the picture in these colours, shape (n, 3)."""
        words = words_of(levels)
        words |= np.uint32(255 << 24) if self.alpha is None else self.alpha.astype(np.uint32) << 24
        image = Image.new("RGB" if self.alpha is None else "RGBA", self.index.shape[::-1])
        for rows in bands(image.size):
            set_band(image, rows, words[self.index[rows]])
        return image


@dataclass(frozen=True, slots=True)
class TemplateFile:
    """A PNG but for its colours: what comes before their table and what comes after it."""

    before: bytes
    after: bytes

    @property
    def nbytes(self) -> int:
        """The memory of both parts."""
        return len(self.before) + len(self.after)

    def body(self, levels: NDArray[np.uint8]) -> bytes:
        """Return the file in these colours, shape (n, 3)."""
        return self.before + chunk(b"PLTE", levels.tobytes()) + self.after


def template_of(image: Image.Image, edges: Edges, most: int) -> Template | None:
    """Return the picture as a template, or None where that takes more than `most` colours.

    All that is hidden under alpha 0 is one colour. To fit, mixtures of the same modes may be made
    one where their shares differ by little.
    """
    colors = _colors(image, most * _MERGING)
    if len(colors) + len(edges.mixtures) > most * _MERGING:
        return None
    plain = np.zeros(len(colors), dtype=MIXTURE)
    plain["levels"] = levels_of(colors)
    counts = np.zeros(len(colors) + len(edges.mixtures) << 8, dtype=np.intp)
    for _, codes in _codes_by_band(image, colors, edges):
        counts += np.bincount(codes.ravel(), minlength=len(counts))
    used = np.flatnonzero(counts)
    every = np.zeros(len(used), dtype=_ENTRY)
    every["mixture"] = np.concatenate((plain, edges.mixtures))[used >> 8]
    every["alpha"] = used & 255
    merged = _merged(every, counts[used], most)
    if merged is None:
        return None
    entries, place = merged
    number = np.zeros(len(counts), dtype=np.min_scalar_type(len(entries) - 1))
    number[used] = place
    index = np.empty_like(number, shape=(image.height, image.width))
    for rows, codes in _codes_by_band(image, colors, edges):
        index[rows] = number[codes]
    alpha = entries["alpha"].copy() if image.mode == "RGBA" else None
    return Template(index, entries["mixture"].copy(), alpha)


def _merged(
    entries: NDArray[np.void], counts: NDArray[np.intp], most: int
) -> tuple[NDArray[np.void], NDArray[np.intp]] | None:
    """Return at most `most` entries, by alpha, and the place of each old one among them; or None.

    Where there are too many, neighbours become one: of the same modes and alpha, the two first that
    cost least, as J. H. Ward has it (Journal of the American Statistical Association 58, 1963).
    """
    mixtures = entries["mixture"]
    shares, rest = mixtures["shares"], mixtures["rest"] / 255
    is_single = (mixtures["trust"] < 1) | (shares.max(axis=1) > _PURE)
    single = np.where(is_single, 1 + np.arange(len(entries)), 0)
    kinds = np.column_stack((entries["alpha"], single, mixtures["modes"]))
    _, kind = np.unique(kinds, axis=0, return_inverse=True)
    order = np.lexsort((shares[:, 2], shares[:, 1], kind))

    runs = np.zeros(len(entries), dtype=_RUN)
    runs["first"] = np.arange(len(entries))
    runs["kind"], runs["weight"] = kind[order], counts[order]
    for field in ("mean", "low", "high"):
        runs[field] = np.column_stack((shares, rest))[order]
    while len(runs) > most:
        one, next_one = runs[:-1], runs[1:]
        together = one["weight"] * next_one["weight"] / (one["weight"] + next_one["weight"])
        cost = together * ((one["mean"] - next_one["mean"]) ** 2).sum(axis=1)
        low = np.minimum(one["low"], next_one["low"])
        high = np.maximum(one["high"], next_one["high"])
        cost[(high - low > _APART).any(axis=1) | (one["kind"] != next_one["kind"])] = np.inf
        at = cost.argmin()
        if np.isinf(cost[at]):
            return None
        pair = runs[at : at + 2]
        pair["mean"][0] = np.average(pair["mean"], axis=0, weights=pair["weight"])
        pair["weight"][0] = pair["weight"].sum()
        pair["low"][0], pair["high"][0] = low[at], high[at]
        runs = np.delete(runs, at + 1)

    found = entries[order[runs["first"]]]
    found["mixture"]["shares"] = runs["mean"][:, :3]
    found["mixture"]["rest"] = runs["mean"][:, 3:] * 255
    place = np.empty(len(entries), dtype=np.intp)
    place[order] = np.searchsorted(runs["first"], np.arange(len(entries)), side="right") - 1
    return found, place


def _colors(image: Image.Image, most: int) -> Words:
    """Return the different colours that are seen, or, if they are more than `most`, some more."""
    is_seen = np.zeros(COLOR + 1, dtype=np.bool_)
    for _, words in words_by_band(image):
        colors = _shown(words) & COLOR
        new = colors[~is_seen[colors]]
        is_seen[new] = True
        if new.size and np.count_nonzero(is_seen) > most:
            break
    return np.flatnonzero(is_seen).astype(np.uint32)


def _codes_by_band(
    image: Image.Image, colors: Words, edges: Edges
) -> Iterator[tuple[slice, Words]]:
    """Yield for each pixel its place among colours and then mixtures << 8 | its alpha.

    Asked for twice, for to keep them would take as much memory as the picture does.
    """
    place = np.zeros(COLOR + 1, dtype=np.uint32)
    place[colors] = np.arange(len(colors))
    for rows, words in words_by_band(image):
        shown = _shown(words)
        codes = (place[shown & COLOR] << 8 | shown >> 24).ravel()
        mine = inside(edges.at, rows, image.width)
        at = edges.at[mine] - rows.start * image.width
        codes[at] = edges.which[mine] + np.uint32(len(colors)) << 8 | codes[at] & 255
        yield rows, codes.reshape(words.shape)


def _shown(words: Words) -> Words:
    """Return the pixels with all that alpha hides made black."""
    return words * (words > COLOR)


def template_file(template: Template) -> TemplateFile:
    """Write a template of at most 256 colours; takes 10 to 30 ms a megapixel."""
    count = len(template.mixtures)
    depth = next(bits for bits in (1, 2, 4, 8) if count <= 1 << bits)
    height, width = template.index.shape
    header = struct.pack(">IIBBBBB", width, height, depth, 3, 0, 0, 0)
    after = chunk(b"IDAT", zlib.compress(_rows(template.index, depth), 9)) + chunk(b"IEND", b"")
    if template.alpha is not None and (template.alpha < 255).any():
        last = np.flatnonzero(template.alpha < 255)[-1]  # the rest is opaque unless told otherwise
        after = chunk(b"tRNS", template.alpha[: last + 1].tobytes()) + after
    return TemplateFile(SIGNATURE + chunk(b"IHDR", header), after)


def _rows(index: NDArray[np.unsignedinteger], depth: int) -> bytes:
    """Return the rows as a PNG has them, `depth` bits a pixel, each after a byte: no filter."""
    height, width = index.shape
    per_byte = 8 // depth
    padded = np.zeros((height, -(-width // per_byte) * per_byte), dtype=np.uint8)
    padded[:, :width] = index
    rows = np.zeros((height, 1 + padded.shape[1] // per_byte), dtype=np.uint8)
    for place in range(per_byte):
        rows[:, 1:] |= padded[:, place::per_byte] << (8 - depth * (place + 1))
    return rows.tobytes()
