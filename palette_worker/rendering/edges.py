"""Antialiased edges of flat art, taken apart: which even areas mix in a pixel, and how much.

An edge pixel between blue and white is a light blue that is nobody's colour. The colour map would
make of it whatever suits a light blue, and the edge would get a tint or a halo. So its colour is
written as a mixture of the areas beside it, in sRGB levels, as drawing programs mix, and mixed
again from what these become:

    c = p + s (q - p) + rest     →     p' + s (q' - p') + rest, as far as p and q stay what they are

Two areas, or three where corners meet. The rest is what the mixture leaves over: nothing to speak
of in a clean drawing, noise in a JPEG. The picture's own palette gives it back, others do without.
Where there is much of it, the pixel is no mixture, and the colour map has it.

Which pixels mix what depends on the picture alone and is found once for all palettes:

    label     the mode a pixel has, if any; within 8 levels where the picture is noisy
    core      labelled like a neighbour beside it and one above or below: an even area. A row of
              equal edge pixels has only one of both
    stroke    labelled, too thin for a core, and farther from the ground's colour than what is
              around it: as good as a core
    edge      the others, unless they touch a core of their own label: then they belong to it

Of all mixtures of cores nearby the one wins that leaves least over, where a core not quite beside
the pixel counts as some levels more. An edge that sees only one core is that of a line too thin to
have a core of its own colour; then every mode may be the other one.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate, combinations, product

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from palette_worker.rendering.oklab import Floats
from palette_worker.rendering.pixels import (
    ALPHA,
    COLOR,
    Words,
    differences_around,
    inside,
    levels_of,
    set_band,
    words_by_band,
    words_of,
)

Levels = NDArray[np.uint8]
Labels = NDArray[np.uint8]

_SAME = 8  # levels: what JPEG at quality 85 leaves between pixels of one even area
_NOISY = 0.1  # of the pixels that are no mode; in a clean drawing next to none lie within an area
_MOST = 0.35  # of the picture, beyond which there are too many edges for it to be flat art ...
_FEW = 10_000  # pixels: ... but icons have many, and cost little
_REACH = 3  # pixels: how far from its areas an edge may be; enlarged art has such wide ones
_FAR_REACH = 6  # pixels: if nothing is nearer, as within small print
_STROKE = 2  # pixels: what has one area or none so near is a stroke, not an edge

# what counts as levels left over, when mixtures are compared
_NOT_WITHIN = (1.0, 0.5, 5.0)  # for a mode not within 1 pixel, nor within 2, nor seen at all
_SAME_COST = 0.05  # beyond what 32 bits round
_THIRD = 2.0  # for a third mode, which explains almost anything

_IN_LINE = 1e-3  # squared sine of the angle between the ways from one mode to two others
_TRUSTED = 14.0  # levels left over, above which trust in the mixture goes down; none at twice that
_FAR = 25.0  # levels: when a mode has moved so far, what is left over has faded to 1/e

_SEEN_THROUGH = 127  # the label of what is not there; modes are 1 to 24, and 0 is anything else
_NEARLY = 128  # added to the label of what is near a mode, but not exactly it

# A colour and what it is a mixture of: `modes` are places among the modes, `shares` sum to 1,
# `rest` is in levels, and `trust` goes from 1 for a mixture to 0 for any other colour.
MIXTURE = np.dtype(
    [
        ("levels", np.uint8, 3),
        ("modes", np.uint8, 3),
        ("shares", np.float32, 3),
        ("rest", np.float32, 3),
        ("trust", np.float32),
    ]
)
Mixtures = NDArray[np.void]  # of the above, shape (n,)


@dataclass(frozen=True, slots=True)
class Edges:
    """The pixels that are mixtures: `at` counts them row by row, `which` is each one's mixture."""

    at: NDArray[np.uint32]
    which: NDArray[np.uint32]
    mixtures: Mixtures

    @property
    def nbytes(self) -> int:
        """The memory of the arrays."""
        return self.at.nbytes + self.which.nbytes + self.mixtures.nbytes


def mixed(mixtures: Mixtures, before: Floats, after: Floats, mapped: Floats) -> Levels:
    """Return the new levels of mixtures, shape (n, 3).

    `before` and `after` are the levels of the modes, shape (m, 3), `mapped` those that the colour
    map makes of each colour, shape (n, 3); of a mixture with full trust they do not matter.
    """
    moved = np.abs(after - before).max(axis=1)[mixtures["modes"]].max(axis=1, keepdims=True)
    kept = np.exp(-((moved / _FAR) ** 2))
    again = np.einsum("nk,nkc->nc", mixtures["shares"], after[mixtures["modes"]])
    again += kept * mixtures["rest"]
    new = mapped + mixtures["trust"][:, None] * (again - mapped)
    levels: Levels = np.floor(new + 0.5).clip(0, 255).astype(np.uint8)
    return levels


def edges_of(image: Image.Image, modes: Levels) -> Edges:
    """Return the edge pixels of an RGB or RGBA picture; modes are levels, shape (m, 3), m ≤ 24."""
    labels, is_clean = _labels(image, modes)
    cores = _Cores(labels)
    # where hardly anything differs there is no edge, but shading between two modes, as in a sky
    at = cores.outside[differences_around(image, cores.outside) > _SAME]
    if at.size > max(_MOST * labels.size, _FEW):
        at = at[:0]
    label, colors = labels.ravel()[at], _colors(image, at)
    is_area = (cores.ring(at, 1) & _BITS[label]) != 0
    named = np.flatnonzero((label > 0) & ~is_area)
    strokes = _strokes(named, at, colors, modes, cores, image.width)
    cores.add(at[strokes], label[strokes])
    is_area[strokes] = True
    at, colors = at[~is_area], colors[~is_area]
    return _unmixed(at, colors, cores.seen(at), modes, may_be_three=is_clean)


def add_edges(image: Image.Image, edges: Edges, levels: Levels) -> None:
    """Give the edges of the picture these colours, shape (n, 3), by mixture; alpha stays."""
    colors = words_of(levels)
    for rows, words in words_by_band(image):
        mine = inside(edges.at, rows, image.width)
        if mine.start < mine.stop:
            new = words.ravel().copy()
            at = edges.at[mine] - rows.start * image.width
            new[at] = new[at] & ALPHA | colors[edges.which[mine]]
            set_band(image, rows, new)


def _labels(image: Image.Image, modes: Levels) -> tuple[Labels, bool]:
    """Return for each pixel 1 + the mode it is near, or 0, and whether the areas are free of noise.

    They are if hardly a pixel differs from a mode in the midst of its area. Then near means the
    same; otherwise within 8 levels.
    """
    table = _label_table(modes)
    labels = np.empty((image.height, image.width), dtype=np.uint8)
    for rows, words in words_by_band(image):
        labels[rows] = table[words & COLOR]
        if image.mode == "RGBA":
            labels[rows][words >> 24 == 0] = _SEEN_THROUGH
    near: Labels = labels & np.uint8(_NEARLY - 1)
    beside, stacked = near[:, 1:] == near[:, :-1], near[1:] == near[:-1]
    is_noise = labels > _NEARLY
    others = np.count_nonzero(is_noise | (near == 0))
    is_noise[:, 1:] &= beside
    is_noise[:, :-1] &= beside
    is_noise[1:] &= stacked
    is_noise[:-1] &= stacked
    if np.count_nonzero(is_noise) > _NOISY * others:
        return near, False
    labels[labels > _NEARLY] = 0
    return labels, True


def _label_table(modes: Levels) -> Labels:
    """Return the label of every word's colour: 16 MB, most of which is never touched."""
    labels = np.zeros((256, 256, 256), dtype=np.uint8)
    nearness = np.zeros_like(labels)
    for index, mode in enumerate(modes[:, ::-1].astype(int)):  # blue, green, red, as in a word
        spans = [np.arange(max(0, at - _SAME), min(255, at + _SAME) + 1) for at in mode]
        off = [np.abs(span - at).astype(np.uint8) for span, at in zip(spans, mode, strict=True)]
        distance = np.maximum(np.maximum.outer(off[0], off[1])[..., None], off[2])
        cube = tuple(slice(span[0], span[-1] + 1) for span in spans)
        nearer = _SAME + 1 - distance > nearness[cube]
        labels[cube][nearer] = np.where(distance > 0, index + 1 + _NEARLY, index + 1)[nearer]
        nearness[cube][nearer] = (_SAME + 1 - distance)[nearer]
    return labels.ravel()


_BITS = np.zeros(256, dtype=np.uint32)  # of a label: a bit for each mode, none for anything else
_BITS[1:25] = np.uint32(1) << np.arange(24, dtype=np.uint32)


class _Cores:
    """The labels of even areas, 0 elsewhere, and which of them are near a pixel.

    Pixels are counted row by row; the modes seen from one are the bits of a word.
    """

    def __init__(self, labels: Labels) -> None:
        self._width = labels.shape[1]
        beside, stacked = np.zeros((2, *labels.shape), dtype=np.bool_)
        same = labels[:, 1:] == labels[:, :-1]
        beside[:, 1:] |= same
        beside[:, :-1] |= same
        same = labels[1:] == labels[:-1]
        stacked[1:] |= same
        stacked[:-1] |= same
        core = labels.copy()
        core[~(beside & stacked) | (labels == _SEEN_THROUGH)] = 0
        self.outside = np.flatnonzero((core == 0) & (labels != _SEEN_THROUGH))
        padded = np.pad(core, _FAR_REACH)
        self._stride = padded.shape[1]
        self._labels = padded.ravel()

    def add(self, at: NDArray[np.intp], label: Labels) -> None:
        """Make these pixels cores."""
        self._labels[self._places(at)] = label

    def ring(self, at: NDArray[np.intp], radius: int) -> Words:
        """Return the modes seen on the square that is `radius` pixels away."""
        places = self._places(at)
        seen: Words = np.zeros(len(at), dtype=np.uint32)
        for down, right in _ring(radius):
            seen |= _BITS[self._labels[places + (down * self._stride + right)]]
        return seen

    def seen(self, at: NDArray[np.intp]) -> tuple[Words, ...]:
        """Return the modes within 1, within 2 and within 3 pixels, or up to 6 if none is nearer."""
        within = list(accumulate((self.ring(at, r) for r in range(1, _REACH + 1)), np.bitwise_or))
        for radius in range(_REACH + 1, _FAR_REACH + 1):
            lost = np.flatnonzero(within[-1] == 0)
            within[-1][lost] = self.ring(at[lost], radius)
        return tuple(within)

    def _places(self, at: NDArray[np.intp]) -> NDArray[np.intp]:
        row, column = np.divmod(at, self._width)
        places: NDArray[np.intp] = (row + _FAR_REACH) * self._stride + column + _FAR_REACH
        return places


def _ring(radius: int) -> list[tuple[int, int]]:
    span = range(-radius, radius + 1)
    return [
        (down, right) for down, right in product(span, span) if radius in (abs(down), abs(right))
    ]


def _strokes(
    named: NDArray[np.intp],
    at: NDArray[np.intp],
    colors: Words,
    modes: Levels,
    cores: _Cores,
    width: int,
) -> NDArray[np.intp]:
    """Return which of `named`, places in `at` of pixels with a label, are strokes.

    They are on one ground at most, and no neighbour differs more from that. One that does is what
    is drawn; a pixel at its edge has the colour of a mode by chance.
    """
    seen = cores.ring(at[named], 1)
    for radius in range(2, _STROKE + 1):
        seen |= cores.ring(at[named], radius)
    is_thin = np.bitwise_count(seen) <= 1
    named, seen = named[is_thin], seen[is_thin]
    levels = levels_of(colors).astype(np.int16)
    ground = modes.astype(np.int16)[np.bitwise_count(np.maximum(seen, 1) - np.uint32(1))]
    far = np.abs(levels[named] - ground).max(axis=1)
    is_passed = np.zeros(len(named), dtype=np.bool_)
    for down, right in _ring(1):
        neighbour = at[named] + (down * width + right)
        found = np.minimum(np.searchsorted(at, neighbour), len(at) - 1)
        farther = np.abs(levels[found] - ground).max(axis=1) > far + 2 * _SAME
        is_passed |= (at[found] == neighbour) & farther
    strokes: NDArray[np.intp] = named[(seen == 0) | ~is_passed]
    return strokes


def _colors(image: Image.Image, at: NDArray[np.intp]) -> Words:
    """Return the colours of the pixels, as words without alpha."""
    found = np.empty(len(at), dtype=np.uint32)
    for rows, words in words_by_band(image):
        mine = inside(at, rows, image.width)
        found[mine] = words.ravel()[at[mine] - rows.start * image.width]
    found &= np.uint32(COLOR)
    return found


def _unmixed(
    at: NDArray[np.intp],
    colors: Words,
    seen: tuple[Words, ...],
    modes: Levels,
    *,
    may_be_three: bool,
) -> Edges:
    """Return the edges among the pixels, given the modes seen from each, ever farther away."""
    # each colour is looked at once for all that is seen around it
    numbers = colors.astype(np.uint64)
    for within in seen:
        _, number = np.unique(numbers, return_inverse=True)
        numbers = np.bitwise_or(number.astype(np.uint64) << 32, within, dtype=np.uint64)
    _, first, kind = np.unique(numbers, return_index=True, return_inverse=True)
    color = colors[first]
    around = [within[first] for within in seen]
    found = _mixtures(levels_of(color), around, modes, may_be_three=may_be_three)
    # what is no mixture is left to the map; the others are kept once for each colour and modes
    is_mixture = found["trust"] > 0
    names = color | found["modes"].astype(np.uint64) @ (
        1 << np.array((24, 32, 40), dtype=np.uint64)
    )
    _, first, number = np.unique(names[is_mixture], return_index=True, return_inverse=True)
    which = np.zeros(len(color), dtype=np.uint32)
    which[is_mixture] = number
    mine = is_mixture[kind]
    return Edges(at[mine].astype(np.uint32), which[kind[mine]], found[is_mixture][first])


def _mixtures(levels: Levels, seen: list[Words], modes: Levels, *, may_be_three: bool) -> Mixtures:
    """Return each colour's best mixture, shape (n,), given the modes seen ever farther away."""
    around = seen[-1]
    found = np.zeros(len(levels), dtype=MIXTURE)
    found["levels"] = levels
    cost = np.full(len(levels), np.inf, dtype=np.float32)
    colors, ends = levels.astype(np.float32), modes.astype(np.float32)

    def weigh(asked: NDArray[np.intp], members: tuple[int, ...]) -> None:
        """Take the mixture of these modes wherever it costs less than what was found before."""
        if not asked.size:
            return
        shares = _shares(colors[asked], ends[list(members)])
        rest = colors[asked] - shares @ ends[list(members)]
        price = np.abs(rest).max(axis=1) + _THIRD * (len(members) - 2)
        for member in members:
            bit = np.uint32(1 << member)
            for within, penalty in zip(seen, _NOT_WITHIN, strict=True):
                price += penalty * (within[asked] & bit == 0)
        is_better = price < cost[asked] - _SAME_COST  # the heaviest modes win ties
        better = asked[is_better]
        found["modes"][better] = (*members, members[0])[:3]
        found["shares"][better] = 0
        found["shares"][better, : len(members)] = shares[is_better]
        found["rest"][better] = rest[is_better]
        cost[better] = price[is_better]

    every = range(len(modes))
    pairs = [pair for pair in combinations(every, 2) if (modes[pair[0]] != modes[pair[1]]).any()]
    for pair in pairs:
        bits = _bits(pair)
        weigh(np.flatnonzero(around & bits == bits), pair)
    if may_be_three:
        dear = np.flatnonzero((cost > _THIRD) & (np.bitwise_count(around) >= 3))
        seen_by_any = np.bitwise_or.reduce(around[dear], initial=0)
        for three in combinations([mode for mode in every if seen_by_any >> mode & 1], 3):
            if not _lie_in_line(ends[list(three)]):
                bits = _bits(three)
                weigh(dear[around[dear] & bits == bits], three)
    dear = np.flatnonzero(cost > _NOT_WITHIN[-1])
    for pair in pairs:
        weigh(dear[around[dear] & _bits(pair) != 0], pair)
    left_over = np.abs(found["rest"]).max(axis=1)
    found["trust"] = np.where(np.isinf(cost), 0, np.clip(2 - left_over / _TRUSTED, 0, 1))
    return found


def _bits(modes: tuple[int, ...]) -> np.uint32:
    return np.uint32(sum(1 << mode for mode in modes))


def _lie_in_line(three: NDArray[np.float32]) -> bool:
    """Whether three modes are so nearly in line that two of them mix what all three can."""
    ways = three[1:] - three[0]
    gram = ways @ ways.T
    return bool(np.linalg.det(gram) <= _IN_LINE * gram.max() ** 2)


def _shares(colors: NDArray[np.float32], ends: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the shares of two or three ends, shape (n, ends), that come nearest to each colour.

    None is negative and they sum to 1: past an end, it is all that end's.
    """
    ways = ends[1:] - ends[0]
    shares = np.maximum(np.linalg.solve(ways @ ways.T, ways @ (colors - ends[0]).T).T, 0)
    shares /= np.maximum(shares.sum(axis=1, keepdims=True), 1)
    mixed: NDArray[np.float32] = np.column_stack((1 - shares.sum(axis=1), shares))
    return mixed
