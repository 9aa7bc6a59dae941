"""One method on one picture in one palette, measured."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks import measures, rivals
from benchmarks.measures import FlatArt, Floats, Levels
from benchmarks.quality_set import PALETTES, RAMPS, flat_art, picture_file
from colorway.job import OutputFormat, OutputOptions, RenderOptions
from colorway.palette import Palette
from palette_worker.rendering import Source, decode, render
from palette_worker.rendering.difference import cielab_of
from palette_worker.rendering.oklab import levels_of, levels_of_hex
from palette_worker.rendering.rendition import matching
from palette_worker.rendering.report import dominant_colors

OURS = "ours"
ITSELF = "its own colours"
ANY = "any palette"
_OWN_COLORS = 5
_FEWEST_DOMINANT = 16
_SAME_COLOR = 3  # levels: what JPEG leaves between a colour and the one that was drawn
_FORMATS: tuple[OutputFormat, ...] = ("png", "webp", "jpeg")


@dataclass(frozen=True, slots=True)
class Trial:
    """What was measured; which measures there are depends on the picture's kind."""

    method: str
    picture: str
    palette: str
    values: dict[str, float]


def trials(
    method: str, picture: str, palettes: Sequence[Palette], keep_in: Path | None
) -> list[Trial]:
    """Measure the method on the picture in each palette, and in the picture's own colours.

    With a folder, renditions are kept there under `kept_at`.
    """
    source = decode(picture_file(picture))
    recolor = _method(method, source)
    before = _lab(source.image)
    found = []
    for palette in palettes:
        after = recolor(palette)
        if keep_in is not None:
            after.save(kept_at(keep_in, method, picture, palette.name))
        values = _values(method, picture, source, before, palette, after)
        found.append(Trial(method, picture, palette.name, values))
    if picture not in RAMPS:
        unchanged = _levels(recolor(_own_palette(source)))
        difference = measures.mean_difference(_levels(source.image), unchanged)
        found.append(Trial(method, picture, ITSELF, {"identity": difference}))
    if method == OURS:
        off = _rendered(source, palettes[0], RenderOptions(strength=0))
        changed = (np.asarray(off) != np.asarray(source.image)).any(axis=-1).mean()
        found.append(Trial(method, picture, ANY, {"strength 0": float(changed)}))
    return found


def kept_at(folder: Path, method: str, picture: str, palette: str) -> Path:
    """Return where a rendition is kept."""
    return folder / "renditions" / f"{picture}, {palette}, {method}.png"


def digest(picture: str) -> str:
    """Return a hash of what is made of the picture: a file and a thumbnail in every format."""
    source, files = decode(picture_file(picture)), sha256()
    for palette, format in zip(PALETTES, _FORMATS, strict=False):
        made = render(source, palette, RenderOptions(), OutputOptions(format=format))
        files.update(made.body + made.thumbnail)
    return files.hexdigest()


def promised(source: Source, art: FlatArt, palette: Palette, dominant: Floats) -> Floats:
    """Return the levels each area is to have: its target, or what it has got where it has none.

    A picture may have more areas than the palette has colours; the rest is free.
    """
    base, targets = (levels_of(lab) for lab in matching(source, palette, RenderOptions()))
    distance = np.abs(art.colors[:, None] - base[None]).max(axis=-1)
    has_target = distance.min(axis=1, keepdims=True) <= _SAME_COLOR
    return np.where(has_target, np.floor(targets[distance.argmin(axis=1)] + 0.5), dominant)


def _method(name: str, source: Source) -> Callable[[Palette], Image.Image]:
    if name == OURS:
        return partial(_rendered, source, options=RenderOptions())
    return partial(rivals.available()[name], source.image)


def _rendered(source: Source, palette: Palette, options: RenderOptions) -> Image.Image:
    """Return what a client gets, decoded again."""
    image = Image.open(io.BytesIO(render(source, palette, options, OutputOptions()).body))
    image.load()
    return image if image.mode in ("RGB", "RGBA") else image.convert(source.image.mode)


def _own_palette(source: Source) -> Palette:
    levels = np.floor(levels_of(source.base_palette(_OWN_COLORS)) + 0.5).astype(np.uint8)
    return Palette(ITSELF, tuple(f"#{bytes(color).hex()}" for color in levels))


def _values(
    method: str,
    picture: str,
    source: Source,
    before: Floats,
    palette: Palette,
    after: Image.Image,
) -> dict[str, float]:
    colors = levels_of_hex(tuple(dict.fromkeys(palette.colors)))
    if picture in RAMPS:
        found = measures.banding(_levels(source.image)[0], _levels(after)[0])
        return {"banding": found.amplification, "colours kept": found.kept}
    if picture not in flat_art():
        return _photo_values(before, after, colors)
    art = flat_art()[picture]
    dominant = measures.area_colors(art, _levels(after))
    if method == OURS:
        truth = wanted = promised(source, art, palette, dominant)
    else:
        truth, wanted = dominant, _nearest(dominant, colors)
    values = _flat_values(picture, art, _levels(after), truth, wanted)
    values["distinct areas"] = measures.distinct_areas(dominant)
    if source.image.mode == "RGBA":
        values["alpha"] = measures.changed(_alpha(source.image), _alpha(after))
    return values


def _photo_values(before: Floats, picture: Image.Image, colors: Floats) -> dict[str, float]:
    palette, after = cielab_of(colors), _lab(picture)
    count = max(_FEWEST_DOMINANT, 2 * len(colors))
    centres, shares = dominant_colors(_levels(picture).reshape(-1, 3), count)
    return {
        "adherence": measures.adherence(centres, shares, palette),
        "coverage": measures.coverage(centres, palette),
        "structure": measures.structure(before, after),
        "gradients": measures.gradient_correlation(before, after),
        "lost edges": measures.lost_edges(before, after),
    }


def _flat_values(
    picture: str, art: FlatArt, after: Levels, truth: Floats, wanted: Floats
) -> dict[str, float]:
    edges, halo = measures.edge_error(art, after, truth), measures.halo(art, after, truth)
    if picture == "JPEG logo":  # its areas are not even to begin with
        return {f"edges of {picture}": edges, f"halo of {picture}": halo}
    error = measures.flat_error(art, after, wanted)
    return {f"edges of {picture}": edges, "halo": halo, "flat error": error}


def _nearest(levels: Floats, colors: Floats) -> Floats:
    found: Floats = colors[np.abs(levels[:, None] - colors[None]).max(axis=-1).argmin(axis=1)]
    return found


def _levels(image: Image.Image) -> Levels:
    return np.asarray(image)[..., :3]


def _lab(image: Image.Image) -> Floats:
    return cielab_of(_levels(image).astype(np.float64))


def _alpha(image: Image.Image) -> Levels:
    return np.asarray(image.convert("RGBA"))[..., 3]
