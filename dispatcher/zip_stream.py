"""A zip archive that is sent while it is made, member by member, its length known beforehand.

A member is gathered whole before any of it is handed on, so that the header before it tells its
size and checksum. A zip can say them after the member, too, but of one that is not compressed many
readers of streams do not take that (java.util.zip is one), and macOS's Archive Utility is
known for its trouble with it. The standard library's ZipFile goes back to a header by itself, if
what it writes to can seek; ours can, as far back as the member that is being gathered.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from tempfile import SpooledTemporaryFile
from types import TracebackType
from typing import Self
from zipfile import ZipFile, ZipInfo

PIECE = 1 << 18
"""Bytes of an archive that are handed on at once."""

_IN_MEMORY = 4 << 20  # bytes of a member; a larger one lies in a temporary file
_READABLE = 0o644 << 16  # a file that its owner may write and everybody read


@dataclass(frozen=True, slots=True)
class Member:
    """A file in an archive, stored as it is; `at` is its date, which a zip keeps without a zone."""

    name: str
    bytes: int
    at: datetime

    def header(self) -> ZipInfo:
        """Return what ZipFile has to know of it."""
        header = ZipInfo(self.name, self.at.astimezone(UTC).timetuple()[:6])
        header.file_size = self.bytes  # here just to decide whether it takes Zip64
        header.external_attr = _READABLE
        return header


class ZipStream:
    """Turns contents into pieces of an archive; an error while gathering ends it for good."""

    def __init__(self, *, behind: int = 0) -> None:
        """`behind` so many bytes of something else: a zip need not begin where its file does."""
        self._window = _Window(behind)
        self._zip = ZipFile(self._window, "w")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._zip.close()
        self._window.close()

    def add(self, member: Member, content: Iterable[bytes]) -> Iterator[bytes]:
        """Gather the content and yield what it adds to the archive.

        Raises ValueError where it is not as long as was said: that would make the length a lie.
        """
        with self._zip.open(member.header(), "w") as file:
            size = sum(file.write(piece) for piece in content)
        if size != member.bytes:
            raise ValueError(f"{member.name} has {size} bytes, not {member.bytes}")
        yield from self._window.hand_on()

    def end(self) -> Iterator[bytes]:
        """Yield the directory of all members, without which it is no archive."""
        self._zip.close()
        yield from self._window.hand_on()


def length_of(members: Iterable[Member]) -> int:
    """Return how many bytes an archive of these has, each of them below 2 GiB."""
    ruler = _Ruler()
    with ZipFile(ruler, "w") as archive:
        for member in members:
            with archive.open(member.header(), "w"):
                ruler.skip(member.bytes)
    return ruler.length


class _Window:
    """What of an archive is not handed on yet: it can be written again."""

    def __init__(self, begins_at: int) -> None:
        self._begins_at = begins_at
        self._file = SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115 - close() closes it

    def tell(self) -> int:
        return self._begins_at + self._file.tell()

    def seek(self, offset: int) -> int:
        return self._begins_at + self._file.seek(offset - self._begins_at)

    def write(self, data: bytes) -> int:
        return self._file.write(data)

    def flush(self) -> None:
        """Do nothing; ZipFile asks for it."""

    def close(self) -> None:
        self._file.close()

    def hand_on(self) -> Iterator[bytes]:
        """Yield what is here and forget it."""
        size = self._file.tell()
        self._file.seek(0)
        while piece := self._file.read(PIECE):
            yield piece
        self._begins_at += size
        self._file.seek(0)
        self._file.truncate()


class _Ruler:
    """Counts what is written to it, and what is said to be."""

    def __init__(self) -> None:
        self.length = 0
        self._at = 0

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int) -> int:
        self._at = offset
        return offset

    def write(self, data: bytes) -> int:
        self.skip(len(data))
        return len(data)

    def skip(self, size: int) -> None:
        """Count so many bytes as if they were written."""
        self._at += size
        self.length = max(self.length, self._at)

    def flush(self) -> None:
        """Do nothing; ZipFile asks for it."""

    def close(self) -> None:
        """Do nothing; ZipFile asks for it."""
