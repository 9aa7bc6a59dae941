"""What answers look like. The OpenAPI document's response schemas are made from these models."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from colorway.job import JobProgress, JobStatus, OnError, OutputFormat, Priority, Reuse
from colorway.ledger.job_list import ListedJob
from colorway.ledger.progress import JobView
from colorway.ledger.tables import Record
from colorway.lifecycle import Status
from dispatcher.api.problem_kinds import COLORWAY_ERRORS

COLORWAYS_SHOWN = 100
"""So many colorways come with a job; the rest by the list."""


def _shown(**keywords: Any) -> Any:
    """Return what the schema says beyond the type; answers are ours, so nothing checks them."""
    return Field(json_schema_extra=keywords)


Sha256 = Annotated[str, _shown(pattern="^[0-9a-f]{64}$", description="SHA-256 of the file")]
Count = Annotated[int, _shown(minimum=0)]
Pixels = Annotated[int, _shown(minimum=1, description="pixels")]
Path = Annotated[str, _shown(format="uri-reference")]


class Body(BaseModel):
    """What every answer shares: it says just what its schema says."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, json_schema_serialization_defaults_required=True
    )


class HealthBody(Body):
    """That the process answers."""

    status: Literal["ok"] = "ok"


class ReadyBody(Body):
    """That the service can do its work."""

    status: Literal["ready"] = "ready"


class JobImageBody(Body):
    """The source picture of a job."""

    id: UUID
    sha256: Sha256
    width: Pixels
    height: Pixels
    format: str = Field(description="`png`, `jpeg`, `webp`, `gif`, `avif` or `tiff`")
    frames: int | None = Field(
        description="how many pictures the file holds, of which the first is used; null until a"
        " worker has decoded it"
    )
    bytes: Count


class ResultBody(Body):
    """A finished picture."""

    sha256: Sha256
    bytes: Count
    width: Pixels
    height: Pixels
    format: str = Field(description="`png`, `webp` or `jpeg`")
    path: str = Field(description="its key in the store")


class TimingsBody(Body):
    """How long each step took, in milliseconds."""

    queued: Count = Field(description="from the submission to the attempt that succeeded")
    fetch: Count
    render: Count
    encode: Count
    upload: Count


class ColorwayErrorBody(Body):
    """Why the last attempt failed, in the words of problem+json."""

    code: str = Field(
        description="the kind of error, for programs; `/problems` lists them, more may be added",
        json_schema_extra={"x-extensible-enum": list(COLORWAY_ERRORS)},
    )
    detail: str = Field(description="what went wrong, for people")
    phase: str | None = Field(
        default=None, description="`fetch`, `decode`, `render`, `encode` or `upload`, where known"
    )
    attempt: int | None = Field(default=None, description="which attempt it was, from 1")


class ColorwayBody(Body):
    """One source image in one palette."""

    key: str = Field(description="names it within its job")
    name: str
    colors: list[str] = Field(description="as `#rrggbb`, in lower case")
    index: Count = Field(description="its place in the submission, from 0")
    status: Status
    cached: bool = Field(description="whether the picture was there before, and cost nothing")
    attempts: Count = Field(description="how often it was begun")
    image_url: Path = Field(description="leads to its picture once it is `completed`")
    thumbnail_url: Path = Field(description="leads to the small picture")
    result: ResultBody | None = Field(description="null unless it is `completed`")
    timings_ms: TimingsBody | None
    error: ColorwayErrorBody | None = Field(
        description="why it failed, or, while it is `pending`, why it is tried again"
    )


class CountsBody(Body):
    """How many colorways are where; the five sum to `total`."""

    total: Count
    pending: Count
    processing: Count
    completed: Count
    failed: Count
    cancelled: Count


class StatsBody(Body):
    """Sums over the job's colorways."""

    cached: Count = Field(description="how many were there before")
    attempts: Count
    retries: Count = Field(description="attempts beyond each colorway's first")
    render_seconds: float
    upload_seconds: float
    bytes: Count = Field(description="of all finished pictures")


class RenderBody(Body):
    """How the job is recoloured, every default filled in."""

    strength: float
    preserve_luminance: bool
    engine_version: str = Field(description="rises whenever the same request looks different")


class OutputBody(Body):
    """What files the job makes, every default filled in."""

    format: OutputFormat
    quality: int
    lossless: bool
    max_edge: int | None
    thumbnail_edge: int


class LinksBody(Body):
    """Where to go from here."""

    self: Path
    colorways: Path
    archive: Path


class JobSummary(Body):
    """A job as the list has it: what its body says, but for what takes a look at every colorway."""

    id: UUID
    object: Literal["job"] = "job"
    version: Count = Field(description="rises with every visible change")
    status: JobStatus
    done: bool = Field(description="whether every colorway has ended: the one thing to loop on")
    progress_percent: Annotated[int, _shown(minimum=0, maximum=100)] = Field(
        description="rounded down; 100 means `done`"
    )
    eta_seconds: int | None = Field(description="seconds left at the pace so far; null: unknown")
    counts: CountsBody
    image: JobImageBody
    render: RenderBody
    output: OutputBody
    priority: Priority
    on_error: OnError
    reuse: Reuse
    metadata: dict[str, str] = Field(description="yours, as you sent it")
    created_at: datetime
    started_at: datetime | None = Field(description="of its first colorway")
    finished_at: datetime | None = Field(description="of its last colorway; null until `done`")
    expires_at: datetime = Field(description="its pictures can be fetched until then")
    links: LinksBody


class JobPage(Body):
    """Some jobs, the newest first."""

    object: Literal["list"] = "list"
    data: list[JobSummary]
    next: Path | None = Field(description="the path of the next page; null on the last")


class JobBody(JobSummary):
    """A job; the same for POST and GET."""

    stats: StatsBody
    colorways: list[ColorwayBody] = Field(description="the first 100, as they were submitted")
    colorways_next: Path | None = Field(description="the path of the rest; null: there is none")


class ColorwayPage(Body):
    """Some colorways of a job, in the order of their submission."""

    object: Literal["list"] = "list"
    data: list[ColorwayBody]
    next: Path | None = Field(description="the path of the next page; null on the last")


def job_image_body(row: Record) -> JobImageBody:
    """Return the answer for a row of `images`."""
    return JobImageBody(
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
        "eta_seconds": _eta_seconds(progress, job, now),
        "counts": CountsBody(
            total=progress.total,
            pending=progress.pending,
            processing=progress.processing,
            completed=progress.completed,
            failed=progress.failed,
            cancelled=progress.cancelled,
        ),
        "image": job_image_body(image),
        "render": RenderBody(**job.render),
        "output": OutputBody(**job.output),
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


def _eta_seconds(progress: JobProgress, job: Record, now: datetime) -> int | None:
    """Return the seconds left at the pace so far; None while there is none."""
    ended: int = progress.finished - job.cached  # those that were there before tell no pace
    if progress.is_done or job.started_at is None or ended <= 0:
        return None
    elapsed: float = (now - job.started_at).total_seconds()
    return round(elapsed / ended * (progress.total - progress.finished))


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
