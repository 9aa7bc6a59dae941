"""The pictures and palettes that quality is judged on, all free to use.

Photographs from public sources (docs/quality.md has their licences), and drawings of what
photographs of the kind have: one hue only, night, snow, skin. No side is longer than 512 pixels.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from functools import cache, partial
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from benchmarks.measures import FlatArt, Floats, Levels
from colorway.palette import CATALOGUE, Palette
from palette_worker.rendering.picture import Limits, open_picture

Drawing = Callable[[ImageDraw.ImageDraw, int], None]

EDGE = 512
_BUNDLED = Path(__file__).parents[1] / "demo" / "pictures"
_FROM_SKIMAGE = ("astronaut.png", "chelsea.png", "rocket.jpg")  # public domain, CC0, public domain
_SUPERSAMPLING = 8

PALETTES: tuple[Palette, ...] = (
    *CATALOGUE,
    Palette("Cellar", ("#0a0a0f", "#1c1a2b", "#33223f", "#4a2f3c", "#5b4a3a")),
    Palette("Sorbet", ("#ffd6e0", "#ffefcf", "#d8f3dc", "#cfe8ff", "#e6dcff")),
    Palette("Fairground", ("#e63946", "#f4d35e", "#2a9d4b", "#3a5bd9", "#f8f4f0")),
    Palette("Cyan and cream", ("#0b4f6c", "#fbf3e4")),
    Palette(
        "Market",
        (
            "#1b1b2f",
            "#5c2a4d",
            "#a63d40",
            "#e9724c",
            "#ffc857",
            "#6a994e",
            "#3d7ea6",
            "#f1f1e6",
        ),
    ),
    Palette(
        "Sixteen",
        (
            "#1a1c2c",
            "#5d275d",
            "#b13e53",
            "#ef7d57",
            "#ffcd75",
            "#a7f070",
            "#38b764",
            "#257179",
            "#29366f",
            "#3b5dc9",
            "#41a6f6",
            "#73eff7",
            "#f4f4f4",
            "#94b0c2",
            "#566c86",
            "#333c57",
        ),
    ),
    Palette("Cyanotype", ("#0d1b2a", "#1b3a5c", "#2f6690", "#81a4cd", "#dbe4ee")),
)

COMPARED = ("Nord", "Sorbet", "Fairground", "Market")
"""The palettes in which rivals are measured too: one made to suit, and three that are hard."""


def missing_photographs() -> list[str]:
    """Return the names of the pictures that come with scikit-image, where it is not installed."""
    return [] if _skimage_data() else [Path(name).stem for name in _FROM_SKIMAGE]


def photographs() -> dict[str, Callable[[], Image.Image]]:
    """Return the pictures that shade from colour to colour: photographs and drawings like them."""
    folder = _skimage_data()
    files = sorted(_BUNDLED.glob("*.[jp][pn]g"))
    if folder:
        files += [folder / name for name in _FROM_SKIMAGE]
    return {file.stem: partial(_opened, file) for file in files} | _DRAWN


def _opened(path: Path) -> Image.Image:
    picture = open_picture(path.read_bytes(), Limits()).image  # in sRGB, whatever its profile
    picture.thumbnail((EDGE, EDGE), Image.Resampling.LANCZOS)
    return picture


def _skimage_data() -> Path | None:
    package = find_spec("skimage")
    if package is None or not package.submodule_search_locations:
        return None
    return Path(package.submodule_search_locations[0]) / "data"


def _sepia() -> Image.Image:
    """One hue at every lightness: the coffee as a print of old."""
    grey = np.asarray(_opened(_BUNDLED / "coffee.jpg").convert("L")) / 255.0
    return _picture(255 * np.stack((grey**0.72, grey**0.95, grey**1.25), axis=-1))


def _night() -> Image.Image:
    """A dark street: most of it nearly black, with small bright lamps and their glow."""
    y, x = _plane(512, 384)
    levels = np.stack((8 + 10 * y, 10 + 12 * y, 26 + 16 * y), axis=-1)
    chance = np.random.default_rng(5)
    for _ in range(9):
        left, width, top = (
            chance.uniform(0, 1),
            chance.uniform(0.08, 0.16),
            chance.uniform(0.2, 0.5),
        )
        house = (abs(x - left) < width / 2) & (y > top)
        levels[house] = levels[house] * 0.6 + chance.uniform(2, 14, 3)
    for _ in range(26):
        at_x, at_y = chance.uniform(0, 1), chance.uniform(0.25, 0.75)
        tint = np.array([(255, 190, 90), (255, 225, 170), (190, 60, 40), (90, 150, 255)])
        glow = np.exp(-np.hypot(x - at_x, y - at_y) * chance.uniform(18, 60))[..., None]
        levels = levels + glow * tint[chance.integers(4)]
    return _picture(levels + chance.normal(0, 1.5, levels.shape))


def _snow() -> Image.Image:
    """High key: nearly everything above three quarters of full brightness."""
    y, x = _plane(512, 384)
    drifts = np.sin(5 * x + 3 * np.sin(4 * y)) * 9 + np.sin(23 * x * y + 2) * 5
    levels = np.stack((222 + drifts + 14 * y, 228 + drifts + 10 * y, 240 + 0.6 * drifts), axis=-1)
    chance = np.random.default_rng(6)
    for _ in range(7):
        at, foot, tall = chance.uniform(0, 1), chance.uniform(0.5, 0.9), chance.uniform(0.15, 0.4)
        tree = (y < foot) & (abs(x - at) < (y - foot + tall) * 0.22) & (y > foot - tall)
        levels[tree] = levels[tree] * 0.35 + np.array((105, 118, 116))
    return _picture(levels + chance.normal(0, 1.5, levels.shape))


def _portrait() -> Image.Image:
    """A face's worth of skin tones, lit from one side, with hair, a coat and a plain wall."""
    y, x = _plane(400, 512)
    wall = np.stack((126 - 20 * x, 140 - 24 * x, 138 - 16 * x), axis=-1)
    levels = wall + 20 * (1 - y)[..., None]

    def shaded(
        at: tuple[float, float],
        radii: tuple[float, float],
        tone: tuple[int, int, int],
        depth: float,
    ) -> None:
        u, v = (x - at[0]) / radii[0], (y - at[1]) / radii[1]
        inside = u * u + v * v < 1
        height = np.sqrt(np.clip(1 - u * u - v * v, 0, 1))
        light = np.clip(0.55 * height - 0.45 * u - 0.25 * v, -0.4, 1)
        shade = np.array(tone) * (1 - depth + depth * light[..., None] * 1.25)
        shade[..., 0] += 16 * (1 - light) * (depth > 0.4)  # red, where skin turns from the light
        levels[inside] = shade[inside]

    shaded((0.39, 1.34), (0.42, 0.44), (52, 66, 110), 0.6)
    shaded((0.39, 0.50), (0.25, 0.34), (74, 44, 30), 0.5)
    shaded((0.39, 0.90), (0.10, 0.20), (196, 140, 112), 0.5)
    shaded((0.39, 0.58), (0.19, 0.27), (232, 178, 148), 0.55)
    for eye in (0.32, 0.46):
        shaded((eye, 0.54), (0.024, 0.013), (250, 244, 240), 0.1)
        shaded((eye, 0.54), (0.011, 0.012), (60, 44, 34), 0.1)
    shaded((0.39, 0.72), (0.055, 0.017), (186, 84, 80), 0.45)
    soft = _picture(levels).filter(ImageFilter.GaussianBlur(1.2))
    grain = np.random.default_rng(8).normal(0, 2, (*x.shape, 3))
    return _picture(np.asarray(soft) + grain)


def _illustration() -> Image.Image:
    """A poster: few areas, each softly shaded, edges antialiased."""
    size = (480, 360)
    y, x = _plane(*size)
    sky = np.stack((250 - 40 * y, 196 - 30 * y + 20 * x, 130 + 50 * y), axis=-1)
    levels = sky
    sun = _soft_mask(size, lambda draw, s: draw.ellipse((300 * s, 60 * s, 400 * s, 160 * s), 255))
    levels = _over(levels, np.array((255, 246, 214)) - 30 * y[..., None], sun)
    for index, (foot, color) in enumerate(
        ((190, (150, 104, 130)), (240, (92, 74, 118)), (290, (38, 42, 76)))
    ):
        along = np.arange(0, 481, 4)
        ridge = foot + 34 * np.sin(along / (70 - 9 * index) + 2 * index) + 9 * np.sin(along / 17)
        outline = [(0, 360), *zip(along.tolist(), ridge.tolist(), strict=True), (480, 360)]
        hill = _soft_mask(size, partial(_draw_polygon, outline))
        levels = _over(levels, np.array(color) * (1.15 - 0.3 * y[..., None]), hill)
    return _picture(levels)


def _draw_polygon(
    outline: Sequence[tuple[float, float]], draw: ImageDraw.ImageDraw, s: int
) -> None:
    draw.polygon([(x * s, y * s) for x, y in outline], fill=255)


def _still_life() -> Image.Image:
    """Five balls of five hues on a white table: shading and highlights on strong colours."""
    y, x = _plane(512, 360)
    levels = np.repeat((236 - 46 * y)[..., None], 3, axis=-1) * (1, 0.985, 0.96)
    tones = ((214, 48, 40), (240, 180, 30), (46, 140, 70), (38, 84, 190), (150, 60, 160))
    for index, tone in enumerate(tones):
        at = (0.12 + 0.19 * index, 0.34 + 0.05 * (index % 2))
        shadow = np.exp(-(((x - at[0] - 0.03) / 0.09) ** 2) - ((y - at[1] - 0.1) / 0.03) ** 2)
        levels = levels * (1 - 0.55 * shadow[..., None])
        u, v = (x - at[0]) / 0.095, (y - at[1]) / 0.095
        height = np.sqrt(np.clip(1 - u * u - v * v, 0, 1))
        light = np.clip(0.7 * height - 0.4 * u - 0.5 * v, 0, 1)[..., None]
        ball = np.array(tone) * (0.25 + 0.75 * light) + 200 * light**14
        cover = np.clip((1 - np.hypot(u, v)) * 0.095 * 512 + 0.5, 0, 1)[..., None]
        levels = levels * (1 - cover) + ball * cover
    return _picture(levels + np.random.default_rng(9).normal(0, 1, levels.shape))


_DRAWN: dict[str, Callable[[], Image.Image]] = {
    "sepia": _sepia,
    "night": _night,
    "snow": _snow,
    "portrait": _portrait,
    "illustration": _illustration,
    "still life": _still_life,
}

RAMPS: dict[str, tuple[str, ...]] = {
    "black to white": ("#000000", "#ffffff"),
    "sky": ("#2f6fb5", "#dfeefa"),
    "sunset": ("#1d2951", "#c0405a", "#ffd27a"),
    "skin": ("#3b1f16", "#c98a6b", "#fbe3d2"),
    "dusk": ("#05070f", "#3a3f52"),
    "hues": ("#c83232", "#c8b432", "#32a050", "#3264c8"),
}


def _ramp(stops: tuple[str, ...]) -> Image.Image:
    """Return the colours in even steps from left to right, linear in sRGB levels."""
    colors = np.array([list(bytes.fromhex(stop[1:])) for stop in stops], dtype=np.float64)
    at = np.linspace(0, len(stops) - 1, EDGE)
    row = np.stack([np.interp(at, range(len(stops)), colors[:, c]) for c in range(3)], axis=-1)
    return _picture(np.repeat(row[None], 64, axis=0))


@cache
def flat_art() -> dict[str, FlatArt]:
    """Return the logos; `JPEG logo` is drawn like `logo` and stored otherwise."""
    five = FlatArt(
        _cover(_labels(_draw_badge), 5),
        _levels("#1f3a93", "#e74c3c", "#f1c40f", "#27ae60", "#ffffff"),
    )
    grey = FlatArt(_cover(_labels(_draw_badge), 3), _levels("#000000", "#808080", "#ffffff"))
    alpha = FlatArt(
        _cover(_labels(_draw_seal), 5)[..., :4], _levels("#14213d", "#fca311", "#d62828", "#f7f7f2")
    )
    return {"logo": five, "alpha logo": alpha, "grey logo": grey, "JPEG logo": five}


def picture_names() -> list[str]:
    """Return the names of all pictures, photographs first."""
    return [*photographs(), *RAMPS, *flat_art()]


def picture_file(name: str) -> bytes:
    """Return the picture as a file: PNG, and JPEG of quality 85 for `JPEG logo`."""
    if name in RAMPS:
        image = _ramp(RAMPS[name])
    elif name in flat_art():
        image = _logo(flat_art()[name])
    else:
        image = photographs()[name]()
    body = io.BytesIO()
    image.save(body, "JPEG" if name == "JPEG logo" else "PNG", quality=85)
    return body.getvalue()


def _logo(art: FlatArt) -> Image.Image:
    levels, alpha = art.drawn(art.colors)
    image = Image.fromarray(levels)
    if (alpha < 255).any():
        image.putalpha(Image.fromarray(alpha))
    return image


def _draw_badge(draw: ImageDraw.ImageDraw, s: int) -> None:
    """Draw areas 0 to 4, of which 4 (or the last there is) is the ground; `s` to a pixel."""
    draw.rectangle((0, 0, 384 * s, 384 * s), fill=4)
    draw.ellipse((30 * s, 20 * s, 354 * s, 344 * s), fill=0)
    draw.ellipse((62 * s, 52 * s, 322 * s, 312 * s), fill=4)
    draw.polygon([(192 * s, 70 * s), (300 * s, 260 * s), (84 * s, 260 * s)], fill=1)
    draw.ellipse((152 * s, 150 * s, 232 * s, 230 * s), fill=2)
    draw.rounded_rectangle((96 * s, 268 * s, 288 * s, 292 * s), 10 * s, fill=3)
    draw.line((20 * s, 372 * s, 364 * s, 352 * s), fill=0, width=round(1.6 * s))
    draw.line((120 * s, 330 * s, 260 * s, 60 * s), fill=3, width=5 * s)
    draw.arc((10 * s, 4 * s, 374 * s, 366 * s), 200, 300, fill=1, width=6 * s)


def _draw_seal(draw: ImageDraw.ImageDraw, s: int) -> None:
    """Draw areas 0 to 3; 4 is nothing."""
    draw.rectangle((0, 0, 384 * s, 384 * s), fill=4)
    draw.regular_polygon((192 * s, 192 * s, 170 * s), 8, fill=0)
    draw.ellipse((72 * s, 72 * s, 312 * s, 312 * s), fill=1)
    draw.ellipse((120 * s, 120 * s, 264 * s, 264 * s), fill=3)
    draw.regular_polygon((192 * s, 192 * s, 64 * s), 5, fill=2)
    draw.ellipse((176 * s, 176 * s, 208 * s, 208 * s), fill=4)
    draw.line((100 * s, 330 * s, 284 * s, 330 * s), fill=3, width=3 * s)


def _labels(draw: Drawing) -> Image.Image:
    edge = 384 * _SUPERSAMPLING
    image = Image.new("L", (edge, edge))
    canvas = ImageDraw.Draw(image)
    canvas.fontmode = "1"
    draw(canvas, _SUPERSAMPLING)
    return image


def _cover(labels: Image.Image, areas: int) -> Floats:
    """Return the share of each area in every pixel; areas beyond the last count as the last."""
    label = np.minimum(np.asarray(labels), areas - 1)
    n = _SUPERSAMPLING
    blocks = label.reshape(label.shape[0] // n, n, label.shape[1] // n, n)
    return np.stack([(blocks == area).mean(axis=(1, 3)) for area in range(areas)], axis=-1)


def _soft_mask(size: tuple[int, int], draw: Drawing) -> Floats:
    scale = 4
    image = Image.new("L", (size[0] * scale, size[1] * scale))
    draw(ImageDraw.Draw(image), scale)
    return np.asarray(image.resize(size, Image.Resampling.BOX))[..., None] / 255.0


def _over(ground: Floats, paint: Floats, mask: Floats) -> Floats:
    return ground * (1 - mask) + paint * mask


def _plane(width: int, height: int) -> tuple[Floats, Floats]:
    """Return y and x of every pixel, in widths."""
    y, x = np.mgrid[0:height, 0:width] / width
    return y, x


def _levels(*colors: str) -> Floats:
    return np.array([list(bytes.fromhex(color[1:])) for color in colors], dtype=np.float64)


def _picture(levels: NDArray[np.floating]) -> Image.Image:
    rounded: Levels = np.floor(levels + 0.5).clip(0, 255).astype(np.uint8)
    return Image.fromarray(rounded)
