"""The colour map as a three-dimensional table, exact at the colours that matter.

Pillow looks every pixel up in an n x n x n grid over sRGB and interpolates between the eight nodes
around it, in C and without the GIL: 15 ms per megapixel whatever the map is. Interpolation misses
the colours between nodes by a little, which flat art shows. So the nodes around each such colour
are moved by the least amount that makes its lookup right: *pins*.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from functools import lru_cache
from itertools import product

import numpy as np
from PIL import Image, ImageFilter

from palette_worker.rendering.color_map import mapped
from palette_worker.rendering.oklab import Floats, in_gamut, lab_of, levels_of

# With pins, 17 scores as 33 does and is built in a sixth of the time. 33 is for flat art with
# colours so close that in 17 their pins would need nodes beyond what Pillow's table can hold.
_SIZES = (17, 33)
_TABLE_LIMIT = 2.0  # Pillow keeps nodes as 16-bit numbers from -2 to 2, where 1 is white
_STEADY = 1e-6  # keeps the pins' equations solvable where two nearly coincide

# A table is many small numpy steps: two threads at it would only hand the GIL to and fro, at twice
# the context switches, and take 5 % longer for a render each. Lookup and encoding run side by side.
_BUILDING = threading.Lock()


@dataclass(frozen=True, slots=True, eq=False)
class Recoloring:
    """What one palette does to one picture: lab + strength · (f(lab) - lab), kept in gamut.

    `base` and `targets` are f's pairs, OKLab, shape (k, 3); the others tell `mapped` about the
    picture and what is asked for.
    """

    base: Floats
    targets: Floats
    strength: float
    is_flat: bool
    preserve_luminance: bool
    one_hue: float = 0.0

    def levels(self, lab: Floats) -> Floats:
        """Return the levels that OKLab colours become, not rounded; both of shape (n, 3)."""
        moved = mapped(
            lab,
            self.base,
            self.targets,
            is_flat=self.is_flat,
            preserve_luminance=self.preserve_luminance,
            one_hue=self.one_hue,
        )
        return levels_of(in_gamut(lab + self.strength * (moved - lab)))


def color_lut(recoloring: Recoloring, pinned: Floats) -> ImageFilter.Color3DLUT:
    """Return the recolouring as a table for Image.filter, alpha untouched.

    At the main colours and at `pinned`, OKLab, shape (m, 3), the lookup is exact to the rounding of
    8 bits.
    """
    pins = _without_twins(np.concatenate((recoloring.base, pinned)))
    with _BUILDING:
        wanted = recoloring.levels(pins) / 255
        for size in _SIZES:
            # never clipped to 0..1: nodes beyond are what makes the colours within right
            grid = recoloring.levels(_grid(size)) / 255
            nodes = _pinned(grid, size, levels_of(pins) / 255, wanted)
            if np.abs(nodes).max() < _TABLE_LIMIT:
                break
    return ImageFilter.Color3DLUT(size, nodes.astype(np.float32).ravel(), 3, _copy_table=False)


def recolored(image: Image.Image, lut: ImageFilter.Color3DLUT | None) -> Image.Image:
    """Return the picture looked up in the table; without one, the picture itself."""
    return image if lut is None else image.filter(lut)


@lru_cache(maxsize=len(_SIZES))
def _grid(size: int) -> Floats:
    """Return the OKLab colours of the nodes, shape (size³, 3), red fastest as Pillow wants them."""
    steps = np.linspace(0, 255, size)
    blue, green, red = np.meshgrid(steps, steps, steps, indexing="ij")
    lab = lab_of(np.stack((red, green, blue), axis=-1).reshape(-1, 3))
    lab.setflags(write=False)
    return lab


def _without_twins(lab: Floats) -> Floats:
    _, first = np.unique(lab.round(6), axis=0, return_index=True)
    return lab[np.sort(first)]


def _pinned(nodes: Floats, size: int, colors: Floats, wanted: Floats) -> Floats:
    """Return the nodes after the least-norm correction that makes each colour's lookup as wanted.

    With W the interpolation weights of the colours (rows) over the nodes (columns), that is
    Wᵀ (W Wᵀ + ε I)⁻¹ (wanted - W nodes). Colours and values are 0 to 1.
    """
    place = colors * (size - 1)
    low = np.minimum(place.astype(np.intp), size - 2)
    share = place - low
    corners = np.array(list(product((0, 1), repeat=3)))
    at = (low[:, None, :] + corners) @ (1, size, size * size)
    by_corner = np.where(corners, share[:, None, :], 1 - share[:, None, :]).prod(axis=-1)

    used, column = np.unique(at, return_inverse=True)
    weights = np.zeros((len(colors), len(used)))
    np.put_along_axis(weights, column.reshape(at.shape), by_corner, axis=1)
    missing = wanted - weights @ nodes[used]
    correction = np.linalg.solve(weights @ weights.T + _STEADY * np.eye(len(colors)), missing)
    corrected = nodes.copy()
    corrected[used] += weights.T @ correction
    return corrected
