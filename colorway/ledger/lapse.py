"""What is taken from attempts: expired leases, sources that kill workers, what is never done.

A lease runs out where its worker died or hung, which counts as a try. Who was it, the picture or
the machine? From then on the colorway renders alone in its process. A source with which workers go
on dying alone is found guilty, and what is open of it fails; whoever rendered beside it does not.

With `on_error: stop`, whatever is pending after a failure is cancelled, here as in lease.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import bindparam, case, exists, literal, or_, select, update
from sqlalchemy.orm import Session

from colorway.job import JobEnd
from colorway.ledger import outbox
from colorway.ledger.images import count_death
from colorway.ledger.progress import lock_job_of, some_moved
from colorway.ledger.tables import Record, UtcDateTime, colorways, images, jobs
from colorway.lifecycle import MAX_DEATHS, MAX_TRIES, Status
from colorway.render_task import RenderTask


@dataclass(frozen=True, slots=True)
class Lapse:
    """A colorway that was taken from attempts, running or to come, and what it is now.

    An expired lease makes it pending again, or failed after its last try, or cancelled if its job
    stops at failures and has had one; giving up and a source that kills workers make it failed.
    """

    colorway: UUID
    job: UUID
    status: Status
    nudge: int
    job_end: JobEnd | None


_NOW = bindparam("now", type_=UtcDateTime)
_WHAT = bindparam("what", type_=colorways.c.error.type)

# A lease that ran out is a try: its worker died, or hung, with this colorway in hand.
_LAST_TRY = colorways.c.tries + 1 >= MAX_TRIES
TAKE_BACK = (
    update(colorways)
    .where(
        colorways.c.id == bindparam("colorway"),
        colorways.c.status == Status.PROCESSING,
        colorways.c.leased_until < _NOW,
    )
    .values(
        status=case((_LAST_TRY, literal(Status.FAILED)), else_=literal(Status.PENDING)),
        tries=colorways.c.tries + 1,
        alone=True,
        queue_seen_at=_NOW,
        finished_at=case((_LAST_TRY, _NOW), else_=literal(None)),
        leased_until=None,
        error=_WHAT,
    )
    .returning(colorways.c.job_id, colorways.c.status, colorways.c.nudge)
)
WAS_ALONE = select(colorways.c.alone).where(colorways.c.id == bindparam("colorway"))
TAKE_BACK_OF_EPOCH = TAKE_BACK.where(colorways.c.epoch == bindparam("of_epoch"))

EXPIRED = (
    select(colorways.c.id)
    .where(colorways.c.status == Status.PROCESSING, colorways.c.leased_until < _NOW)
    .order_by(colorways.c.leased_until)
    .limit(bindparam("most"))
)

STOPPED = {"code": "stopped", "detail": "another palette failed, and this job stops at failures"}

# Whoever opened them may have a clock that is ahead of the one by which the failure is told.
OPENED_BY_NOW = (
    update(colorways)
    .where(
        colorways.c.job_id == bindparam("job"),
        colorways.c.status.in_((Status.PENDING, Status.PROCESSING)),
        colorways.c.opened_at > _NOW,
    )
    .values(opened_at=_NOW)
)

# What a client has reopened since a failure is not stopped by that one.
_FAILURE = colorways.alias("failure")
STOP_PENDING = (
    update(colorways)
    .where(
        colorways.c.job_id == bindparam("job"),
        colorways.c.status == Status.PENDING,
        exists().where(
            _FAILURE.c.job_id == colorways.c.job_id,
            _FAILURE.c.status == Status.FAILED,
            or_(colorways.c.epoch == 0, _FAILURE.c.finished_at >= colorways.c.opened_at),
        ),
    )
    .values(
        status=Status.CANCELLED,
        fence=colorways.c.fence + 1,
        finished_at=_NOW,
        error=STOPPED,
    )
    .returning(colorways.c.id)
)

# Of sources that kill workers. Running ones are let run: should one be finished, it clears them.
CONDEMNED = (
    select(colorways.c.id, colorways.c.epoch)
    .select_from(images.join(jobs, jobs.c.image_id == images.c.id).join(colorways))
    .where(images.c.deaths >= MAX_DEATHS, colorways.c.status == Status.PENDING)
    .limit(bindparam("most"))
)

CONDEMN = (
    update(colorways)
    .where(
        colorways.c.id == bindparam("colorway"),
        colorways.c.epoch == bindparam("of_epoch"),
        colorways.c.status == Status.PENDING,
    )
    .values(status=Status.FAILED, fence=colorways.c.fence + 1, finished_at=_NOW, error=_WHAT)
    .returning(colorways.c.job_id, colorways.c.status, colorways.c.nudge)
)

OPEN_FOR_TOO_LONG = (
    select(colorways.c.id)
    .where(
        colorways.c.status.in_((Status.PENDING, Status.PROCESSING)),
        colorways.c.opened_at < bindparam("before"),
    )
    .order_by(colorways.c.opened_at)
    .limit(bindparam("most"))
)

GIVE_UP = (
    update(colorways)
    .where(
        colorways.c.id == bindparam("colorway"),
        colorways.c.status == bindparam("of_status", type_=colorways.c.status.type),
        colorways.c.opened_at < bindparam("before"),
    )
    .values(
        status=Status.FAILED,
        fence=colorways.c.fence + 1,
        finished_at=_NOW,
        leased_until=None,
        error=_WHAT,
    )
    .returning(colorways.c.job_id, colorways.c.status, colorways.c.nudge)
)


def expired(session: Session, *, now: datetime, most: int) -> list[UUID]:
    """Return colorways whose lease has run out, the oldest first."""
    return list(session.scalars(EXPIRED, {"now": now, "most": most}))


def take_back(session: Session, colorway: UUID, *, now: datetime) -> Lapse | None:
    """End an expired lease as a failed try and nudge anew; None if it is not expired any more."""
    lock_job_of(session, colorway)
    lapse = end_expired(session, colorway, now=now)
    if lapse is not None and not lapse.status.is_final:
        outbox.nudge_again(session, colorway, beyond=lapse.nudge, now=now)
    return lapse


def end_expired(
    session: Session, colorway: UUID, *, now: datetime, epoch: int | None = None
) -> Lapse | None:
    """End an expired lease as a failed try; the job is locked. None if it is not expired.

    With an `epoch`, only in that one: a task of an older epoch is over and must not move anything.
    """
    error = {"code": "worker-lost", "detail": "the worker that rendered this fell silent"}
    was_alone = session.scalar(WAS_ALONE, {"colorway": colorway})
    taking = {"colorway": colorway, "now": now, "what": error}
    if epoch is None:
        row = session.execute(TAKE_BACK, taking).one_or_none()
    else:
        row = session.execute(TAKE_BACK_OF_EPOCH, taking | {"of_epoch": epoch}).one_or_none()
    if row is None:
        return None
    if was_alone:
        count_death(session, row.job_id)
    return _lapse(session, colorway, row, left=1, now=now)


def condemned(session: Session, *, most: int) -> list[RenderTask]:
    """Return pending colorways whose source kills workers."""
    return [RenderTask(*row) for row in session.execute(CONDEMNED, {"most": most})]


def condemn(session: Session, task: RenderTask, *, now: datetime) -> Lapse | None:
    """Fail a pending colorway whose source kills workers; None if it is not so any more."""
    job = lock_job_of(session, task.colorway)
    if job is None or job.deaths < MAX_DEATHS:
        return None
    error = {"code": "source-kills-worker", "detail": "workers died when they rendered this source"}
    guard = {"colorway": task.colorway, "of_epoch": task.epoch, "now": now, "what": error}
    row = session.execute(CONDEMN, guard).one_or_none()
    return None if row is None else _lapse(session, task.colorway, row, left=0, now=now)


def open_for_too_long(session: Session, *, before: datetime, most: int) -> list[UUID]:
    """Return colorways that have not ended though they were opened before this."""
    return list(session.scalars(OPEN_FOR_TOO_LONG, {"before": before, "most": most}))


def give_up(session: Session, colorway: UUID, *, before: datetime, now: datetime) -> Lapse | None:
    """Fail what was opened before this and has not ended, running or not; None if it has."""
    lock_job_of(session, colorway)
    error = {"code": "timed-out", "detail": "it did not end in time, and was given up"}
    giving_up = {"colorway": colorway, "before": before, "now": now, "what": error}
    for status in (Status.PENDING, Status.PROCESSING):
        row = session.execute(GIVE_UP, giving_up | {"of_status": status}).one_or_none()
        if row is not None:
            return _lapse(session, colorway, row, left=int(status is Status.PROCESSING), now=now)
    return None


def stop_pending(
    session: Session, job: UUID, colorway: UUID, *, has_failed: bool, now: datetime
) -> list[UUID]:
    """Cancel what is pending of a job that stops at failures, if it has had one; return which.

    `has_failed` says that this colorway is one, as of now.
    """
    locked = lock_job_of(session, colorway)
    if locked is None or locked.on_error != "stop":
        return []
    if has_failed:
        session.execute(OPENED_BY_NOW, {"job": job, "now": now})
    return list(session.scalars(STOP_PENDING, {"job": job, "now": now}))


def _lapse(session: Session, colorway: UUID, row: Record, *, left: int, now: datetime) -> Lapse:
    """Count what has become of the colorway, and stop its job's others where that is wanted."""
    failed = row.status is Status.FAILED
    stopped = stop_pending(session, row.job_id, colorway, has_failed=failed, now=now)
    end = some_moved(session, row.job_id, now=now, left=left, failed=failed, cancelled=len(stopped))
    status = Status.CANCELLED if colorway in stopped else row.status
    return Lapse(colorway, row.job_id, status, row.nudge, end)
