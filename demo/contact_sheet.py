"""One picture of all results: the source, then every colorway with its name and its colours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont, ImageOps

_CELL = 420  # pixels; wide enough to judge a picture by
_LABEL = 64
_GAP = 20
_PAPER = "#ffffff"
_INK = "#202124"
_COLUMNS = 4


@dataclass(frozen=True, slots=True)
class Frame:
    """A picture of the sheet, what to call it, and the colours to show beneath."""

    picture: Path
    name: str
    colors: Sequence[str] = ()


def contact_sheet(frames: Sequence[Frame]) -> Image.Image:
    """Return the frames in rows of four, each labelled, with its swatches."""
    height = _tallest(frames)
    columns = min(_COLUMNS, len(frames))
    rows = ceil(len(frames) / columns)
    cell = (_CELL + _GAP, height + _LABEL + _GAP)
    sheet = Image.new("RGB", (columns * cell[0] + _GAP, rows * cell[1] + _GAP), _PAPER)
    for index, frame in enumerate(frames):
        row, column = divmod(index, columns)
        _draw(sheet, frame, (_GAP + column * cell[0], _GAP + row * cell[1]), height)
    return sheet


def _draw(sheet: Image.Image, frame: Frame, at: tuple[int, int], height: int) -> None:
    left, top = at
    small = _small(frame.picture)
    sheet.paste(small, (left + (_CELL - small.width) // 2, top + (height - small.height) // 2))
    draw = ImageDraw.Draw(sheet)
    draw.text((left, top + height + 8), frame.name, fill=_INK, font=ImageFont.load_default(20))
    width = _CELL // max(1, len(frame.colors))
    for index, color in enumerate(frame.colors):
        x = left + index * width
        box = (x, top + height + 36, x + width - 2, top + height + _LABEL - 2)
        draw.rectangle(box, fill=color, outline="#d0d0d0")


def _small(picture: Path) -> Image.Image:
    with Image.open(picture) as opened:
        upright = ImageOps.exif_transpose(opened).convert("RGBA")
    upright.thumbnail((_CELL, _CELL), Image.Resampling.LANCZOS)
    paper = Image.new("RGBA", upright.size, _PAPER)
    paper.alpha_composite(upright)
    return paper.convert("RGB")


def _tallest(frames: Sequence[Frame]) -> int:
    return max(_small(frame.picture).height for frame in frames)
