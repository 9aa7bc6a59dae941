"""One way to break the project: a piece of a file, what stands there instead, who must notice."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


class DoesNotFit(Exception):
    """The piece is not there, or more than once: the code has moved on, and so must the mutant."""


@dataclass(frozen=True, slots=True)
class Mutant:
    """A single change that a reader could make by mistake; `watched_by` are paths for pytest."""

    name: str
    file: str
    piece: str
    instead: str
    watched_by: tuple[str, ...]

    def broken(self, root: Path) -> str:
        """Return the file of the project at `root` as this mutant has it, or raise DoesNotFit."""
        text = (root / self.file).read_text()
        if (found := text.count(self.piece)) != 1:
            raise DoesNotFit(f"{self.name}: {self.file} has {found} times {self.piece!r}")
        return text.replace(self.piece, self.instead)
