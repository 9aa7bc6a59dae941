"""How far a job is. Its counters move with its colorways, in the writers' own transactions."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Select, bindparam, case, func, literal, select, true, update
from sqlalchemy.orm import Bundle, Session

from colorway.errors import NotFound
from colorway.job import JobEnd, JobProgress
from colorway.ledger.tables import Record, UtcDateTime, colorways, images, jobs, renditions


@dataclass(frozen=True, slots=True)
class JobView:
    """A job with its source, as one snapshot; rows carry the columns of their tables."""

    job: Record
    image: Record
    colorways: list[Record]
    stats: Record
    progress: JobProgress


LOCK_JOB = (
    select(
        jobs.c.id,
        jobs.c.on_error,
        select(images.c.deaths)
        .where(images.c.id == jobs.c.image_id)
        .scalar_subquery()
        .label("deaths"),
    )
    .where(
        jobs.c.id
        == select(colorways.c.job_id)
        .where(colorways.c.id == bindparam("colorway"))
        .scalar_subquery()
    )
    .with_for_update()
)

JOB_CLAIMED = (
    update(jobs)
    .where(jobs.c.id == bindparam("job"))
    .values(
        processing=jobs.c.processing + 1,
        started_at=func.coalesce(jobs.c.started_at, bindparam("now", type_=UtcDateTime)),
        version=jobs.c.version + 1,
    )
)

_COUNTERS = (jobs.c.total, jobs.c.processing, jobs.c.completed, jobs.c.failed, jobs.c.cancelled)
_ALL_ENDED = jobs.c.total == (
    jobs.c.completed
    + jobs.c.failed
    + jobs.c.cancelled
    + bindparam("completed")
    + bindparam("failed")
    + bindparam("cancelled")
)

JOB_MOVED = (
    update(jobs)
    .where(jobs.c.id == bindparam("job"))
    .values(
        processing=jobs.c.processing - bindparam("left"),
        completed=jobs.c.completed + bindparam("completed"),
        failed=jobs.c.failed + bindparam("failed"),
        cancelled=jobs.c.cancelled + bindparam("cancelled"),
        finished_at=case((_ALL_ENDED, bindparam("now", type_=UtcDateTime)), else_=literal(None)),
        version=jobs.c.version + 1,
    )
    .returning(jobs.c.id, *_COUNTERS, jobs.c.created_at, jobs.c.started_at, jobs.c.cancelled_at)
)


def lock_job_of(session: Session, colorway: UUID) -> Record | None:
    """Lock the colorway's job before anything of it is written; None if there is no such row."""
    return session.execute(LOCK_JOB, {"colorway": colorway}).one_or_none()


def one_claimed(session: Session, job: UUID, *, now: datetime) -> None:
    """Count one more colorway as processing."""
    session.execute(JOB_CLAIMED, {"job": job, "now": now})


def some_moved(
    session: Session,
    job: UUID,
    *,
    now: datetime,
    left: int = 1,
    completed: int = 0,
    failed: int = 0,
    cancelled: int = 0,
) -> JobEnd | None:
    """Count colorways that `left` processing, or ended; return the job's end if this was it."""
    moves = {"left": left, "completed": completed, "failed": failed, "cancelled": cancelled}
    return end_of(session.execute(JOB_MOVED, {"job": job, "now": now} | moves).one(), now=now)


def end_of(job: Record, *, now: datetime) -> JobEnd | None:
    """Return the end of a job whose row has just been written, or None if it goes on."""
    progress = progress_of(job)
    return JobEnd(job.id, progress, now - job.created_at) if progress.is_done else None


def progress_of(job: Record) -> JobProgress:
    """Return the counts that a row of `jobs` carries."""
    return JobProgress(
        total=job.total,
        processing=job.processing,
        completed=job.completed,
        failed=job.failed,
        cancelled=job.cancelled,
        was_started=job.started_at is not None,
        was_cancelled=job.cancelled_at is not None,
    )


JOB = select(jobs).where(jobs.c.id == bindparam("job"), jobs.c.account_id == bindparam("account"))

JOB_TO_WRITE = JOB.with_for_update()

# Those who wait look several times a second: only how far it is, and nothing that is JSON.
JOB_AT_A_GLANCE = JOB.with_only_columns(
    jobs.c.id,
    jobs.c.version,
    *_COUNTERS,
    jobs.c.created_at,
    jobs.c.started_at,
    jobs.c.cancelled_at,
)

_STATS = (
    select(
        func.coalesce(func.sum(case((colorways.c.cached, 1), else_=0)), 0).label("cached"),
        func.coalesce(func.sum(colorways.c.attempts), 0).label("attempts"),
        func.coalesce(
            func.sum(case((colorways.c.attempts > 1, colorways.c.attempts - 1), else_=0)), 0
        ).label("retries"),
        func.coalesce(func.sum(colorways.c.render_ms), 0).label("render_ms"),
        func.coalesce(func.sum(colorways.c.upload_ms), 0).label("upload_ms"),
        func.coalesce(func.sum(renditions.c.bytes), 0).label("bytes"),
    )
    .select_from(colorways.outerjoin(renditions, colorways.c.rendition_id == renditions.c.id))
    .where(colorways.c.job_id == bindparam("job"))
    .subquery("stats")
)

# All but the colorways at once: most of what a poll costs is the way to the database and back.
JOB_IN_FULL: Select[*tuple[Any, ...]] = (
    select(Bundle("job", *jobs.c), Bundle("image", *images.c), Bundle("stats", *_STATS.c))
    .select_from(jobs.join(images, jobs.c.image_id == images.c.id).join(_STATS, true()))
    .where(jobs.c.id == bindparam("job"), jobs.c.account_id == bindparam("account"))
)

_SHOWN = "position key name colors status cached attempts error"
_TIMES = "queued_ms fetch_ms render_ms encode_ms upload_ms"

# Only what is shown: turning ids and times into Python's would be half the cost of a poll.
COLORWAYS = (
    select(
        *(colorways.c[name] for name in f"{_SHOWN} {_TIMES}".split()),
        renditions.c.key.label("rendition_key"),
        renditions.c.sha256.label("rendition_sha256"),
        renditions.c.bytes.label("rendition_bytes"),
        renditions.c.format.label("rendition_format"),
        renditions.c.width.label("rendition_width"),
        renditions.c.height.label("rendition_height"),
    )
    .select_from(colorways.outerjoin(renditions, colorways.c.rendition_id == renditions.c.id))
    .where(colorways.c.job_id == bindparam("job"))
)

COLORWAY_PAGE = (
    COLORWAYS.where(colorways.c.position > bindparam("after"))
    .order_by(colorways.c.position)
    .limit(bindparam("most"))
)

COLORWAY_PAGE_BY_STATUS = COLORWAY_PAGE.where(colorways.c.status == bindparam("status"))

ALL_COLORWAYS = COLORWAYS.add_columns(colorways.c.rendition_id, colorways.c.finished_at).order_by(
    colorways.c.position
)

ONE_COLORWAY = (
    COLORWAYS.add_columns(colorways.c.rendition_id, jobs.c.expires_at)
    .join(jobs, colorways.c.job_id == jobs.c.id)
    .where(colorways.c.key == bindparam("key"))
)


def find_job(session: Session, account: UUID, job: UUID) -> Record:
    """Return the job's row, or raise NotFound; another account's is not found either."""
    return _found(session, JOB, account, job)


def glance_at_job(session: Session, account: UUID, job: UUID) -> Record:
    """Return how far the job is and at which version, or raise NotFound."""
    return _found(session, JOB_AT_A_GLANCE, account, job)


def find_job_to_write(session: Session, account: UUID, job: UUID) -> Record:
    """Return the job's row locked, as it must be before anything of it is written; or NotFound."""
    return _found(session, JOB_TO_WRITE, account, job)


def _found(session: Session, statement: Select[Any], account: UUID, job: UUID) -> Record:
    row = session.execute(statement, {"job": job, "account": account}).one_or_none()
    if row is None:
        raise NotFound(f"there is no job {job}")
    return row


def job_view(session: Session, account: UUID, job: UUID, *, most: int) -> JobView:
    """Return all that a status body says, with the first `most` colorways; or raise NotFound."""
    found = _found(session, JOB_IN_FULL, account, job)
    return JobView(
        job=found.job,
        image=found.image,
        colorways=colorway_page(session, job, after=-1, most=most),
        stats=found.stats,
        progress=progress_of(found.job),
    )


def colorway_page(
    session: Session, job: UUID, *, after: int, most: int, status: str | None = None
) -> list[Record]:
    """Return up to `most` colorways behind position `after`, in submission order."""
    page: dict[str, Any] = {"job": job, "after": after, "most": most}
    if status is None:
        return list(session.execute(COLORWAY_PAGE, page))
    return list(session.execute(COLORWAY_PAGE_BY_STATUS, page | {"status": status}))


def all_colorways(session: Session, job: UUID) -> list[Record]:
    """Return every colorway of the job, in submission order."""
    return list(session.execute(ALL_COLORWAYS, {"job": job}))


def find_colorway(session: Session, account: UUID, job: UUID, key: str) -> Record:
    """Return one colorway of the job, or raise NotFound."""
    find_job(session, account, job)
    row = session.execute(ONE_COLORWAY, {"job": job, "key": key}).one_or_none()
    if row is None:
        raise NotFound(f"job {job} has no colorway {key!r}")
    return row
