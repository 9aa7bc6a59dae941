"""Colour profiles: whatever space a picture was made in, the method works in sRGB.

littlecms does the conversion, with perceptual intent: for the matrix profiles of cameras and
screens all intents are the same, for print profiles it is the one meant for pictures.
"""

from __future__ import annotations

import io

import numpy as np
from PIL import Image, ImageCms

# Many files carry sRGB itself. A profile that moves no colour by more than this is taken for it,
# and the pixels stay as they are: bit for bit, and 9 ms per megapixel sooner.
_SAME_WITHIN = 2  # levels


def in_srgb(image: Image.Image, icc: bytes | None) -> Image.Image:
    """Return the picture in sRGB, mode RGB or RGBA; the argument may be reused for it.

    The picture is L, LA, RGB, RGBA or CMYK. A profile that cannot be read, or is for another kind
    of picture, counts as none; without one, CMYK is converted naively and the rest is sRGB.
    """
    if image.mode == "LA":
        colors = in_srgb(image.getchannel("L"), icc)
        colors.putalpha(image.getchannel("A"))
        return colors
    mode = "RGBA" if image.mode == "RGBA" else "RGB"
    transform = None if icc is None else _to_srgb(icc, image.mode, mode)
    if transform is None:
        return image if image.mode == mode else image.convert(mode)
    if image.mode != mode:
        return transform.apply(image)
    if not _is_identity(transform, mode):
        transform.apply_in_place(image)  # alpha stays as it is
    return image


def _to_srgb(icc: bytes, mode: str, to_mode: str) -> ImageCms.ImageCmsTransform | None:
    try:
        return ImageCms.buildTransform(
            ImageCms.ImageCmsProfile(io.BytesIO(icc)),
            ImageCms.createProfile("sRGB"),
            mode,
            to_mode,
            renderingIntent=ImageCms.Intent.PERCEPTUAL,
        )
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return None


def _is_identity(transform: ImageCms.ImageCmsTransform, mode: str) -> bool:
    steps = np.linspace(0, 255, 9).astype(np.uint8)
    colors = np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(1, -1, 3)
    probe = Image.fromarray(np.ascontiguousarray(colors)).convert(mode)
    converted = transform.apply(probe)
    difference = np.asarray(probe).astype(int) - np.asarray(converted).astype(int)
    return int(np.abs(difference).max()) <= _SAME_WITHIN
