"""What the service tells, as values.

The API grows by addition: a field that is not known here is passed over, and what a server of
another version may lack has a default. Times are aware, ids are plain strings.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from colorway.job import JobStatus, Priority
from colorway.lifecycle import Status
from colorway.palette import KEY_PATTERN

T = TypeVar("T")
InFileName = Annotated[str, Field(pattern="^[a-z0-9]+$")]
"""Files are named after a colorway's key and format: neither leads out of a folder."""


class Body(BaseModel):
    """What every answer shares."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class JobImage(Body):
    """The source picture of a job; `frames` is None until a worker has decoded it."""

    id: str
    sha256: str
    width: int
    height: int
    format: str
    frames: int | None
    bytes: int


class NearImage(Body):
    """An image that looks much the same; `distance` in bits of 64."""

    id: str
    distance: int


class Duplicates(Body):
    """Which other images look like one; `near` is None until a worker has seen it."""

    exact: tuple[str, ...] = ()
    near: tuple[NearImage, ...] | None = None


class Image(JobImage):
    """A source picture, and what looks like it."""

    duplicates: Duplicates = Duplicates()


class Result(Body):
    """A finished picture; `path` is its key in the store."""

    sha256: str
    bytes: int
    width: int
    height: int
    format: InFileName
    path: str


class Timings(Body):
    """How long each step took, in milliseconds."""

    queued: int
    fetch: int
    render: int
    encode: int
    upload: int


class ColorwayError(Body):
    """Why the last attempt failed, and in which phase."""

    code: str
    detail: str
    phase: str | None = None
    attempt: int | None = None


class Colorway(Body):
    """One source image in one palette."""

    key: Annotated[str, Field(pattern=KEY_PATTERN)]
    name: str
    colors: tuple[str, ...]
    index: int
    status: Status
    cached: bool
    attempts: int
    image_url: str
    thumbnail_url: str
    result: Result | None
    timings_ms: Timings | None
    error: ColorwayError | None


class Counts(Body):
    """How many colorways are where; the five sum to `total`."""

    total: int
    pending: int
    processing: int
    completed: int
    failed: int
    cancelled: int


class Stats(Body):
    """Sums over the job's colorways."""

    cached: int
    attempts: int
    retries: int
    render_seconds: float
    upload_seconds: float
    bytes: int


class JobSummary(Body):
    """A job as the list has it."""

    id: str
    version: int
    status: JobStatus
    done: bool
    progress_percent: int
    eta_seconds: int | None
    counts: Counts
    image: JobImage
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
    links: dict[str, str]


class Job(JobSummary):
    """A job with its first colorways; where there are more, `colorways_next` says where."""

    stats: Stats
    colorways: tuple[Colorway, ...]
    colorways_next: str | None


class Page(Body, Generic[T]):
    """Some of a list, and where the next ones are."""

    data: tuple[T, ...]
    next: str | None


class EstimatedCounts(Body):
    """How many colorways there would be, how many are there already, and how many to render."""

    total: int
    cached: int
    to_render: int


class EstimatedImage(Body):
    """A source; `id` is None where it came along and is new."""

    id: str | None
    sha256: str
    width: int
    height: int
    format: str
    frames: int | None
    bytes: int


class EstimatedColorway(Body):
    """One palette; `cached` where an equal picture is there and may be used."""

    key: str
    name: str
    colors: tuple[str, ...]
    index: int
    cached: bool


class Estimate(Body):
    """What a job would be; nothing was recorded.

    `seconds` and `bytes` are told from so many of the account's last jobs; None where from none.
    """

    counts: EstimatedCounts
    seconds: float | None
    seconds_from_jobs: int
    bytes: int | None
    bytes_from_jobs: int
    image: EstimatedImage
    render: dict[str, Any]
    output: dict[str, Any]
    priority: Priority
    on_error: str
    reuse: str
    metadata: dict[str, str]
    colorways: tuple[EstimatedColorway, ...]


class Depth(Body):
    """Pending colorways by priority."""

    high: int
    normal: int
    low: int


class QueueStats(Body):
    """How the queue does, all accounts together; `drift` must be 0, or None before it was known."""

    at: datetime
    depth: Depth
    processing: int
    stalled: int
    oldest_pending_seconds: float | None
    completed_per_minute: float
    failed_last_hour: int
    undelivered: int
    drift: int | None
    reconciled_at: datetime | None


class SlotUpload(Body):
    """How to put a picture straight into the store: so, and not otherwise."""

    method: str
    url: str
    headers: dict[str, str]
    expires_at: datetime


class Slot(Body):
    """A place for one picture."""

    id: str
    upload: SlotUpload


class Health(Body):
    """What a health check says of itself."""

    status: str


class Flaw(Body):
    """One thing wrong with a request: where in the document, or which parameter, and what."""

    code: str
    detail: str
    pointer: str | None = None
    parameter: str | None = None


class Problem(Body):
    """A problem in the terms of RFC 9457, with the service's `code`."""

    status: int
    code: str
    detail: str
    retryable: bool
    request_id: str | None = None
    errors: tuple[Flaw, ...] = ()
