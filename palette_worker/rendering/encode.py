"""Pictures to files: small enough, soon enough, and with no metadata.

Figures are for a photo of 1 MP and 24-bit colour, on the machine the method was made on.
"""

from __future__ import annotations

import io

from PIL import Image

from colorway.errors import Hopeless
from colorway.job import OutputFormat, OutputOptions
from palette_worker.rendering.png import png_parts

MEDIA_TYPES = {"png": "image/png", "webp": "image/webp", "jpeg": "image/jpeg"}

# the formats' own limits: 14 bits in a WebP header (RFC 9649, 2.5), 65500 in libjpeg (jmorecfg.h)
_MAX_SIDES = {"webp": 16_383, "jpeg": 65_500}

# libwebp holds some 25 bytes a pixel while it encodes losslessly: 300 MB at 12 MP, where PNG needs
# next to nothing. Who asks for WebP gets it; `auto` is ours to choose.
_AUTO_WEBP_PIXELS = 4_000_000

_THUMBNAIL_QUALITY = 80


def chosen_format(output: OutputOptions, size: tuple[int, int], *, is_flat: bool) -> OutputFormat:
    """Return `png`, `webp` or `jpeg` for what was asked; `auto` is a small lossless file.

    Raises Hopeless (`image-too-many-pixels`, phase `encode`) where the format cannot be so large.
    """
    longer = max(size)
    if output.format == "auto":
        # two thirds of a photo's PNG, for 40 ms instead of 14; of flat art it is not smaller
        fits = longer <= _MAX_SIDES["webp"] and size[0] * size[1] <= _AUTO_WEBP_PIXELS
        return "webp" if fits and not is_flat else "png"
    if longer > _MAX_SIDES.get(output.format, longer):
        raise Hopeless(
            f"{output.format} holds at most {_MAX_SIDES[output.format]:,} pixels a side, "
            f"and the picture has {longer:,}: ask for png or a max_edge",
            code="image-too-many-pixels",
            phase="encode",
        )
    return output.format


def encoded(
    image: Image.Image, format: OutputFormat, output: OutputOptions, *, is_flat: bool
) -> bytes:
    """Return the file; `quality` (1 to 100) is for JPEG, and for WebP where it is not lossless."""
    if format == "jpeg":
        return _jpeg(image, output.quality, is_flat=is_flat)
    if format == "webp":
        lossless = output.lossless or output.format == "auto"
        return _lossless_webp(image) if lossless else _webp(image, output.quality, method=2)
    return _png(image)


def encoded_thumbnail(image: Image.Image, *, is_flat: bool) -> bytes:
    """Return a WebP, quickly; flat art lossless, for its colours are the point."""
    return _lossless_webp(image) if is_flat else _webp(image, _THUMBNAIL_QUALITY, method=0)


def _png(image: Image.Image) -> bytes:
    file = io.BytesIO()  # grows in place: joining the parts would hold them twice
    file.writelines(png_parts(image))
    return file.getvalue()


def _lossless_webp(image: Image.Image) -> bytes:
    # `quality` is effort here: 0 takes 36 ms, Pillow's default of 80 takes 264, for 0.4 % in size.
    # `exact` keeps colours under alpha 0, so that strength 0 is the input bit for bit.
    return _saved(image, "WEBP", lossless=True, method=0, quality=0, exact=True)


def _webp(image: Image.Image, quality: int, *, method: int) -> bytes:
    # alpha is always lossless (alpha_quality 100); method 2 is half the time of Pillow's 4 at the
    # same size, method 0 a third
    return _saved(image, "WEBP", quality=quality, method=method)


def _jpeg(image: Image.Image, quality: int, *, is_flat: bool) -> bytes:
    if image.mode == "RGBA":
        opaque = Image.new("RGB", image.size, "white")
        opaque.paste(image, mask=image.getchannel("A"))
        image = opaque
    # halving chroma is invisible in photos and frays the edges of flat colours
    return _saved(image, "JPEG", quality=quality, subsampling="4:4:4" if is_flat else "4:2:0")


def _saved(image: Image.Image, format: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, format, **options)
    return file.getvalue()
