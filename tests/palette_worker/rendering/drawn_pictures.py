"""Small pictures drawn for the tests of rendering, and short ways to render them."""

from __future__ import annotations

import io
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
    image = Image.open(io.BytesIO(body))
    image.load()
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
