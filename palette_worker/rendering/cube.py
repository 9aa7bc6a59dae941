"""A recolouring as a `.cube` file, which Photoshop, Resolve and ffmpeg read.

Adobe, "Cube LUT Specification 1.0", 2013: text, a keyword a line, then one line of red, green and
blue per node of a grid over 0 to 1, red fastest. As our own table, but for two things. Readers may
interpolate between four nodes where Pillow takes eight (ffmpeg does by default), which is another
surface wherever a table bends. And some look colours up in a table of their own size.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from PIL import ImageFilter

from palette_worker.rendering.oklab import Floats

# The largest grid in common use. It contains the nodes of our grids of 17 and 33, so what lies
# between eight nodes of ours is repeated exactly. Between four, it is off by one or two levels for
# palettes that suit the picture, up to seven for pure red, green and blue; with 33, up to 23.
SIZE = 65


def cube_file(lut: ImageFilter.Color3DLUT | None, *, title: str) -> bytes:
    """Return the table as a file; None stands for the recolouring that changes nothing.

    `title` is ASCII without quotes or line ends. Values may lie outside 0 to 1, as in the table:
    to clip them would move the colours inside, by up to 20 levels for a violent palette.
    """
    nodes = _refined(_nodes(lut), SIZE)
    return "".join(_lines(nodes, title)).encode("ascii")


def _nodes(lut: ImageFilter.Color3DLUT | None) -> Floats:
    """Return the values, shape (blue, green, red, 3)."""
    if lut is None:
        blue, green, red = np.indices((2, 2, 2)).astype(np.float64)
        return np.stack((red, green, blue), axis=-1)
    red, green, blue = lut.size
    return np.asarray(lut.table, dtype=np.float64).reshape(blue, green, red, 3)


def _refined(nodes: Floats, size: int) -> Floats:
    """Return the values on a grid of `size`, interpolated linearly along each axis."""
    for axis in range(3):
        place = np.linspace(0, nodes.shape[axis] - 1, size)
        low = np.minimum(place.astype(np.intp), nodes.shape[axis] - 2)
        share = (place - low).reshape([-1 if other == axis else 1 for other in range(4)])
        nodes = nodes.take(low, axis) * (1 - share) + nodes.take(low + 1, axis) * share
    return nodes


def _lines(nodes: Floats, title: str) -> Iterator[str]:
    yield f'TITLE "{title}"\nLUT_3D_SIZE {len(nodes)}\n'
    yield "DOMAIN_MIN 0.0 0.0 0.0\nDOMAIN_MAX 1.0 1.0 1.0\n"
    row = "%.5f %.5f %.5f\n"  # to a four-hundredth of a level
    for plane in nodes:  # one at a time: as Python's numbers they take ten times the memory
        yield row * (plane.size // 3) % tuple(plane.ravel().tolist())
