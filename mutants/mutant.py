"""One way to break the project: a piece of a file, what stands there instead, who must notice."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple


class DoesNotFit(Exception):
    """The piece is not there, or more than once: the code has moved on, and so must the mutant."""


class Edit(NamedTuple):
    """What stands instead of a piece of a file."""

    file: str
    piece: str
    instead: str


@dataclass(frozen=True, slots=True)
class Mutant:
    """A single mistake that a reader could make; `watched_by` are paths for pytest."""

    name: str
    file: str
    piece: str
    instead: str
    watched_by: tuple[str, ...]
    also: tuple[Edit, ...] = ()

    def broken(self, root: Path) -> dict[str, str]:
        """Return the files that it changes, as they are then, or raise DoesNotFit."""
        edits = (Edit(self.file, self.piece, self.instead), *self.also)
        files = {edit.file: (root / edit.file).read_text() for edit in edits}
        for file, piece, instead in edits:
            if (found := files[file].count(piece)) != 1:
                raise DoesNotFit(f"{self.name}: {file} has {found} times {piece!r}")
            files[file] = files[file].replace(piece, instead)
        return files
