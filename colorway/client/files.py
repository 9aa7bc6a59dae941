"""Pictures on their way: sent piece by piece, as often as it takes; received whole or not at all.

requests' own `files=` would hold a picture in memory, twice, and is spent after one try.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4

Picture = str | os.PathLike[str] | bytes | BinaryIO
"""A path, the bytes themselves, or an open binary file, which is read from where it stands."""

CHUNK = 1 << 16


class Stream:
    """A body of known length. Each iteration begins anew, so that a repeated try sends it all."""

    def __init__(self, file: BinaryIO, before: bytes = b"", after: bytes = b"") -> None:
        self._file = file
        self._start = file.tell()
        self._size = file.seek(0, os.SEEK_END) - self._start
        self._before = before
        self._after = after

    def __len__(self) -> int:
        """Return the bytes of the whole: without it, the body would be sent in chunks."""
        return len(self._before) + self._size + len(self._after)

    def __iter__(self) -> Iterator[bytes]:
        yield self._before
        self._file.seek(self._start)
        while piece := self._file.read(CHUNK):
            yield piece
        yield self._after

    def sha256(self) -> str:
        """Return the hash of the whole, in hex."""
        digest = hashlib.sha256()
        for piece in self:
            digest.update(piece)
        return digest.hexdigest()


@contextmanager
def opened(picture: Picture) -> Iterator[BinaryIO]:
    """Yield the picture as a file; close what was opened for it."""
    if isinstance(picture, bytes):
        yield BytesIO(picture)
    elif isinstance(picture, str | os.PathLike):
        with Path(picture).open("rb") as file:
            yield file
    else:
        yield picture


def write_whole(file: Path, pieces: Iterable[bytes]) -> None:
    """Write these bytes to a file beside it, and then put that in its place."""
    unfinished = file.with_name(f".{uuid4().hex}.unfinished")
    try:
        with unfinished.open("xb") as stream:
            stream.writelines(pieces)
        unfinished.replace(file)
    finally:
        unfinished.unlink(missing_ok=True)
