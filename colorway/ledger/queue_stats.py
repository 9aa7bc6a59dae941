"""How the queue does: what waits and since when, how fast it goes, what is stuck.

Every figure is read from one range of an index: of jobs that are open, of what ended lately, of
what nobody was told. So the cost grows with what there is to do, never with what has been done.
What waits is told by the counters of open jobs, which are exact unless there is drift.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, bindparam, func, select
from sqlalchemy.orm import Session

from colorway.job import Priority
from colorway.ledger.tables import UtcDateTime, colorways, jobs, outbox, reconciliations
from colorway.lifecycle import Status

RATE_WINDOW = timedelta(minutes=5)
"""How long completed colorways are counted; shorter, and large pictures would make it jump."""

FAILED_WINDOW = timedelta(hours=1)
"""How long failed colorways are counted; a good day has none, so one should be seen for a while."""


@dataclass(frozen=True, slots=True)
class QueueStats:
    """The queue at one instant, all accounts together."""

    depth: dict[Priority, int]
    """Pending colorways, of every priority."""
    processing: int
    stalled: int
    """Of those processing, the ones whose lease has run out: their workers are gone."""
    oldest_pending: timedelta | None
    """Since the pending colorway that waits longest was ordered or reopened."""
    completed_per_minute: float
    """Rendered, that is: pictures that were there before tell no pace."""
    failed_last_hour: int
    undelivered: int
    """Outbox entries: what the queue has not been told."""
    drift: int | None
    """What the reconciler found in its last round; None before it ever ran, like the next."""
    reconciled_at: datetime | None


_PENDING = jobs.c.total - jobs.c.processing - jobs.c.completed - jobs.c.failed - jobs.c.cancelled

OPEN_JOBS = (
    select(
        jobs.c.priority,
        func.sum(_PENDING).label("pending"),
        func.sum(jobs.c.processing).label("processing"),
    )
    .where(jobs.c.finished_at.is_(None))
    .group_by(jobs.c.priority)
)

_NOW = bindparam("now", type_=UtcDateTime)


def _colorways(status: Status, *which: ColumnElement[bool]) -> Select[Any]:
    return select(func.count()).select_from(colorways).where(colorways.c.status == status, *which)


def _ended_since(start: str) -> ColumnElement[bool]:
    ended = colorways.c.finished_at
    return and_(ended > bindparam(start), ended <= _NOW)


_FIGURES: dict[str, Select[Any]] = {
    "stalled": _colorways(Status.PROCESSING, colorways.c.leased_until < _NOW),
    "opened_at": select(func.min(colorways.c.opened_at)).where(
        colorways.c.status == Status.PENDING
    ),
    "completed": _colorways(Status.COMPLETED, _ended_since("rate_since"), ~colorways.c.cached),
    "failed": _colorways(Status.FAILED, _ended_since("failed_since")),
    "undelivered": select(func.count()).select_from(outbox),
    "drift": select(reconciliations.c.drift),
    "reconciled_at": select(reconciliations.c.at),
}
FIGURES = select(*(figure.scalar_subquery().label(name) for name, figure in _FIGURES.items()))


def queue_stats(session: Session, *, now: datetime) -> QueueStats:
    """Return how the queue does, in two statements; take a snapshot for figures that agree."""
    waiting = {row.priority: row for row in session.execute(OPEN_JOBS)}
    since = {"rate_since": now - RATE_WINDOW, "failed_since": now - FAILED_WINDOW}
    row = session.execute(FIGURES, since | {"now": now}).one()
    return QueueStats(
        depth={
            priority: waiting[priority].pending if priority in waiting else 0
            for priority in Priority
        },
        processing=sum(row.processing for row in waiting.values()),
        stalled=row.stalled,
        oldest_pending=None if row.opened_at is None else max(now - row.opened_at, timedelta(0)),
        completed_per_minute=row.completed / (RATE_WINDOW / timedelta(minutes=1)),
        failed_last_hour=row.failed,
        undelivered=row.undelivered,
        drift=row.drift,
        reconciled_at=row.reconciled_at,
    )
