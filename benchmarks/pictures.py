"""Pictures to measure with: drawn, so that nothing is downloaded, and the same every time."""

from __future__ import annotations

from io import BytesIO

import numpy as np
from PIL import Image


def photo(width: int, height: int, *, seed: int = 1) -> Image.Image:
    """Return an sRGB picture with a photograph's traits: soft shading, some edges, grain."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32) / max(width, height)
    chance = np.random.default_rng(seed)
    pixels = np.empty((height, width, 3), np.float32)
    for channel in range(3):
        a, b, c = chance.uniform(2, 9, 3)
        shading = np.sin(a * x + channel) + np.cos(b * y - channel) + np.sin(c * (x + y))
        pixels[..., channel] = 128 + 36 * shading
    for _ in range(40):
        left, top = chance.uniform(0, 1, 2)
        inside = (x - left) ** 2 + (y - top) ** 2 < chance.uniform(0.01, 0.12) ** 2
        pixels[inside] = 0.5 * pixels[inside] + chance.uniform(0, 128, 3)
    pixels += chance.normal(0, 1, pixels.shape)
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


def encoded(picture: Image.Image, kind: str) -> bytes:
    """Return the picture as a file of this kind, `png` or `jpeg` (quality 90)."""
    body = BytesIO()
    picture.save(body, kind.upper(), quality=90, compress_level=1)
    return body.getvalue()
