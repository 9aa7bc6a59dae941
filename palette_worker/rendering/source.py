"""A decoded source and what all its palettes share: decoding, analysis, small copy."""

from __future__ import annotations

import threading

from PIL import Image

from colorway.job import OutputOptions
from palette_worker.rendering.analyse import Analysis, analyse
from palette_worker.rendering.base_palette import base_palette
from palette_worker.rendering.oklab import Floats
from palette_worker.rendering.picture import Limits, Picture, open_picture
from palette_worker.rendering.scale import fitted


class Source:
    """The upright sRGB picture, its analysis and its small copy; threads may share it.

    `format` is the file's: `png`, `jpeg`, `webp`, `gif`, `avif` or `tiff`. `frames` tells how many
    the file has; the first is the one that is rendered.
    """

    def __init__(self, picture: Picture) -> None:
        self.image: Image.Image = picture.image
        self.width, self.height = picture.image.size
        self.format = picture.format
        self.frames = picture.frames
        self.analysis: Analysis = analyse(picture.image)
        self._lock = threading.Lock()
        self._bases: dict[int, Floats] = {}  # by k, which a palette bounds to 16
        self._small: tuple[int, Image.Image] | None = None
        self.small_copy(OutputOptions().thumbnail_edge)

    @property
    def nbytes(self) -> int:
        """The memory held, in bytes: Pillow takes four for every pixel, RGB too."""
        pixels = self.width * self.height
        if self._small is not None and self._small[1] is not self.image:
            pixels += self._small[1].width * self._small[1].height
        return 4 * pixels + self.analysis.nbytes

    def base_palette(self, k: int) -> Floats:
        """Return the at most k main colours, OKLab, shape (n, 3); found once per k."""
        with self._lock:
            if k not in self._bases:
                self._bases[k] = base_palette(self.analysis, k)
            return self._bases[k]

    def small_copy(self, edge: int) -> Image.Image:
        """Return the picture at most `edge` pixels long; the last edge asked for is kept."""
        with self._lock:
            if self._small is None or self._small[0] != edge:
                self._small = (edge, fitted(self.image, edge))
            return self._small[1]


def decode(body: bytes, limits: Limits = Limits()) -> Source:  # noqa: B008 - a frozen value
    """Decode and analyse an image file: PNG, JPEG, WebP, GIF, AVIF or TIFF, the first frame.

    Raises Hopeless with one sentence for the client, phase `decode` and code
    `image-too-many-pixels` (beyond `limits`) or `image-undecodable` (anything else).
    """
    return Source(open_picture(body, limits))
