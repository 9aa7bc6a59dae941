"""Which faults the store has right now: a file, written by the conductor, read by services."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Switches:
    """What goes wrong with the store; as it comes, it is only slow.

    away    every call fails
    hang_s  a put takes so much longer
    cut     probability that a put reads half the body, fails, and stores nothing
    after   probability that a put stores everything, and fails then
    slow_s  a put takes up to so long anyway, as an upload does
    poison  SHA-256 of sources that kill the worker that opens them
    """

    away: bool = False
    hang_s: float = 0.0
    cut: float = 0.0
    after: float = 0.0
    slow_s: float = 0.5
    poison: tuple[str, ...] = ()

    def write(self, file: Path) -> None:
        """Replace the file whole, so that nobody reads half of it."""
        unfinished = file.with_name(f".{file.name}.unfinished")
        unfinished.write_text(json.dumps(asdict(self)))
        unfinished.replace(file)


class SwitchBoard:
    """The switches as the file has them; read again only when it has been replaced."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._read: tuple[tuple[int, int], Switches] | None = None

    def now(self) -> Switches:
        """Return the switches as they are."""
        facts = self._file.stat()
        version = (facts.st_ino, facts.st_mtime_ns)
        read = self._read
        if read is None or read[0] != version:
            values = json.loads(self._file.read_text())
            read = version, Switches(**values | {"poison": tuple(values["poison"])})
            self._read = read
        return read[1]


SWITCHES_FILE = "CHAOS_SWITCHES"
"""The environment variable that says where the file lies."""


def switch_board() -> SwitchBoard:
    """Return the switches of the file that the environment names."""
    return SwitchBoard(Path(os.environ[SWITCHES_FILE]))
