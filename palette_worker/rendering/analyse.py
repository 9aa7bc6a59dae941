"""What colours a picture has, independent of any palette; once per source.

Three questions. Which colours, and how much of each: a histogram. Is it *flat art* (a logo, an
icon, a poster of even areas), for which "nearly the palette" is not good enough: then most pixels
lie exactly on a few *modes*, colours of even areas. And has it but one hue, as a sepia print has.
Only nearest-neighbour samples are used: averaging would invent colours along every edge.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from palette_worker.rendering.oklab import Floats, lab_of

_SAMPLE_EDGE = 512  # pixels: some 260 000 samples place a mode of 0.3 % well within its error
_STEP = 2  # pixels: a neighbour at 1 is often the same antialiased edge
_SAME = 8  # levels: what JPEG at quality 85 leaves between pixels of one even area
_VISIBLE = 128  # alpha
_MAX_MODES = 24
_MODE_RADIUS = 0.022  # OKLab: about the reach of the noise of one even area
_MODE_SHARE = 0.003
_FLAT = 0.80  # logos score 1.00, as JPEG 0.89; a snowfield with gentle drifts 0.73, photos less
_FEW = 32  # pixels
_LIGHTNESSES = 20  # slices of L: fine enough that a tint which deepens with the shade is one hue
_ONE_HUE = 0.02  # OKLab: sepia prints scatter by 0.001, a brown cup on wood by 0.024


@dataclass(frozen=True, slots=True)
class Analysis:
    """Colours and their shares of the visible pixels, heaviest modes first.

    `bins` and `modes` are OKLab, shapes (n, 3) and (m, 3), m ≤ 24; `bin_shares` sum to 1.
    Nothing visible: no bins. `flatness` goes from 0 to 1, and so does `one_hue`: how much of a
    colour's a and b follows from its lightness.
    """

    bins: Floats
    bin_shares: Floats
    modes: Floats
    mode_shares: Floats
    flatness: float
    one_hue: float

    @property
    def is_flat(self) -> bool:
        """Whether this is flat art."""
        return self.flatness >= _FLAT

    @property
    def nbytes(self) -> int:
        """The memory of the arrays."""
        return (
            self.bins.nbytes + self.bin_shares.nbytes + self.modes.nbytes + self.mode_shares.nbytes
        )


def analyse(image: Image.Image) -> Analysis:
    """Analyse an RGB or RGBA picture in sRGB."""
    visible = _visible(_sample(image, (0, 0, *image.size)))
    colors, counts, _ = _histogram(visible)
    bins, shares = lab_of(colors), counts / max(1, counts.sum())
    inner = _inner_pixels(image)
    modes, mode_counts = _modes(inner)
    inner_share = min(1.0, len(inner) / max(1, len(visible)))  # two samples: it may just exceed 1
    return Analysis(
        bins=bins,
        bin_shares=shares,
        modes=lab_of(modes),
        mode_shares=mode_counts / max(1, len(inner)) * inner_share,
        flatness=_flatness(inner, modes, mode_counts),
        one_hue=_one_hue(bins, shares),
    )


def _sample(image: Image.Image, box: tuple[int, int, int, int]) -> NDArray[np.uint8]:
    size = (min(_SAMPLE_EDGE, box[2] - box[0]), min(_SAMPLE_EDGE, box[3] - box[1]))
    sample = image.resize(size, Image.Resampling.NEAREST, box=box)
    return np.asarray(sample).reshape(-1, len(image.getbands()))


def _is_visible(pixels: NDArray[np.uint8]) -> NDArray[np.bool_]:
    if pixels.shape[1] == 3:
        return np.ones(len(pixels), dtype=np.bool_)
    alpha = pixels[:, 3]
    solid: NDArray[np.bool_] = alpha >= _VISIBLE
    return solid if solid.any() else alpha > 0  # a watermark is faint all over


def _visible(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return pixels[_is_visible(pixels)][:, :3]


def _inner_pixels(image: Image.Image) -> NDArray[np.uint8]:
    """Return the visible samples that look like their neighbours to the right and below."""
    width, height = image.size
    # on tiny pictures the step shrinks, lest whole columns have no neighbour to be compared with
    step_x, step_y = min(_STEP, width // 4), min(_STEP, height // 4)
    core = (width - step_x, height - step_y)
    here = _sample(image, (0, 0, *core))
    right = _sample(image, (step_x, 0, core[0] + step_x, core[1]))
    below = _sample(image, (0, step_y, core[0], core[1] + step_y))
    inner = _is_visible(here) & _is_like(here, right) & _is_like(here, below)
    return here[inner][:, :3]


def _is_like(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> NDArray[np.bool_]:
    return _chebyshev(one[:, :3], other[:, :3]) <= _SAME


def _chebyshev(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the largest difference of a channel, in levels, without leaving 8 bits."""
    difference = np.maximum(one, other) - np.minimum(one, other)
    largest: NDArray[np.uint8] = np.maximum(
        np.maximum(difference[:, 0], difference[:, 1]), difference[:, 2]
    )
    return largest


def _histogram(pixels: NDArray[np.uint8]) -> tuple[Floats, Floats, NDArray[np.intp]]:
    """Return mean levels and counts of the used bins (5 bits a channel), and each pixel's bin."""
    five = (pixels >> 3).astype(np.intp)
    index = (five[:, 0] << 10) | (five[:, 1] << 5) | five[:, 2]
    counts = np.bincount(index, minlength=1 << 15)
    used = np.flatnonzero(counts)
    sums = [np.bincount(index, weights=pixels[:, c], minlength=1 << 15)[used] for c in range(3)]
    place = np.zeros(1 << 15, dtype=np.intp)
    place[used] = np.arange(len(used))
    used_counts = counts[used].astype(np.float64)
    return np.stack(sums, axis=-1) / used_counts[:, None], used_counts, place[index]


def _modes(inner: NDArray[np.uint8]) -> tuple[Floats, Floats]:
    """Return the colours (levels, whole numbers) and pixel counts of even areas, heaviest first."""
    colors, counts, bin_of_pixel = _histogram(inner)
    lab, left = lab_of(colors), counts.copy()
    modes: list[Floats] = []
    masses: list[float] = []
    for _ in range(_MAX_MODES):
        if not left.any():
            break
        near = ((lab - lab[left.argmax()]) ** 2).sum(axis=1) <= _MODE_RADIUS**2
        near &= left > 0
        mass = float(left[near].sum())
        left[near] = 0
        if mass >= _MODE_SHARE * len(inner):
            # the median, for the mean would be drawn off the flat colour by noise on one side
            median = np.median(inner[near[bin_of_pixel]], axis=0)
            modes.append(np.floor(median + 0.5))
            masses.append(mass)
    by_mass = np.argsort(-np.array(masses), kind="stable")
    return np.array(modes).reshape(-1, 3)[by_mass], np.array(masses)[by_mass]


def _flatness(inner: NDArray[np.uint8], modes: Floats, masses: Floats) -> float:
    """Return how sharply the inner pixels gather at the modes.

    P(a mode within 8) · (pairs within 4) / (pairs within 12), over pixels and modes, leaving out
    the biggest mode: a white ground says nothing about what is drawn on it. Noise of an even area
    falls off within a few levels; a ramp fills the wider window evenly and scores 9/25.
    """
    if not len(modes):
        return 0.0
    solid = modes.astype(np.uint8)
    drawn = inner[_chebyshev(inner, solid[:1]) > 12]
    if len(drawn) <= _FEW:
        return 1.0 if masses[0] > 0.5 * len(inner) else 0.0
    close = wide = 0
    is_at_a_mode = np.zeros(len(drawn), dtype=np.bool_)
    for mode in solid:
        distance = _chebyshev(drawn, mode[None])
        close += int(np.count_nonzero(distance <= 4))
        wide += int(np.count_nonzero(distance <= 12))
        is_at_a_mode |= distance <= _SAME
    return float(is_at_a_mode.mean()) * close / max(1, wide)


def _one_hue(bins: Floats, shares: Floats) -> float:
    """Return 1 where all colours of one lightness are the same, falling off as they scatter."""
    slices = (bins[:, 0] * _LIGHTNESSES).astype(np.intp)
    mass = np.bincount(slices, shares)[slices]
    means = [np.bincount(slices, shares * bins[:, axis])[slices] / mass for axis in (1, 2)]
    scatter = shares @ ((bins[:, 1:] - np.column_stack(means)) ** 2).sum(axis=1)
    return float(np.exp(-scatter / _ONE_HUE**2))
