"""What an archive says of itself: enough to make every picture in it again, and to check each."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from colorway.job import JobStatus
from colorway.ledger.progress import progress_of
from colorway.ledger.repairs import LOST
from colorway.ledger.tables import Record
from colorway.lifecycle import Status


class _Said(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Source(_Said):
    """The picture that was recoloured."""

    id: UUID
    sha256: str
    bytes: int
    width: int
    height: int
    format: str


class Entry(_Said):
    """One colorway: its file in the archive, or why there is none."""

    key: str
    name: str
    colors: list[str]
    index: int
    status: Status
    file: str | None = None
    sha256: str | None = None
    bytes: int | None = None
    width: int | None = None
    height: int | None = None
    error: dict[str, Any] | None = None


class Manifest(_Said):
    """A job as it was when the archive was begun; `render` and `output` as they were resolved."""

    job: UUID
    version: int
    status: JobStatus
    created_at: datetime
    finished_at: datetime | None
    metadata: dict[str, str]
    source: Source
    render: dict[str, Any]
    output: dict[str, Any]
    colorways: list[Entry]


def manifest(
    job: Record, image: Record, colorways: Sequence[Record], *, lost: Collection[str]
) -> Manifest:
    """Return what there is to say; `lost` are keys whose pictures turned out to be missing."""
    return Manifest(
        job=job.id,
        version=job.version,
        status=progress_of(job).status,
        created_at=job.created_at,
        finished_at=job.finished_at,
        metadata=job.client_metadata,
        source=Source(
            id=image.id,
            sha256=image.sha256,
            bytes=image.bytes,
            width=image.width,
            height=image.height,
            format=image.format,
        ),
        render=job.render,
        output=job.output,
        colorways=[_entry(row, is_lost=row.key in lost) for row in colorways],
    )


def file_name(row: Record) -> str:
    """Return what a finished colorway's picture is called in the archive."""
    return f"{row.key}.{row.rendition_format}"


def _entry(row: Record, *, is_lost: bool) -> Entry:
    palette = {"key": row.key, "name": row.name, "colors": row.colors, "index": row.position}
    if row.status != Status.COMPLETED or is_lost:
        return Entry(**palette, status=row.status, error=LOST if is_lost else row.error)
    return Entry(
        **palette,
        status=row.status,
        file=file_name(row),
        sha256=row.rendition_sha256,
        bytes=row.rendition_bytes,
        width=row.rendition_width,
        height=row.rendition_height,
    )
