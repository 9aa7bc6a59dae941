"""One source in one palette: the story from colours to files."""

from __future__ import annotations

from dataclasses import dataclass
from time import perf_counter

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from colorway.job import OutputFormat, OutputOptions, RenderOptions
from colorway.palette import Palette
from palette_worker.rendering.edges import Mixtures, add_edges, mixed
from palette_worker.rendering.encode import (
    MEDIA_TYPES,
    chosen_format,
    encoded,
    encoded_thumbnail,
)
from palette_worker.rendering.lut import Recoloring, color_lut, recolored
from palette_worker.rendering.match import matched
from palette_worker.rendering.oklab import Floats, lab_of, levels_of_hex
from palette_worker.rendering.scale import fitted, fitted_size
from palette_worker.rendering.source import Drawing, Source


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
    change = _change(source, palette, options)
    thumbnail = _changed(source.small_copy(output.thumbnail_edge), change)
    template = source.drawing.template
    if template is not None and change is not None and format == "png" and size == source.size:
        levels = change.levels(template.mixtures)
        rendered = perf_counter()
        body = source.template_file(template).body(levels)
    else:
        picture = _changed_to_fit(source, change, output.max_edge)
        rendered = perf_counter()
        body = encoded(picture, format, output, is_flat=is_flat)
    thumbnail_body = encoded_thumbnail(thumbnail, is_flat=is_flat)
    done = perf_counter()

    return Rendition(
        body=body,
        thumbnail=thumbnail_body,
        media_type=MEDIA_TYPES[format],
        format=format,
        width=size[0],
        height=size[1],
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
    recoloring = _recoloring(source, palette, options)
    return None if recoloring is None else _lut(source, recoloring)


@dataclass(frozen=True, slots=True)
class _Change:
    """What a palette makes of the source's colours, be they modes, mixtures of these or others.

    The table is there where pixels are looked up one by one; a template's few colours are mapped
    themselves. `modes` are levels, shape (m, 3).
    """

    recoloring: Recoloring
    modes: NDArray[np.uint8]
    lut: ImageFilter.Color3DLUT | None

    def levels(self, mixtures: Mixtures) -> NDArray[np.uint8]:
        """Return the new levels of the mixtures, shape (n, 3)."""
        others = np.flatnonzero(mixtures["trust"] < 1)
        asked = np.concatenate((self.modes, mixtures["levels"][others]))
        after, of_others = np.split(self._mapped(asked), [len(self.modes)])
        mapped = np.zeros((len(mixtures), 3))
        mapped[others] = of_others
        # what an even area becomes is whole levels, and its edges are to end in just these
        return mixed(mixtures, self.modes.astype(np.float64), np.floor(after + 0.5), mapped)

    def _mapped(self, levels: NDArray[np.uint8]) -> Floats:
        if self.lut is None:
            return self.recoloring.levels(lab_of(levels.astype(np.float64)))
        swatches = recolored(Image.fromarray(levels[None]), self.lut)
        looked_up: Floats = np.asarray(swatches, dtype=np.float64)[0]
        return looked_up


def _change(source: Source, palette: Palette, options: RenderOptions) -> _Change | None:
    recoloring = _recoloring(source, palette, options)
    if recoloring is None:
        return None
    lut = None if source.drawing.template is not None else _lut(source, recoloring)
    return _Change(recoloring, source.mode_levels, lut)


def _recoloring(source: Source, palette: Palette, options: RenderOptions) -> Recoloring | None:
    base, targets = matching(source, palette, options)
    if options.strength == 0 or not len(base):
        return None
    return Recoloring(
        base,
        targets,
        strength=options.strength,
        is_flat=source.analysis.is_flat,
        preserve_luminance=options.preserve_luminance,
        one_hue=source.analysis.one_hue,
    )


def _lut(source: Source, recoloring: Recoloring) -> ImageFilter.Color3DLUT:
    return color_lut(recoloring, source.analysis.modes if recoloring.is_flat else recoloring.base)


def _changed(drawing: Drawing, change: _Change | None) -> Image.Image:
    """Return the picture recoloured, or the drawing's own where nothing is to be changed."""
    if change is None:
        return drawing.image
    if drawing.template is not None:
        return drawing.template.picture(change.levels(drawing.template.mixtures))
    picture = recolored(drawing.image, change.lut)
    if drawing.edges is not None:
        add_edges(picture, drawing.edges, change.levels(drawing.edges.mixtures))
    return picture


def _changed_to_fit(source: Source, change: _Change | None, max_edge: int | None) -> Image.Image:
    """Return a picture of our own, that may be encoded: Pillow keeps a save's options on it."""
    if source.analysis.is_flat:  # colours first, so that edges blend colours of the palette
        picture = fitted(_changed(source.drawing, change), max_edge)
    else:  # the smaller picture first, for the lookup costs by the pixel
        picture = _changed(Drawing(fitted(source.image, max_edge)), change)
    return picture.copy() if picture is source.image else picture
