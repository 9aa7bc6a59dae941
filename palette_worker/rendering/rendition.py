"""One source in one palette: the story from colours to files."""

from __future__ import annotations

from dataclasses import dataclass
from time import perf_counter

from PIL import Image, ImageFilter

from colorway.job import OutputFormat, OutputOptions, RenderOptions
from colorway.palette import Palette
from palette_worker.rendering.encode import (
    MEDIA_TYPES,
    chosen_format,
    encoded,
    encoded_thumbnail,
)
from palette_worker.rendering.lut import color_lut, recolored
from palette_worker.rendering.match import matched
from palette_worker.rendering.oklab import Floats, lab_of, levels_of_hex
from palette_worker.rendering.scale import fitted, fitted_size
from palette_worker.rendering.source import Source


@dataclass(frozen=True, slots=True)
class Rendition:
    """A finished picture: the file, its WebP thumbnail, what they are and how long each step took.

    `format` is what `auto` came to. `width` and `height` are the file's, in pixels. Seconds are
    wall time.
    """

    body: bytes
    thumbnail: bytes
    media_type: str
    format: OutputFormat
    width: int
    height: int
    render_seconds: float
    encode_seconds: float


def render(
    source: Source, palette: Palette, options: RenderOptions, output: OutputOptions
) -> Rendition:
    """Recolour the source and encode it; the same arguments give the same bytes.

    Raises Hopeless (phase `encode`) where the format cannot hold a picture of that size.
    """
    is_flat = source.analysis.is_flat
    size = fitted_size((source.width, source.height), output.max_edge)
    format = chosen_format(output, size, is_flat=is_flat)

    started = perf_counter()
    lut = lut_for(source, palette, options)
    picture = _recolored_to_fit(source, lut, output.max_edge)
    thumbnail = recolored(source.small_copy(output.thumbnail_edge), lut)
    rendered = perf_counter()
    body = encoded(picture, format, output, is_flat=is_flat)
    thumbnail_body = encoded_thumbnail(thumbnail, is_flat=is_flat)
    done = perf_counter()

    return Rendition(
        body=body,
        thumbnail=thumbnail_body,
        media_type=MEDIA_TYPES[format],
        format=format,
        width=picture.width,
        height=picture.height,
        render_seconds=rendered - started,
        encode_seconds=done - rendered,
    )


def matching(source: Source, palette: Palette, options: RenderOptions) -> tuple[Floats, Floats]:
    """Return the picture's main colours and what each becomes: OKLab, both of shape (n, 3).

    n is at most the number of different colours in the palette, and 0 where nothing is visible.
    """
    targets = lab_of(levels_of_hex(tuple(dict.fromkeys(palette.colors))))
    base = source.base_palette(len(targets))
    if not len(base):
        return base, base
    return base, matched(base, targets, preserve_luminance=options.preserve_luminance)


def lut_for(
    source: Source, palette: Palette, options: RenderOptions
) -> ImageFilter.Color3DLUT | None:
    """Return the table that recolours the source, or None where nothing is to be changed."""
    base, targets = matching(source, palette, options)
    if options.strength == 0 or not len(base):
        return None
    is_flat = source.analysis.is_flat
    return color_lut(
        base,
        targets,
        source.analysis.modes if is_flat else base,
        strength=options.strength,
        is_flat=is_flat,
        preserve_luminance=options.preserve_luminance,
    )


def _recolored_to_fit(
    source: Source, lut: ImageFilter.Color3DLUT | None, max_edge: int | None
) -> Image.Image:
    """Return a picture of our own, that may be encoded: Pillow keeps a save's options on it."""
    if source.analysis.is_flat:  # colours first, so that edges blend colours of the palette
        picture = fitted(recolored(source.image, lut), max_edge)
    else:  # the smaller picture first, for the lookup costs by the pixel
        picture = recolored(fitted(source.image, max_edge), lut)
    return picture.copy() if picture is source.image else picture
