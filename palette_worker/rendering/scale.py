"""Smaller copies: `max_edge` and thumbnails.

Pillow resamples RGBA premultiplied, so what hides under transparent pixels does not bleed out.
Hamming, not Lanczos: without negative lobes no edge rings, so flat art gets no colour that lies
outside what it is made of.
"""

from __future__ import annotations

from PIL import Image

_GAP = 3.0  # Pillow's documented "fair" gap: averages whole pixels first, hard to tell apart


def fitted_size(size: tuple[int, int], edge: int | None) -> tuple[int, int]:
    """Return the size with its longer side at most `edge`, aspect kept, no side below 1."""
    longer = max(size)
    if edge is None or longer <= edge:
        return size
    width, height = (max(1, round(side * edge / longer)) for side in size)
    return width, height


def fitted(image: Image.Image, edge: int | None) -> Image.Image:
    """Return the picture made smaller to fit, or the picture itself where it does; never larger."""
    size = fitted_size(image.size, edge)
    if size == image.size:
        return image
    return image.resize(size, Image.Resampling.HAMMING, reducing_gap=_GAP)
