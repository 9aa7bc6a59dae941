"""What the queue has not been told yet. Written with the rows it speaks of, deleted once told."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import bindparam, delete, insert, or_, select, update
from sqlalchemy.orm import Session

from colorway.job import Priority
from colorway.ledger.progress import lock_job_of
from colorway.ledger.tables import Record, UtcDateTime, colorways, jobs, outbox
from colorway.lifecycle import Status
from colorway.render_task import Nudge, RenderTask

_NOW = bindparam("now", type_=UtcDateTime)
_COLUMNS = ["colorway_id", "epoch", "nudge", "job_id", "priority", "created_at"]
_ENTRY = select(
    colorways.c.id,
    colorways.c.epoch,
    colorways.c.nudge,
    colorways.c.job_id,
    jobs.c.priority,
    _NOW.label("created_at"),
).select_from(colorways.join(jobs, colorways.c.job_id == jobs.c.id))

# One statement for any number of palettes: the database copies what it has just been given.
ANNOUNCE_JOB = insert(outbox).from_select(
    _COLUMNS, _ENTRY.where(jobs.c.id == bindparam("job"), colorways.c.status == Status.PENDING)
)

RAISE_NUDGE = (
    update(colorways)
    .where(
        colorways.c.id == bindparam("colorway"),
        colorways.c.nudge == bindparam("of_nudge"),
        colorways.c.status == Status.PENDING,
    )
    .values(nudge=colorways.c.nudge + 1, queue_seen_at=_NOW)
    .returning(colorways.c.nudge)
)

ANNOUNCE_AGAIN = insert(outbox).from_select(
    _COLUMNS,
    _ENTRY.where(colorways.c.id == bindparam("colorway"), colorways.c.status == Status.PENDING),
)

ANNOUNCE = insert(outbox).from_select(
    _COLUMNS, _ENTRY.where(colorways.c.id.in_(bindparam("colorways", expanding=True)))
)

_NUDGE = select(
    outbox.c.colorway_id, outbox.c.epoch, outbox.c.nudge, outbox.c.priority, jobs.c.traceparent
).select_from(outbox.join(jobs, outbox.c.job_id == jobs.c.id))

OF_JOB = (
    _NUDGE.where(outbox.c.job_id == bindparam("job"))
    .order_by(outbox.c.colorway_id)
    .limit(bindparam("most"))
)

SILENT = (
    # a first delivery is its POST's business for a while; a later one is nobody's but ours
    _NUDGE.where(or_(outbox.c.created_at < bindparam("before"), outbox.c.nudge > 0))
    .order_by(outbox.c.created_at)
    .limit(bindparam("most"))
)

TOLD = delete(outbox).where(
    outbox.c.colorway_id == bindparam("of_colorway"),
    outbox.c.epoch == bindparam("of_epoch"),
    outbox.c.nudge == bindparam("of_nudge"),
)

# Deliveries forget what they told without the job's lock, in this order; so must who forgets all.
LOCK_ENTRIES = (
    select(outbox.c.nudge)
    .where(outbox.c.job_id == bindparam("job"))
    .order_by(outbox.c.colorway_id, outbox.c.epoch, outbox.c.nudge)
    .with_for_update()
)
FORGET_JOB = delete(outbox).where(outbox.c.job_id == bindparam("job"))

# Pending, nothing in the outbox: the queue should have a task for it. Does it?
WAITING = (
    select(
        colorways.c.id, colorways.c.epoch, colorways.c.nudge, jobs.c.priority, jobs.c.traceparent
    )
    .select_from(
        colorways.join(jobs, colorways.c.job_id == jobs.c.id).outerjoin(
            outbox, outbox.c.colorway_id == colorways.c.id
        )
    )
    .where(
        colorways.c.status == Status.PENDING,
        colorways.c.queue_seen_at < bindparam("before"),
        outbox.c.colorway_id.is_(None),
    )
    .order_by(colorways.c.queue_seen_at)
    .limit(bindparam("most"))
)

SEEN = (
    update(colorways)
    .where(colorways.c.id == bindparam("colorway"), colorways.c.status == Status.PENDING)
    .values(queue_seen_at=_NOW)
)


def announce_job(session: Session, job: UUID, *, now: datetime) -> None:
    """Write an entry for every pending colorway of the job."""
    session.execute(ANNOUNCE_JOB, {"job": job, "now": now})


def announce(session: Session, reopened: Sequence[UUID], *, now: datetime) -> None:
    """Write an entry for each of these colorways, which have just been made pending again."""
    session.execute(ANNOUNCE, {"colorways": list(reopened), "now": now})


def forget_job(session: Session, job: UUID) -> None:
    """Drop what the queue has not been told of this job; its row must be locked."""
    session.execute(LOCK_ENTRIES, {"job": job}).all()
    session.execute(FORGET_JOB, {"job": job})


def nudge_again(session: Session, colorway: UUID, *, beyond: int, now: datetime) -> bool:
    """Write an entry for one more delivery, under a new name.

    False, and nothing written, if the colorway is not pending or has gone beyond that number.
    """
    raising = {"colorway": colorway, "of_nudge": beyond, "now": now}
    if session.execute(RAISE_NUDGE, raising).one_or_none() is None:
        return False
    session.execute(ANNOUNCE_AGAIN, {"colorway": colorway, "now": now})
    return True


def undelivered(session: Session, job: UUID, *, most: int) -> list[Nudge]:
    """Return what the queue has not been told of this job."""
    return [_nudge(row) for row in session.execute(OF_JOB, {"job": job, "most": most})]


def silent(session: Session, *, before: datetime, most: int) -> list[Nudge]:
    """Return entries that whoever should have delivered them has not, the oldest first."""
    return [_nudge(row) for row in session.execute(SILENT, {"before": before, "most": most})]


def told(session: Session, nudges: Sequence[Nudge]) -> None:
    """Forget these entries: the queue has their tasks."""
    if nudges:
        session.execute(
            TOLD,
            [
                {
                    "of_colorway": nudge.task.colorway,
                    "of_epoch": nudge.task.epoch,
                    "of_nudge": nudge.number,
                }
                for nudge in sorted(nudges, key=_lock_order)
            ],
        )


def waiting(session: Session, *, before: datetime, most: int) -> list[Nudge]:
    """Return the deliveries that pending colorways rely on, those longest unseen first."""
    return [_nudge(row) for row in session.execute(WAITING, {"before": before, "most": most})]


def replace_lost(session: Session, nudge: Nudge, *, now: datetime) -> bool:
    """Write an entry in place of a task that the queue has lost; False if it is not needed."""
    lock_job_of(session, nudge.task.colorway)
    return nudge_again(session, nudge.task.colorway, beyond=nudge.number, now=now)


def seen(session: Session, nudge: Nudge, *, now: datetime) -> None:
    """Note that the queue still has this task."""
    lock_job_of(session, nudge.task.colorway)
    session.execute(SEEN, {"colorway": nudge.task.colorway, "now": now})


def _lock_order(nudge: Nudge) -> tuple[UUID, int, int]:
    # two deliveries may tell of the same entries: one order for all, or they deadlock
    return nudge.task.colorway, nudge.task.epoch, nudge.number


def _nudge(row: Record) -> Nudge:
    colorway, epoch, number, priority, traceparent = row
    return Nudge(RenderTask(colorway, epoch), number, Priority(priority), traceparent)
