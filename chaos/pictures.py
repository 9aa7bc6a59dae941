"""Small pictures drawn with a seed: each different, or nothing would be rendered twice."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from io import BytesIO

import numpy as np
from PIL import Image

_SIZES = ((320, 240), (240, 320), (280, 280), (400, 260))


@dataclass(frozen=True, slots=True)
class Picture:
    """A PNG file, and its SHA-256 as everybody must see it."""

    body: bytes
    sha256: str


def draw(name: str) -> Picture:
    """Return the picture of this name, the same each time."""
    dice = np.random.default_rng(list(name.encode()))
    width, height = _SIZES[dice.integers(len(_SIZES))]
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    waves = dice.uniform(15, 60, (3, 2))
    hills = [np.sin(x / across) * 60 + np.cos(y / down) * 60 + 128 for across, down in waves]
    grain = dice.normal(0, 3, (height, width, 1))
    pixels = np.clip(np.stack(hills, axis=-1) + grain, 0, 255).astype(np.uint8)
    file = BytesIO()
    Image.fromarray(pixels).save(file, "PNG", compress_level=1)
    body = file.getvalue()
    return Picture(body, hashlib.sha256(body).hexdigest())
