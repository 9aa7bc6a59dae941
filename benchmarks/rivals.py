"""Other ways to put a palette on a picture, to be measured beside ours.

Each takes a picture (RGB, or RGBA) and a palette and returns a picture. They are what is commonly
done, written as well as a few lines allow. ImageGoNord is run from its own package (AGPL-3.0,
installed for this purpose alone and no part of what we ship), if there is one.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmarks.measures import Floats, Levels
from colorway.palette import Palette
from palette_worker.rendering.difference import ciede2000, cielab_of
from palette_worker.rendering.oklab import lab_of, levels_of, levels_of_hex

Rival = Callable[[Image.Image, Palette], Image.Image]

_BLEND = 0.75
_ROUNDS = 20
_SAMPLES = 20_000  # pixels: enough to find the clusters, and ten times sooner
_CHUNK = 100_000  # pixels: keeps their differences to sixteen colours within 100 MB


def available() -> dict[str, Rival]:
    """Return the rivals that can be run here, by name."""
    rivals: dict[str, Rival] = {
        "nearest colour": nearest,
        "Pillow remap": pillow_remap,
        "Pillow dithered": pillow_dithered,
        "k-means masks 0.75": kmeans_masks,
        "gradient map": gradient_map,
        "Reinhard": reinhard,
    }
    if _go_nord_is_installed():
        rivals["ImageGoNord"] = image_go_nord
    return rivals


def missing() -> list[str]:
    """Return the names of the rivals that cannot be run here."""
    return [] if _go_nord_is_installed() else ["ImageGoNord"]


def nearest(image: Image.Image, palette: Palette) -> Image.Image:
    """Return every pixel's nearest colour of the palette by ΔE2000."""
    colors = _colors(palette)
    found, place = np.unique(_levels(image).reshape(-1, 3), axis=0, return_inverse=True)
    lab, targets = cielab_of(found.astype(np.float64)), cielab_of(colors)
    chosen = np.concatenate(
        [
            ciede2000(lab[at : at + _CHUNK, None], targets[None]).argmin(axis=1)
            for at in range(0, len(lab), _CHUNK)
        ]
    )
    return _with_alpha(colors[chosen][place.ravel()], image)


def pillow_remap(image: Image.Image, palette: Palette) -> Image.Image:
    """Return every pixel's nearest colour in sRGB, as `Image.quantize` finds it."""
    return _quantized(image, palette, Image.Dither.NONE)


def pillow_dithered(image: Image.Image, palette: Palette) -> Image.Image:
    """Return the same with errors spread to the neighbours, which is what Pillow does by itself."""
    return _quantized(image, palette, Image.Dither.FLOYDSTEINBERG)


def kmeans_masks(image: Image.Image, palette: Palette) -> Image.Image:
    """Return a blend of 0.75 of the palette's colour over every cluster of pixels.

    As the service did that ours replaces: k-means in RGB, clusters and palette paired in order of
    lightness, every pixel its cluster's colour, and no alpha.
    """
    colors = _colors(palette)
    pixels = _levels(image).reshape(-1, 3).astype(np.float64)
    from_dark_to_light = pixels[np.argsort(_luma(pixels), kind="stable")]
    centres = from_dark_to_light[np.linspace(0, len(pixels) - 1, len(colors)).astype(np.intp)]
    some = from_dark_to_light[:: max(1, len(pixels) // _SAMPLES)]
    for _ in range(_ROUNDS):
        labels = _nearest_centre(some, centres)
        for index in range(len(centres)):
            mine = labels == index
            if mine.any():
                centres[index] = some[mine].mean(axis=0)
    labels = _nearest_centre(pixels, centres)
    rank = np.argsort(np.argsort(_luma(centres), kind="stable"))
    by_lightness = colors[np.argsort(_luma(colors), kind="stable")]
    blended = _BLEND * by_lightness[rank][labels] + (1 - _BLEND) * pixels
    return Image.fromarray(_bytes(blended).reshape(image.height, image.width, 3))


def gradient_map(image: Image.Image, palette: Palette) -> Image.Image:
    """Return the palette from dark to light, in even steps, looked up by each pixel's luma."""
    colors = _colors(palette)
    ordered = colors[np.argsort(_luma(colors), kind="stable")]
    at = _luma(_levels(image).reshape(-1, 3).astype(np.float64)) / 255 * (len(ordered) - 1)
    channels = [np.interp(at, range(len(ordered)), ordered[:, c]) for c in range(3)]
    return _with_alpha(np.stack(channels, axis=-1), image)


def reinhard(image: Image.Image, palette: Palette) -> Image.Image:
    """Return the picture with the palette's mean and deviation in each channel.

    E. Reinhard et al., "Color Transfer between Images", IEEE Computer Graphics and Applications 21,
    2001; here in OKLab, whose axes are theirs with better numbers.
    """
    lab, target = lab_of(_levels(image).reshape(-1, 3).astype(np.float64)), lab_of(_colors(palette))
    scale = target.std(axis=0) / np.maximum(lab.std(axis=0), 1e-6)
    return _with_alpha(levels_of((lab - lab.mean(axis=0)) * scale + target.mean(axis=0)), image)


def image_go_nord(image: Image.Image, palette: Palette) -> Image.Image:
    """Return what ImageGoNord makes of it, pixel by pixel as it does unless told otherwise."""
    tool = import_module("ImageGoNord").GoNord()
    tool.reset_palette()
    for color in palette.colors:
        tool.add_color_to_palette(color)
    converted: Image.Image = tool.convert_image(image.copy())
    return converted


def _nearest_centre(pixels: Floats, centres: Floats) -> NDArray[np.intp]:
    # |p - c|² without the |p|² that is the same for all centres
    squared: Floats = (centres**2).sum(axis=1) - 2 * pixels @ centres.T
    labels: NDArray[np.intp] = squared.argmin(axis=1)
    return labels


def _go_nord_is_installed() -> bool:
    return find_spec("ImageGoNord") is not None


def _quantized(image: Image.Image, palette: Palette, dither: Image.Dither) -> Image.Image:
    colors = Image.new("P", (1, 1))
    levels = _bytes(_colors(palette))
    colors.putpalette(levels.tobytes())
    mapped = image.convert("RGB").quantize(palette=colors, dither=dither).convert("RGB")
    return _with_alpha(np.asarray(mapped).reshape(-1, 3), image)


def _colors(palette: Palette) -> Floats:
    return levels_of_hex(tuple(dict.fromkeys(palette.colors)))


def _levels(image: Image.Image) -> Levels:
    return np.asarray(image.convert("RGB"))


def _luma(levels: Floats) -> Floats:
    luma: Floats = levels @ (0.299, 0.587, 0.114)
    return luma


def _with_alpha(levels: Floats | Levels, image: Image.Image) -> Image.Image:
    picture = Image.fromarray(_bytes(levels).reshape(image.height, image.width, 3))
    if image.mode == "RGBA":
        picture.putalpha(image.getchannel("A"))
    return picture


def _bytes(levels: Floats | Levels) -> Levels:
    return np.floor(levels + 0.5).clip(0, 255).astype(np.uint8)
