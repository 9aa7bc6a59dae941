"""What makes two renditions the same: source, palette, options and engine."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict

from colorway.job import OutputOptions, RenderOptions
from colorway.palette import Palette

ENGINE_VERSION = "2"
"""Rises when rendered pixels move by more than one level; old renditions are then made anew."""


def options_digest(render: RenderOptions, output: OutputOptions) -> str:
    """Return what a job's options contribute: hash it once, not once per palette."""
    resolved = {"render": asdict(render), "output": asdict(output), "engine": ENGINE_VERSION}
    return json.dumps(resolved, sort_keys=True, separators=(",", ":"))


def fingerprint(source_sha256: str, palette: Palette, options: str) -> str:
    """Return the SHA-256, in hex, of all that decides the picture; a palette's name does not."""
    parts = (source_sha256, ",".join(palette.colors), options)
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()
