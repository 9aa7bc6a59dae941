"""A job's finished pictures in one zip archive, made while it is sent.

    nord.png, spring.png, …    in the order of submission, stored as they are: they are compressed
    manifest.json              last, for only then is it known what is really in the archive

Its length is known beforehand, so that whoever takes it sees how far it is, or that it has broken
off. A picture that turns out to be missing is left out: the manifest says so, and blanks at its
end, which JSON allows, make up for the bytes. In worse trouble the archive cannot be finished, and
whoever takes it must be cut off.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Generator, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import BinaryIO
from uuid import UUID

import structlog

from colorway.errors import Conflict, Gone, NotFound, TryLater
from colorway.image_store import ImageStore
from colorway.ledger.connection import Ledger
from colorway.ledger.images import find_image
from colorway.ledger.progress import all_colorways, find_job, progress_of
from colorway.ledger.repairs import doubt
from colorway.ledger.tables import Record
from colorway.lifecycle import Status
from dispatcher.manifest import Manifest, file_name, manifest
from dispatcher.zip_stream import PIECE, Member, ZipStream, length_of

log = structlog.get_logger()

_MOST_BLANKS = 100_000_000  # bytes; a manifest beyond this is a burden for whoever reads it


@dataclass(frozen=True)
class Contents:
    """What goes into an archive: a job as one snapshot of the ledger shows it."""

    job: Record
    image: Record
    colorways: list[Record]

    @cached_property
    def pictures(self) -> list[Record]:
        """The colorways that have one."""
        return [row for row in self.colorways if row.status == Status.COMPLETED]

    @cached_property
    def length(self) -> int:
        """The archive's length in bytes."""
        return self.length_with(len(self.manifest()), lost=())

    def length_with(self, manifest_bytes: int, *, lost: Collection[str]) -> int:
        """Return the length without the pictures of these keys, and with such a manifest."""
        pictures = [picture(row) for row in self.pictures if row.key not in lost]
        return length_of([*pictures, self.manifest_file(manifest_bytes)])

    def manifest(self, *, lost: Collection[str] = ()) -> bytes:
        """Return the manifest where the pictures of these keys are missing."""
        said: Manifest = manifest(self.job, self.image, self.colorways, lost=lost)
        return said.model_dump_json(indent=2).encode()

    def manifest_file(self, size: int) -> Member:
        """Return the manifest's place in the archive: it is as old as the newest picture."""
        return Member("manifest.json", size, max(row.finished_at for row in self.pictures))


def picture(row: Record) -> Member:
    """Return a finished picture's place in the archive."""
    return Member(file_name(row), row.rendition_bytes, row.finished_at)


@dataclass(frozen=True, slots=True)
class Archives:
    """What archives are made from: the rows, and the pictures."""

    ledger: Ledger
    store: ImageStore

    def contents(self, account: UUID, job: UUID, *, now: datetime) -> Contents:
        """Return what an archive of the job would hold.

        Raises NotFound, Gone for a job that has expired, and Conflict where no picture is finished.
        """
        with self.ledger.reading() as session:
            found = find_job(session, account, job)
            image = find_image(session, account, found.image_id)
            contents = Contents(found, image, all_colorways(session, job))
        if found.expires_at <= now:
            at = f"{found.expires_at:%F %T} UTC"
            raise Gone(f"the job has expired, and its pictures with it: {at}")
        if not contents.pictures:
            later = None if progress_of(found).is_done else 2
            raise Conflict(
                "no colorway of the job is completed", code="not-ready", retry_after=later
            )
        return contents

    def stream(self, contents: Contents) -> Generator[bytes]:
        """Yield the archive of these contents, which has just their length.

        Raises TryLater where the archive cannot be finished: store or ledger are in trouble, or a
        picture is not what it was. Conflict, before anything was yielded, if all are missing.
        """
        lost: set[str] = set()
        with ZipStream() as archive:
            for row in contents.pictures:
                try:
                    stored = self.store.open(row.rendition_key)
                except NotFound:
                    self._miss(row)
                    lost.add(row.key)
                else:
                    yield from archive.add(picture(row), self._read(stored, row))
            if len(lost) == len(contents.pictures):
                detail = "the pictures were lost, and will be rendered again"
                raise Conflict(detail, code="not-ready", retry_after=2)
            size = contents.length - contents.length_with(0, lost=lost)
            said = _filled(contents.manifest(lost=lost), size)
            yield from archive.add(contents.manifest_file(size), said)
            yield from archive.end()
        log.info("archive_sent", job=contents.job.id, lost=len(lost), bytes=contents.length)

    def _read(self, stored: BinaryIO, row: Record) -> Iterator[bytes]:
        """Yield the picture's bytes and close it; raise TryLater if they are not what they were."""
        digest = hashlib.sha256()
        with stored:
            try:
                while piece := stored.read(PIECE):
                    digest.update(piece)
                    yield piece
            except OSError as error:  # once it is open, a stream is the platform's
                raise TryLater("a picture could not be read to its end") from error
        if digest.hexdigest() != row.rendition_sha256:
            self._miss(row)
            raise TryLater("a picture is not what it was, and will be rendered again")

    def _miss(self, row: Record) -> None:
        """Let the reconciler look at this picture next."""
        with self.ledger.transaction() as session:
            doubt(session, row.rendition_id)
        log.error("picture missed", object=row.rendition_key, rendition=row.rendition_id)


def _filled(said: bytes, size: int) -> Iterator[bytes]:
    """Yield this and blanks up to the size; raise TryLater where that would be too many."""
    blanks = size - len(said)
    if blanks > _MOST_BLANKS:
        raise TryLater("too many pictures were lost meanwhile")
    yield said
    for begun in range(0, blanks, PIECE):
        yield b" " * min(PIECE, blanks - begun)
