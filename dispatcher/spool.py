"""Bytes on their way in, from wherever: bounded, counted, hashed, and read again from the start."""

from __future__ import annotations

import hashlib
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from typing import BinaryIO, cast

from colorway.errors import TooLarge
from colorway.ledger.images import SourceFacts
from dispatcher.picture_header import picture_header
from dispatcher.places import Places

CHUNK = 1 << 16
_IN_MEMORY = 1 << 20


@dataclass(frozen=True, slots=True)
class Limit:
    """So many bytes are taken; `advice` follows that number where more are refused."""

    bytes: int
    advice: str = ""

    def refusal(self, name: str) -> TooLarge:
        """Return the error for something that has more."""
        return TooLarge(f"{name} is too large; the limit is {self.bytes} bytes{self.advice}")


@dataclass(frozen=True, slots=True)
class Upload:
    """A picture as it was received, and what its header says."""

    file: BinaryIO
    facts: SourceFacts


class Spool:
    """Bytes as they come in: in memory up to 1 MB, then on disk; counted and hashed on the way.

    What goes to disk takes one of the places, where there are any; before that it needs none, so
    that nobody keeps one who announces much and sends little.
    """

    def __init__(self, name: str, limit: Limit, places: Places | None = None) -> None:
        file = tempfile.SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115 - whoever asks closes it
        self.file = cast("BinaryIO", file)
        self.size = 0
        self._name = name
        self._limit = limit
        self._places = places
        self._place = ExitStack()
        self._sha256 = hashlib.sha256()

    def write(self, chunk: bytes) -> None:
        """Add these bytes, or raise TooLarge; TryLater where all places are taken."""
        before, self.size = self.size, self.size + len(chunk)
        if self.size > self._limit.bytes:
            raise self._limit.refusal(self._name)
        if self._places is not None and before <= _IN_MEMORY < self.size:
            self._place = self._places.take()
        self._sha256.update(chunk)
        self.file.write(chunk)

    def sha256(self) -> str:
        """Return the hash of what has come in, in hex."""
        return self._sha256.hexdigest()

    def facts(self, *, max_pixels: int) -> SourceFacts:
        """Return what is known of it as a source, or raise InvalidRequest if it cannot be one."""
        kind, width, height = picture_header(self.file, max_pixels=max_pixels)
        return SourceFacts(self.sha256(), self.size, kind, width, height)

    def close(self) -> None:
        """Forget it."""
        self.file.close()
        self._place.close()

    def read(self) -> bytes:
        """Return all of it."""
        self.file.seek(0)
        return self.file.read()
