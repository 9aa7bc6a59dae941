"""Renditions side by side, for the eye."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchmarks.quality_set import picture_file
from benchmarks.trials import OURS, kept_at
from colorway.palette import Palette
from demo.contact_sheet import Frame, contact_sheet


def write_sheets(
    folder: Path,
    pictures: Sequence[str],
    palettes: Sequence[Palette],
    methods: Sequence[str],
    compared: Sequence[Palette],
) -> None:
    """Write two sheets per picture from what `trials` kept: ours by palette, and all by method."""
    for picture in pictures:
        source = folder / "renditions" / f"{picture}.png"
        source.write_bytes(picture_file(picture))
        frames = [Frame(source, picture)]
        for palette in palettes:
            at = kept_at(folder, OURS, picture, palette.name)
            frames.append(Frame(at, palette.name, palette.colors))
        contact_sheet(frames).save(folder / f"{picture}.png")
        if len(methods) > 1:
            rivals = [
                Frame(kept_at(folder, method, picture, palette.name), method, palette.colors)
                for palette in compared
                for method in methods
            ]
            contact_sheet(rivals).save(folder / f"{picture}, by method.png")
