"""Palettes from a file: `[{"name": "Nord", "colors": ["#2e3440", "#88c0d0"]}, …]`."""

from __future__ import annotations

import json
from pathlib import Path

from colorway.errors import InvalidRequest
from colorway.palette import Palette


def read_palettes(file: Path) -> tuple[Palette, ...]:
    """Return the palettes of this JSON file, or raise InvalidRequest that says what is wrong."""
    try:
        listed = json.loads(file.read_bytes())
    except OSError as error:
        raise InvalidRequest(f"{file} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise InvalidRequest(f"{file} is not JSON: {error}") from error
    if not isinstance(listed, list) or not listed:
        raise InvalidRequest(f'{file} is not a list of {{"name": …, "colors": […]}}')
    palettes = []
    for index, entry in enumerate(listed):
        try:
            palettes.append(Palette(str(entry["name"]), tuple(map(str, entry["colors"]))))
        except (KeyError, TypeError) as error:
            raise InvalidRequest(f"{file}: palette {index} lacks name or colors") from error
        except InvalidRequest as error:
            flaws = "; ".join(flaw.detail for flaw in error.flaws)
            raise InvalidRequest(f"{file}: {error.detail}: {flaws}") from error
    return tuple(palettes)
