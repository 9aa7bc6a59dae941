"""What renditions of this ENGINE_VERSION look like; `make golden` draws them for a new one."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import numpy as np
from PIL import Image

from colorway.fingerprint import ENGINE_VERSION
from colorway.job import OutputOptions, RenderOptions
from colorway.palette import Palette
from palette_worker.rendering import decode, render
from tests.palette_worker.rendering.drawn_pictures import (
    HARBOUR,
    a_palette,
    a_photo,
    a_ramp,
    a_see_through_logo,
    a_soft_logo,
    file_of,
    opened,
)

FOLDER = Path(__file__).parent / "golden"

_UNLIKE = a_palette("#3a0ca3", "#e63946", "#2a9d8f", "#ffb703", "#f8f9fa")
_FULLY, _AS_IT_IS = RenderOptions(), OutputOptions()

CASES: dict[str, tuple[bytes, Palette, RenderOptions, OutputOptions]] = {
    "photo": (file_of(a_photo()), HARBOUR, _FULLY, _AS_IT_IS),
    "photo-by-hue": (
        file_of(a_photo()),
        _UNLIKE,
        RenderOptions(preserve_luminance=False),
        _AS_IT_IS,
    ),
    "photo-at-half-strength": (file_of(a_photo()), _UNLIKE, RenderOptions(strength=0.5), _AS_IT_IS),
    "smaller-photo": (file_of(a_photo()), HARBOUR, _FULLY, OutputOptions(max_edge=60)),
    "grey-photo": (file_of(a_photo().convert("L")), _UNLIKE, _FULLY, _AS_IT_IS),
    "ramp": (file_of(a_ramp("#101830", "#f8e8d0")), _UNLIKE, _FULLY, _AS_IT_IS),
    "logo": (file_of(a_soft_logo()), HARBOUR, _FULLY, _AS_IT_IS),
    "see-through-logo": (file_of(a_see_through_logo()), _UNLIKE, _FULLY, _AS_IT_IS),
    "logo-as-jpeg": (file_of(a_soft_logo(), "JPEG", quality=85), HARBOUR, _FULLY, _AS_IT_IS),
    "smaller-logo": (file_of(a_soft_logo()), _UNLIKE, _FULLY, OutputOptions(max_edge=40)),
}


def drawn(case: str) -> Image.Image:
    """Return the rendition with its thumbnail below it, both RGBA."""
    body, palette, options, output = CASES[case]
    rendition = render(decode(body), palette, options, output)
    parts = [opened(part).convert("RGBA") for part in (rendition.body, rendition.thumbnail)]
    both = Image.new("RGBA", (max(p.width for p in parts), sum(p.height for p in parts)))
    both.paste(parts[0], (0, 0))
    both.paste(parts[1], (0, parts[0].height))
    return both


def golden(case: str) -> Path:
    """Return where this engine's picture lies."""
    return FOLDER / ENGINE_VERSION / f"{case}.png"


def largest_difference(case: str, picture: Image.Image) -> int:
    """Return by how many levels the picture differs from the golden one; 255 for another size."""
    with Image.open(golden(case)) as kept:
        if kept.size != picture.size:
            return 255
        one, other = (np.asarray(image).astype(np.int16) for image in (kept, picture))
    return int(np.abs(one - other).max())


def main() -> str | None:
    """Draw all; return what is wrong."""
    for case in CASES:
        picture = drawn(case)
        if golden(case).exists() and largest_difference(case, picture) > 1:
            return f"{case} looks different now: raise ENGINE_VERSION in colorway/fingerprint.py"
        golden(case).parent.mkdir(parents=True, exist_ok=True)
        picture.save(golden(case), optimize=True)
    for older in FOLDER.iterdir():
        if older.name != ENGINE_VERSION:
            shutil.rmtree(older)
    return None


if __name__ == "__main__":
    sys.exit(main())
