"""Files read up to a limit, and written whole or not at all.

Errors of the system become InvalidRequest, one sentence that begins with the place.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from colorway.errors import InvalidRequest


@contextmanager
def naming(place: str | Path) -> Iterator[None]:
    """Turn the system's errors into lines that begin with the place."""
    try:
        yield
    except OSError as error:
        raise InvalidRequest(f"{place}: {error.strerror}") from error


def read_at_most(file: BinaryIO, most: int, *, name: str) -> bytes:
    """Return all bytes of the file, or raise InvalidRequest where there are more than `most`."""
    body = file.read(most + 1)
    if len(body) > most:
        raise InvalidRequest(f"{name}: more than the {most:,} bytes that are decoded")
    return body


def write_whole(place: Path, body: bytes) -> None:
    """Write the file beside its place first, then move it there; an older file stays until then."""
    with naming(place):
        if place.exists() and not place.is_file():  # a device or a pipe is not to be replaced
            place.write_bytes(body)
        else:
            _replace(place.resolve(), body)  # a link stays one


def _replace(place: Path, body: bytes) -> None:
    beside = place.with_name(f".{os.urandom(8).hex()}.part")
    try:
        with beside.open("xb") as file:
            file.write(body)
        beside.replace(place)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
