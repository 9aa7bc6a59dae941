"""What answers look like. The OpenAPI document's response schemas are made from these models."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from colorway.job import JobProgress, JobStatus, Priority
from colorway.ledger.job_list import ListedJob
from colorway.ledger.progress import JobView
from colorway.ledger.tables import Record
from colorway.lifecycle import Status

COLORWAYS_SHOWN = 100
"""So many colorways come with a job; the rest by the list."""


class Body(BaseModel):
    """What every answer shares: it says just what its schema says."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ImageBody(Body):
    """A source picture; `frames` is null until a worker has decoded it."""

    id: UUID
    sha256: str
    width: int
    height: int
    format: str
    frames: int | None
    bytes: int


class ResultBody(Body):
    """A finished picture; `path` is its key in the store."""

    sha256: str
    bytes: int
    width: int
    height: int
    format: str
    path: str


class TimingsBody(Body):
    """How long each step took, in milliseconds."""

    queued: int
    fetch: int
    render: int
    encode: int
    upload: int


class ColorwayErrorBody(Body):
    """Why an attempt failed, in the words of problem+json."""

    code: str
    detail: str
    phase: str | None = None
    attempt: int | None = None


class ColorwayBody(Body):
    """One source image in one palette."""

    key: str
    name: str
    colors: list[str]
    index: int
    status: Status
    cached: bool
    attempts: int
    image_url: str
    thumbnail_url: str
    result: ResultBody | None
    timings_ms: TimingsBody | None
    error: ColorwayErrorBody | None


class CountsBody(Body):
    """How many colorways are where; the five sum to `total`."""

    total: int
    pending: int
    processing: int
    completed: int
    failed: int
    cancelled: int


class StatsBody(Body):
    """Sums over the job's colorways."""

    cached: int
    attempts: int
    retries: int
    render_seconds: float
    upload_seconds: float
    bytes: int


class LinksBody(Body):
    """Where to go from here."""

    self: str
    colorways: str
    archive: str


class JobSummary(Body):
    """A job as the list has it: what its body says, but for what takes a look at every colorway."""

    id: UUID
    object: str = "job"
    version: int
    status: JobStatus
    done: bool
    progress_percent: int
    eta_seconds: int | None
    counts: CountsBody
    image: ImageBody
    render: dict[str, Any]
    output: dict[str, Any]
    priority: Priority
    on_error: str
    reuse: str
    metadata: dict[str, str]
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    expires_at: datetime
    links: LinksBody


class JobPage(Body):
    """Some jobs, the newest first, and where the next ones are."""

    object: str = "list"
    data: list[JobSummary]
    next: str | None


class JobBody(JobSummary):
    """A job; the same for POST and GET."""

    stats: StatsBody
    colorways: list[ColorwayBody]
    colorways_next: str | None


class ColorwayPage(Body):
    """Some colorways of a job, and where the next ones are."""

    object: str = "list"
    data: list[ColorwayBody]
    next: str | None


def image_body(row: Record) -> ImageBody:
    """Return the answer for a row of `images`."""
    return ImageBody(
        id=row.id,
        sha256=row.sha256,
        width=row.width,
        height=row.height,
        format=row.format,
        frames=row.frames,
        bytes=row.bytes,
    )


def job_body(view: JobView, *, now: datetime) -> JobBody:
    """Return the answer for a job as one snapshot shows it."""
    stats, path = view.stats, _job_path(view.job.id)
    return JobBody(
        **_in_short(view.job, view.image, view.progress, now=now),
        stats=StatsBody(
            cached=stats.cached,
            attempts=stats.attempts,
            retries=stats.retries,
            render_seconds=stats.render_ms / 1000,
            upload_seconds=stats.upload_ms / 1000,
            bytes=stats.bytes,
        ),
        colorways=[colorway_body(view.job.id, row) for row in view.colorways],
        colorways_next=_next(path, view.colorways, view.progress.total),
    )


def job_page_body(found: Sequence[ListedJob], *, following: str | None, now: datetime) -> JobPage:
    """Return the answer for a page of jobs."""
    data = [JobSummary(**_in_short(it.job, it.image, it.progress, now=now)) for it in found]
    return JobPage(data=data, next=following)


def _in_short(
    job: Record, image: Record, progress: JobProgress, *, now: datetime
) -> dict[str, Any]:
    """Return the fields of a JobSummary."""
    path = _job_path(job.id)
    return {
        "id": job.id,
        "version": job.version,
        "status": progress.status,
        "done": progress.is_done,
        "progress_percent": progress.percent,
        "eta_seconds": _eta_seconds(progress, job.started_at, now),
        "counts": CountsBody(
            total=progress.total,
            pending=progress.pending,
            processing=progress.processing,
            completed=progress.completed,
            failed=progress.failed,
            cancelled=progress.cancelled,
        ),
        "image": image_body(image),
        "render": job.render,
        "output": job.output,
        "priority": job.priority,
        "on_error": job.on_error,
        "reuse": job.reuse,
        "metadata": job.client_metadata,
        "created_at": job.created_at,
        "started_at": job.started_at,
        "finished_at": job.finished_at,
        "expires_at": job.expires_at,
        "links": LinksBody(self=path, colorways=f"{path}/colorways", archive=f"{path}/archive"),
    }


def _job_path(job: UUID) -> str:
    return f"/v1/jobs/{job}"


def colorway_body(job: UUID, row: Record) -> ColorwayBody:
    """Return the answer for a row of `colorways` with its rendition."""
    image = f"{_job_path(job)}/colorways/{row.key}/image"
    is_completed = row.status == Status.COMPLETED
    return ColorwayBody(
        key=row.key,
        name=row.name,
        colors=row.colors,
        index=row.position,
        status=row.status,
        cached=row.cached,
        attempts=row.attempts,
        image_url=image,
        thumbnail_url=f"{image}?thumbnail=1",
        result=_result(row) if is_completed else None,
        timings_ms=_timings(row) if is_completed else None,
        error=None if row.error is None else ColorwayErrorBody(**row.error),
    )


def colorway_page_body(job: UUID, rows: list[Record], *, following: str | None) -> ColorwayPage:
    """Return the answer for a page of colorways."""
    return ColorwayPage(data=[colorway_body(job, row) for row in rows], next=following)


def _next(job_path: str, rows: list[Record], total: int) -> str | None:
    """Return where the colorways behind these are; none where the last one is among them."""
    if not rows or rows[-1].position + 1 >= total:
        return None
    return f"{job_path}/colorways?cursor={rows[-1].position}"


def _eta_seconds(progress: JobProgress, started_at: datetime | None, now: datetime) -> int | None:
    """Return the seconds left at the pace so far; None while there is none."""
    if progress.is_done or started_at is None or progress.finished == 0:
        return None
    elapsed = (now - started_at).total_seconds()
    return round(elapsed / progress.finished * (progress.total - progress.finished))


def _result(row: Record) -> ResultBody:
    return ResultBody(
        sha256=row.rendition_sha256,
        bytes=row.rendition_bytes,
        width=row.rendition_width,
        height=row.rendition_height,
        format=row.rendition_format,
        path=row.rendition_key,
    )


def _timings(row: Record) -> TimingsBody | None:
    if row.queued_ms is None:
        return None
    return TimingsBody(
        queued=row.queued_ms,
        fetch=row.fetch_ms,
        render=row.render_ms,
        encode=row.encode_ms,
        upload=row.upload_ms,
    )
