"""Palettes: a named set of colours, checked once and trusted everywhere; and seven good ones."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from dataclasses import dataclass

from colorway.errors import Flaw, InvalidRequest

MIN_COLORS = 2
MAX_COLORS = 16
MAX_NAME = 100

_COLOR = re.compile(r"#(?:[0-9a-fA-F]{3}){1,2}")
KEY_PATTERN = r"^[a-z0-9][a-z0-9_-]{0,62}$"
_KEY = re.compile(KEY_PATTERN)
_NOT_IN_A_KEY = re.compile(r"[^a-z0-9_]+")


def canonical_color(text: str) -> str:
    """Return `#rrggbb` in lower case for `#rgb` or `#rrggbb`, or raise InvalidRequest."""
    if not _COLOR.fullmatch(text):
        raise InvalidRequest(
            f"{text!r} is not a colour: write #rgb or #rrggbb", code="color-syntax"
        )
    digits = text[1:].lower()
    if len(digits) == 3:
        digits = "".join(digit * 2 for digit in digits)
    return f"#{digits}"


@dataclass(frozen=True, slots=True)
class Palette:
    """Two to sixteen sRGB colours, `#rrggbb`, in the order the client gave them."""

    name: str
    colors: tuple[str, ...]

    def __post_init__(self) -> None:
        flaws = []
        if not 1 <= len(self.name) <= MAX_NAME:
            detail = f"a name of {len(self.name)} characters; it has 1 to {MAX_NAME}"
            flaws.append(Flaw("/name", "name-length", detail))
        if not MIN_COLORS <= len(self.colors) <= MAX_COLORS:
            flaws.append(
                Flaw(
                    "/colors",
                    "color-count",
                    f"{len(self.colors)} colours; a palette has {MIN_COLORS} to {MAX_COLORS}",
                )
            )
        canonical = []
        for index, color in enumerate(self.colors):
            try:
                canonical.append(canonical_color(color))
            except InvalidRequest as error:
                flaws.append(Flaw(f"/colors/{index}", error.code, error.detail))
        if flaws:
            raise InvalidRequest(f"palette {self.name!r} is not valid", flaws=tuple(flaws))
        object.__setattr__(self, "colors", tuple(canonical))

    def default_key(self) -> str:
        """Return a slug of the name, or the palette's hash where no letter or digit survives."""
        plain = unicodedata.normalize("NFKD", self.name).encode("ascii", "ignore").decode().lower()
        slug = _NOT_IN_A_KEY.sub("-", plain).strip("-_")[:63]
        return slug or hashlib.sha256(",".join(self.colors).encode()).hexdigest()[:16]


def is_key(text: str) -> bool:
    """Whether the text can name a colorway within its job."""
    return _KEY.fullmatch(text) is not None


CATALOGUE: tuple[Palette, ...] = (
    Palette("Nord", ("#2e3440", "#4c566a", "#5e81ac", "#88c0d0", "#eceff4")),
    Palette("Terracotta", ("#2b1a14", "#7a3b24", "#c8674a", "#e9b384", "#f8ecd9")),
    Palette("Forest", ("#12211b", "#2f5d46", "#6a9a5b", "#c3cf8e", "#f4f1de")),
    Palette("Grape", ("#1d1135", "#4b2a7b", "#8e5bb5", "#d4a5d9", "#fbeffa")),
    Palette("Harbour", ("#0b1d2a", "#14506b", "#2a9d8f", "#e9c46a", "#fdf6e3")),
    Palette("Rosewood", ("#22121a", "#6d2b45", "#b5526b", "#e8a9a4", "#fff1ea")),
    Palette("Ink", ("#101418", "#3c444d", "#7d8791", "#c4cad0", "#f7f8f9")),
)
"""The seven palettes of the demo: dark to light, made to suit a photograph."""
