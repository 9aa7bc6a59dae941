"""From untrusted bytes to one upright sRGB picture, or to one clear sentence.

Pillow would open 43 formats (some call other programs), only warns about bombs, applies neither
orientation nor profile, and raises whatever a broken file happens to trip. Everything of that is
settled here, so that the other modules see RGB or RGBA, 8 bits, and no metadata.
"""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
from PIL import ExifTags, Image, UnidentifiedImageError

from colorway.errors import Hopeless
from palette_worker.rendering.profile import in_srgb
from palette_worker.rendering.quiet import without_warnings

FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "AVIF", "TIFF")

# What libtiff may unpack, by Pillow's names. The rarer ones (SGI log, LZMA, Zstandard, WebP in
# TIFF, …) are seldom in honest files and a large surface in the others.
_TIFF_CODECS = {
    "raw",
    "packbits",
    "tiff_ccitt",
    "group3",
    "group4",
    "tiff_lzw",
    "jpeg",
    "tiff_adobe_deflate",
    "tiff_deflate",
}

# These two have no frame count: Pillow walks the file, at worst a second for so many bytes. In a
# longer file we only look whether there is a second frame.
_COUNTED_BYTES = {"GIF": 10_000_000, "TIFF": 1_000_000}

# EXIF 2.32, tag 0x0112: how to turn the stored picture upright
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


@dataclass(frozen=True, slots=True)
class Limits:
    """What we are willing to decode: pixels in all, pixels of a side, bytes of the file."""

    max_pixels: int = 40_000_000
    max_side: int = 30_000
    max_bytes: int = 50_000_000


@dataclass(frozen=True, slots=True)
class Picture:
    """The first frame, upright, in sRGB, mode RGB or RGBA, without metadata.

    `format` is the file's (`png`, `jpeg`, `webp`, `gif`, `avif`, `tiff`). `frames` is 1 for a
    still; in a very long GIF or TIFF it is 2 for any number beyond.
    """

    image: Image.Image
    format: str
    frames: int


def open_picture(body: bytes, limits: Limits) -> Picture:
    """Decode an image file.

    Raises Hopeless: `image-too-many-pixels` beyond the limits of width, height and area, else
    `image-undecodable`; the phase is `decode`.
    """
    if len(body) > limits.max_bytes:
        raise _undecodable(
            f"the file has {len(body):,} bytes; at most {limits.max_bytes:,} are decoded"
        )
    kind = "image"
    try:
        with without_warnings(), Image.open(io.BytesIO(body), formats=FORMATS) as image:
            name = _format_name(image)
            kind = name.upper()
            _require_size(image.size, limits)
            _require_known_pixels(image)
            frames = _frames(image, len(body))
            image.load()
            plain = _upright(_plain(image), _orientation(image))
    except Hopeless:
        raise
    except UnidentifiedImageError as error:
        raise _undecodable("this is not a PNG, JPEG, WebP, GIF, AVIF or TIFF image") from error
    except Image.DecompressionBombError as error:
        raise _too_many_pixels(
            f"the image has more pixels than the {limits.max_pixels:,} allowed"
        ) from error
    except Exception as error:  # Pillow's readers raise nearly anything on a broken file
        raise _undecodable(f"the {kind} file is damaged or cut short") from error
    return Picture(plain, name, frames)


def _format_name(image: Image.Image) -> str:
    # a JPEG with a second picture behind it, as many phones write, calls itself MPO
    return {"MPO": "jpeg"}.get(image.format or "", (image.format or "").lower())


def _require_size(size: tuple[int, int], limits: Limits) -> None:
    width, height = size
    if width > limits.max_side or height > limits.max_side:
        raise _too_many_pixels(
            f"the image is {width} x {height} pixels; a side may have at most {limits.max_side:,}"
        )
    if width * height > limits.max_pixels:
        raise _too_many_pixels(
            f"the image has {width * height:,} pixels; at most {limits.max_pixels:,} are allowed"
        )


def _require_known_pixels(image: Image.Image) -> None:
    if image.format == "TIFF" and image.info.get("compression") not in _TIFF_CODECS:
        raise _undecodable("this TIFF file is compressed in a way that is not read here")
    if image.mode in ("I", "F"):
        # 32-bit measurements (elevation, density …): what would be white is anybody's guess
        raise _undecodable("an image with 32 bits per channel has no colours to map")


def _frames(image: Image.Image, size: int) -> int:
    if size > _COUNTED_BYTES.get(image.format or "", size):
        return 2 if getattr(image, "is_animated", False) else 1
    return int(getattr(image, "n_frames", 1))


def _orientation(image: Image.Image) -> int:
    # asked for after load(): Pillow turns TIFFs itself and then drops the tag
    try:
        return int(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # damaged metadata is no reason to refuse a sound picture
        return 1


def _upright(image: Image.Image, orientation: int) -> Image.Image:
    how = _UPRIGHT.get(orientation)
    return image if how is None else image.transpose(how)


def _plain(image: Image.Image) -> Image.Image:
    """Return the pixels as RGB or RGBA in sRGB, in a picture that remembers nothing else."""
    icc = image.info.get("icc_profile")
    plain = in_srgb(_eight_bit(image), icc if isinstance(icc, bytes) else None)
    plain.info = {}  # Pillow writes profile, XMP, comment and resolution from here into new files
    return plain


def _eight_bit(image: Image.Image) -> Image.Image:
    """Return a copy in mode L, LA, RGB, RGBA or CMYK."""
    if image.mode.startswith("I;16"):
        # convert("L") would clip at 255 and make nearly everything white
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    if image.has_transparency_data and image.mode != "LA":
        return image.convert("RGBA")
    if image.mode == "1":
        return image.convert("L")
    if image.mode in ("L", "LA", "CMYK"):
        return image.copy()
    return image.convert("RGB")  # of an RGB file too: a copy that does not hold the file open


def _undecodable(detail: str) -> Hopeless:
    return Hopeless(detail, code="image-undecodable", phase="decode")


def _too_many_pixels(detail: str) -> Hopeless:
    return Hopeless(detail, code="image-too-many-pixels", phase="decode")
