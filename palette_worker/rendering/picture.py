"""From untrusted bytes to one upright sRGB picture, or to one clear sentence.

Pillow would open 43 formats (some call other programs), only warns about bombs, applies neither
orientation nor profile, and raises whatever a broken file happens to trip. Everything of that is
settled here, so that the other modules see RGB or RGBA, 8 bits, and no metadata.

libtiff prints what it finds wrong with a TIFF to standard error, past Python's logging, and Pillow
offers no way to stop it. Redirecting the descriptor would silence every other thread too, so it
stays: a line of plain text in the log, without effect.
"""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
from PIL import ExifTags, Image, TiffImagePlugin, UnidentifiedImageError

from colorway.errors import Hopeless
from palette_worker.rendering.av1 import TooManyParts, coded_sizes
from palette_worker.rendering.outline import damaged, outline, undecodable
from palette_worker.rendering.profile import in_srgb
from palette_worker.rendering.quiet import without_warnings

_SPELLED = {"WEBP": "WebP"}

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

# A tile may be larger than the picture, and libtiff unpacks all of it. Honest ones are padded to
# some 16 pixels, or a few hundred for a very small picture.
_SMALL_TILE = 1 << 22  # pixels

_TILE_SIZE = (TiffImagePlugin.TILEWIDTH, TiffImagePlugin.TILELENGTH)

# More than any camera writes, and far less than Pillow could be led to unpack from it.
_MAX_EXIF_BYTES = 1_000_000

# Pillow's own reader of uncompressed TIFFs takes the gap between two strips for a block: of gaps of
# one byte it makes hours. libtiff reads these files as it reads the others.
TiffImagePlugin.READ_LIBTIFF = True

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
    still.
    """

    image: Image.Image
    format: str
    frames: int


def open_picture(body: bytes, limits: Limits) -> Picture:
    """Decode an image file.

    Raises Hopeless: `image-too-many-pixels` beyond the limits of width, height and area, else
    `image-undecodable`; the phase is `decode`. MemoryError is passed on: within the limits it tells
    of the machine, and another attempt may have more room.
    """
    if len(body) > limits.max_bytes:
        raise undecodable(
            f"the file has {len(body):,} bytes; at most {limits.max_bytes:,} are decoded"
        )
    found = outline(body)
    kind = _SPELLED.get(found.format, found.format)
    if found.format == "AVIF":
        _require_sizes_inside(found.body, limits)
    try:
        file = io.BytesIO(found.body)
        with without_warnings(), Image.open(file, formats=(found.format,)) as image:
            _require_size(image.size, limits)
            _require_known_pixels(image)
            frames = found.frames or int(getattr(image, "n_frames", 1))
            image.load()
            _scale_clear_level(image, body)
            plain = _upright(_plain(image), _orientation(image))
    except (Hopeless, MemoryError):
        raise
    except Image.DecompressionBombError as error:
        raise _too_many_pixels(
            f"the image has more pixels than the {limits.max_pixels:,} allowed"
        ) from error
    except UnidentifiedImageError as error:  # of any error in its headers
        raise undecodable(
            f"the {kind} file is damaged, or of a kind that is not read here"
        ) from error
    except Exception as error:  # Pillow's readers raise nearly anything on a broken file
        if _is_bomb(error):
            raise undecodable(f"the {kind} file's metadata unpack to too much") from error
        raise damaged(kind) from error
    return Picture(plain, found.format.lower(), frames)


def _is_bomb(error: Exception) -> bool:
    # of a PNG's texts and profile, which Pillow unpacks to 1 MB each and 64 MB in all
    return isinstance(error, ValueError) and "MAX_TEXT" in str(error)


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


def _require_sizes_inside(avif: bytes, limits: Limits) -> None:
    try:
        sizes = coded_sizes(avif)
    except TooManyParts:
        raise undecodable("the AVIF file has more parts than any picture needs") from None
    for size in sizes:
        _require_size(size, limits)
    # the picture, its alpha, and as much again where there is an animation too
    if sum(width * height for width, height in sizes) > 4 * limits.max_pixels:
        raise _too_many_pixels(
            f"the image's parts have more than four times the {limits.max_pixels:,} pixels allowed"
        )


def _require_known_pixels(image: Image.Image) -> None:
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        if image.info.get("compression") not in _TIFF_CODECS:
            raise undecodable("this TIFF file is compressed in a way that is not read here")
        width, height = (image.tag_v2.get(tag, 1) for tag in _TILE_SIZE)
        if width * height > max(_SMALL_TILE, 1.5 * image.width * image.height):
            raise undecodable("this TIFF file has tiles far larger than its picture")
    if image.mode in ("I", "F"):
        # 32-bit measurements (elevation, density …): what would be white is anybody's guess
        raise undecodable(
            "an image with 32 bits per channel, or signed ones, has no colours to map"
        )


def _orientation(image: Image.Image) -> int:
    """Return EXIF's word on it; by now Pillow has turned TIFFs itself, and told AVIF's as EXIF."""
    record = image.info.get("exif")
    if not isinstance(record, bytes) or len(record) > _MAX_EXIF_BYTES:
        return 1
    try:
        exif = Image.Exif()
        exif.load(record)
        return int(exif.get(ExifTags.Base.Orientation, 1))
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
        return _eight_bit_grey(image)
    if image.has_transparency_data and image.mode != "LA":
        return image.convert("RGBA")
    if image.mode == "1":
        return image.convert("L")
    if image.mode in ("L", "LA", "CMYK"):
        return image.copy()
    return image.convert("RGB")  # of an RGB file too: a copy that does not hold the file open


def _eight_bit_grey(image: Image.Image) -> Image.Image:
    """Return a deep grey picture as L or LA; convert("L") would clip at 255: nearly all white."""
    levels, bits, is_negative = np.asarray(image), 16, False
    if isinstance(image, TiffImagePlugin.TiffImageFile):  # Pillow leaves both as they are
        bits = image.tag_v2[TiffImagePlugin.BITSPERSAMPLE][0]
        is_negative = image.tag_v2.get(TiffImagePlugin.PHOTOMETRIC_INTERPRETATION) == 0
    shades = (levels >> (bits - 8)).astype(np.uint8)
    grey = Image.fromarray(255 - shades if is_negative else shades)
    clear = image.info.get("transparency")
    if isinstance(clear, int):  # a PNG's one see-through level
        grey.putalpha(Image.fromarray((levels != clear) * np.uint8(255)))
    return grey


def _scale_clear_level(image: Image.Image, body: bytes) -> None:
    # told in as many bits as the file has, which Pillow spreads to 8 for the pixels only
    clear = image.info.get("transparency")
    if image.format == "PNG" and image.mode == "L" and isinstance(clear, int):
        image.info["transparency"] = clear * 255 // ((1 << body[24]) - 1)


def _too_many_pixels(detail: str) -> Hopeless:
    return Hopeless(detail, code="image-too-many-pixels", phase="decode")
