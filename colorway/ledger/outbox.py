"""What the queue has not been told yet. Written with the rows it speaks of, deleted once told."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import bindparam, delete, insert, select, update
from sqlalchemy.orm import Session

from colorway.job import Priority
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
    .where(colorways.c.id == bindparam("colorway"), colorways.c.status == Status.PENDING)
    .values(nudge=colorways.c.nudge + 1, queue_seen_at=_NOW)
)

ANNOUNCE_AGAIN = insert(outbox).from_select(
    _COLUMNS,
    _ENTRY.where(colorways.c.id == bindparam("colorway"), colorways.c.status == Status.PENDING),
)

_NUDGE = (outbox.c.colorway_id, outbox.c.epoch, outbox.c.nudge, outbox.c.priority)

OF_JOB = (
    select(*_NUDGE)
    .where(outbox.c.job_id == bindparam("job"))
    .order_by(outbox.c.colorway_id)
    .limit(bindparam("most"))
)

SILENT = (
    select(*_NUDGE)
    .where(outbox.c.created_at < bindparam("before"))
    .order_by(outbox.c.created_at)
    .limit(bindparam("most"))
)

TOLD = delete(outbox).where(
    outbox.c.colorway_id == bindparam("of_colorway"),
    outbox.c.epoch == bindparam("of_epoch"),
    outbox.c.nudge == bindparam("of_nudge"),
)

# Pending, nothing in the outbox: the queue should have a task for it. Does it?
WAITING = (
    select(colorways.c.id, colorways.c.epoch, colorways.c.nudge, jobs.c.priority)
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


def nudge_again(session: Session, colorway: UUID, *, now: datetime) -> None:
    """Write an entry for one more delivery, under a new name; harmless if it is not pending."""
    session.execute(RAISE_NUDGE, {"colorway": colorway, "now": now})
    session.execute(ANNOUNCE_AGAIN, {"colorway": colorway, "now": now})


def undelivered(session: Session, job: UUID, *, most: int) -> list[Nudge]:
    """Return what the queue has not been told of this job."""
    return [_nudge(row) for row in session.execute(OF_JOB, {"job": job, "most": most})]


def silent(session: Session, *, before: datetime, most: int) -> list[Nudge]:
    """Return entries older than this: whoever should have delivered them has not."""
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
                for nudge in nudges
            ],
        )


def waiting(session: Session, *, before: datetime, most: int) -> list[Nudge]:
    """Return the deliveries that pending colorways rely on, those longest unseen first."""
    return [_nudge(row) for row in session.execute(WAITING, {"before": before, "most": most})]


def seen(session: Session, nudge: Nudge, *, now: datetime) -> None:
    """Note that the queue still has this task."""
    session.execute(SEEN, {"colorway": nudge.task.colorway, "now": now})


def _nudge(row: Record) -> Nudge:
    colorway, epoch, number, priority = row
    return Nudge(RenderTask(colorway, epoch), number, Priority(priority))
