"""Small pictures drawn for the tests of rendering, and short ways to render them."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from colorway.job import OutputOptions, RenderOptions
from colorway.palette import Palette
from palette_worker.rendering import Rendition, Source, decode, render

LOGO_COLORS = ("#1f3a93", "#e74c3c", "#f1c40f", "#ffffff")
HARBOUR = Palette("Harbour", ("#0b1d2a", "#14506b", "#2a9d8f", "#e9c46a", "#fdf6e3"))
FULLY, AS_PNG = RenderOptions(), OutputOptions()


def a_palette(*colors: str) -> Palette:
    return Palette("test", colors)


def rgb(color: str) -> tuple[int, int, int]:
    red, green, blue = bytes.fromhex(color[1:])
    return red, green, blue


def a_logo(colors: tuple[str, ...] = LOGO_COLORS, edge: int = 96) -> Image.Image:
    """A ring, a bar and a dot on a ground, with hard edges."""
    image = Image.new("RGB", (edge, edge), colors[-1])
    draw = ImageDraw.Draw(image)
    draw.ellipse((edge * 0.1, edge * 0.1, edge * 0.9, edge * 0.9), fill=colors[0])
    if len(colors) > 2:
        draw.rectangle((edge * 0.3, edge * 0.4, edge * 0.7, edge * 0.6), fill=colors[1])
    if len(colors) > 3:
        draw.ellipse((edge * 0.4, edge * 0.7, edge * 0.6, edge * 0.88), fill=colors[2])
    return image


def a_soft_logo(colors: tuple[str, ...] = LOGO_COLORS, edge: int = 96) -> Image.Image:
    """The same with antialiased edges."""
    return a_logo(colors, edge * 4).resize((edge, edge), Image.Resampling.BOX)


def a_see_through_logo(edge: int = 96) -> Image.Image:
    """The same on nothing: every alpha from 0 to 255 occurs."""
    logo = a_logo(edge=edge).convert("RGBA")
    ramp = np.linspace(0, 255, edge * edge).round().astype(np.uint8).reshape(edge, edge)
    logo.putalpha(Image.fromarray(ramp))
    return logo


Draw = Callable[[ImageDraw.ImageDraw, float], object]
Cover = np.ndarray[Any, np.dtype[np.float64]]


def cover_of(draw: Draw, areas: int, size: tuple[int, int] = (128, 128)) -> Cover:
    """Return how much of each pixel every area covers, shape (height, width, areas), antialiased.

    `draw` fills with the numbers of areas on a canvas that is `scale` times as large, its second
    argument; what it fills with a number beyond is nothing. The ground is the area 0.
    """
    scale = 8
    width, height = size
    canvas = Image.new("L", (width * scale, height * scale))
    pen = ImageDraw.Draw(canvas)
    pen.fontmode = "1"  # the covers are to come from the size alone
    draw(pen, scale)
    blocks = np.asarray(canvas).reshape(height, scale, width, scale)
    return np.stack([(blocks == area).mean(axis=(1, 3)) for area in range(areas)], axis=-1)


def in_colors(cover: Cover, colors: Any) -> Image.Image:
    """Return the drawing with its areas in these levels, shape (areas, 3), and see-through."""
    alpha = cover.sum(axis=-1)
    mixed = cover @ np.asarray(colors, dtype=np.float64) / np.maximum(alpha, 1e-9)[..., None]
    image = Image.fromarray(np.floor(mixed + 0.5).astype(np.uint8))
    if alpha.min() < 1:
        image.putalpha(Image.fromarray(np.floor(255 * alpha + 0.5).astype(np.uint8)))
    return image


def a_badge(pen: ImageDraw.ImageDraw, s: float) -> None:
    """Areas 0 to 4: ring, triangle, dot and bar, all of which meet somewhere; a fine line."""
    pen.ellipse((8 * s, 6 * s, 118 * s, 116 * s), fill=1)
    pen.ellipse((20 * s, 18 * s, 106 * s, 104 * s), fill=0)
    pen.polygon([(63 * s, 22 * s), (100 * s, 86 * s), (28 * s, 86 * s)], fill=2)
    pen.ellipse((48 * s, 48 * s, 78 * s, 78 * s), fill=3)
    pen.rounded_rectangle((30 * s, 88 * s, 96 * s, 99 * s), 4 * s, fill=4)
    pen.line((4 * s, 124 * s, 124 * s, 119 * s), fill=1, width=round(1.6 * s))
    pen.line((40 * s, 110 * s, 84 * s, 12 * s), fill=4, width=round(3 * s))


def a_photo(width: int = 120, height: int = 90) -> Image.Image:
    """Sky, sun and shaded hills with a little grain: many colours, no even area."""
    y, x = np.mgrid[0:height, 0:width] / (height, width)[0]
    grain = np.random.default_rng(7).normal(0, 4, (height, width, 1))
    sky = np.stack((60 + 120 * y, 90 + 60 * y, 170 - 40 * y), axis=-1)
    sun = np.exp(-((x - 0.8) ** 2 + (y - 0.3) ** 2) / 0.02)[..., None] * (180, 140, 20)
    hill = (y > 0.65 + 0.1 * np.sin(7 * x))[..., None]
    land = np.stack((30 + 60 * x, 80 + 60 * (1 - y), 30 + 20 * x), axis=-1)
    levels = np.where(hill, land, sky + sun) + grain
    return Image.fromarray(levels.clip(0, 255).round().astype(np.uint8))


def a_ramp(start: str, end: str, width: int = 256, height: int = 16) -> Image.Image:
    share = np.linspace(0, 1, width)[None, :, None]
    levels = np.array(rgb(start)) * (1 - share) + np.array(rgb(end)) * share
    return Image.fromarray(levels.round().astype(np.uint8).repeat(height, axis=0))


def file_of(image: Image.Image, format: str = "PNG", **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, format, **options)
    return file.getvalue()


def opened(body: bytes) -> Image.Image:
    """Return the picture of a file, a table of colours looked up."""
    image = Image.open(io.BytesIO(body))
    image.load()
    if image.mode == "P":
        return image.convert("RGBA" if image.has_transparency_data else "RGB")
    return image


def pixels(image: Image.Image | bytes) -> np.ndarray[Any, np.dtype[np.int16]]:
    """Levels as signed numbers, so that differences do not wrap around."""
    return np.asarray(opened(image) if isinstance(image, bytes) else image).astype(np.int16)


def source_of(image: Image.Image) -> Source:
    return decode(file_of(image))


def rendered(
    image: Image.Image,
    palette: Palette,
    options: RenderOptions = FULLY,
    output: OutputOptions = AS_PNG,
) -> Rendition:
    return render(source_of(image), palette, options, output)


def recolored_pixels(
    image: Image.Image, palette: Palette, options: RenderOptions = FULLY
) -> np.ndarray[Any, np.dtype[np.int16]]:
    return pixels(rendered(image, palette, options).body)
