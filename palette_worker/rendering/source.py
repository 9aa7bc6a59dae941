"""A decoded source and what all its palettes share: analysis, edges, template, small copy."""

from __future__ import annotations

import threading
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from colorway.job import OutputOptions
from colorway.perceptual_hashes import PerceptualHashes
from palette_worker.rendering.analyse import Analysis, analyse
from palette_worker.rendering.base_palette import base_palette
from palette_worker.rendering.edges import Edges, edges_of
from palette_worker.rendering.hashing import hashes_of
from palette_worker.rendering.oklab import Floats, levels_of
from palette_worker.rendering.picture import Limits, Picture, open_picture
from palette_worker.rendering.scale import fitted
from palette_worker.rendering.template import (
    FEW,
    Template,
    TemplateFile,
    template_file,
    template_of,
)


@dataclass(frozen=True, slots=True)
class Drawing:
    """A picture and how it is drawn; what is not flat art has neither edges nor template.

    A template is there for few colours, and stands for the edges too.
    """

    image: Image.Image
    edges: Edges | None = None
    template: Template | None = None

    @property
    def nbytes(self) -> int:
        """The memory held, in bytes: Pillow takes four for every pixel, RGB too."""
        parts = (part.nbytes for part in (self.edges, self.template) if part is not None)
        return 4 * self.image.width * self.image.height + sum(parts)


class Source:
    """The upright sRGB picture, what is known about it, and a small copy; threads may share it.

    `format` is the file's: `png`, `jpeg`, `webp`, `gif`, `avif` or `tiff`. `frames` tells how many
    the file has; the first is the one that is rendered.
    """

    def __init__(self, picture: Picture) -> None:
        self.image: Image.Image = picture.image
        self.size = self.width, self.height = picture.image.size
        self.format = picture.format
        self.frames = picture.frames
        self.analysis: Analysis = analyse(picture.image)
        self.drawing = self._drawn(picture.image, most_colors=FEW)
        self._lock = threading.Lock()
        self._bases: dict[int, Floats] = {}  # by k, which a palette bounds to 16
        self._file: TemplateFile | None = None
        self._small: tuple[int, Drawing] | None = None
        self._hashing = threading.Lock()
        self._hashes: PerceptualHashes | None = None
        self.small_copy(OutputOptions().thumbnail_edge)

    @property
    def nbytes(self) -> int:
        """The memory held, in bytes; it grows a little when a template is first written."""
        held = self.drawing.nbytes + self.analysis.nbytes
        if self._small is not None and self._small[1] is not self.drawing:
            held += self._small[1].nbytes
        return held + (self._file.nbytes if self._file is not None else 0)

    def base_palette(self, k: int) -> Floats:
        """Return the at most k main colours, OKLab, shape (n, 3); found once per k."""
        with self._lock:
            if k not in self._bases:
                self._bases[k] = base_palette(self.analysis, k)
            return self._bases[k]

    def template_file(self, template: Template) -> TemplateFile:
        """Return the file of the drawing's template; written once."""
        with self._lock:
            if self._file is None:
                self._file = template_file(template)
            return self._file

    def small_copy(self, edge: int) -> Drawing:
        """Return the picture at most `edge` pixels long; the last edge asked for is kept."""
        with self._lock:
            if self._small is None or self._small[0] != edge:
                self._small = (edge, self._drawn_small(edge))
            return self._small[1]

    def hashes(self) -> PerceptualHashes | None:
        """Return the perceptual hashes, found once; None while another thread is finding them."""
        if not self._hashing.acquire(blocking=False):
            return None
        try:
            if self._hashes is None:
                self._hashes = hashes_of(self.image)
            return self._hashes
        finally:
            self._hashing.release()

    def _drawn_small(self, edge: int) -> Drawing:
        small = fitted(self.image, edge)
        if small is self.image:
            return self.drawing
        # shrinking mixes what few colours there are into many; still fewer than the table's nodes
        has_few = self.drawing.template is not None
        return self._drawn(small, most_colors=small.width * small.height if has_few else 0)

    def _drawn(self, image: Image.Image, *, most_colors: int) -> Drawing:
        if not self.analysis.is_flat:
            return Drawing(image)
        edges = edges_of(image, self.mode_levels)
        template = template_of(image, edges, most_colors)
        return Drawing(image, None if template is not None else edges, template)

    @property
    def mode_levels(self) -> NDArray[np.uint8]:
        """The modes as whole levels, shape (m, 3)."""
        return np.floor(levels_of(self.analysis.modes) + 0.5).astype(np.uint8)


def decode(body: bytes, limits: Limits = Limits()) -> Source:  # noqa: B008 - a frozen value
    """Decode and analyse an image file: PNG, JPEG, WebP, GIF, AVIF or TIFF, the first frame.

    Raises Hopeless with one sentence for the client, phase `decode` and code
    `image-too-many-pixels` (beyond `limits`) or `image-undecodable` (anything else).
    """
    return Source(open_picture(body, limits))
