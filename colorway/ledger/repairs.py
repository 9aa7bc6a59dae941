"""What the ledger says is proven, and put right where it is not so: counters, and pictures.

A job's counters are a cache of its rows. They move in the same transactions, so a difference is a
bug of ours, or somebody else's hand in the database. A completed colorway promises that its picture
lies in the store; where it does not, the colorway is opened again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import bindparam, case, delete, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert  # SQLite renders its ON CONFLICT just the same
from sqlalchemy.orm import Session

from colorway.ledger import outbox
from colorway.ledger.tables import (
    Record,
    UtcDateTime,
    colorways,
    jobs,
    reconciliations,
    renditions,
)
from colorway.lifecycle import FINAL, Status

NEVER = datetime(1970, 1, 1, tzinfo=UTC)

LOST = {"code": "object-missing", "detail": "its picture was lost, and is rendered again"}
"""The error of a colorway whose picture is no longer in the store."""

_NOW = bindparam("now", type_=UtcDateTime)
_COUNTED = tuple(status for status in Status if status is not Status.PENDING)

# All of them where they are few, else a fair choice: the next call has other luck.
IN_DOUBT = (
    select(jobs.c.id)
    .where(or_(jobs.c.finished_at.is_(None), jobs.c.finished_at > bindparam("after")))
    .order_by(func.random())
    .limit(bindparam("most"))
)

JOBS_BEHIND = (
    select(jobs.c.id)
    .where(jobs.c.id > bindparam("last"))
    .order_by(jobs.c.id)
    .limit(bindparam("most"))
)

_ROWS = (
    func.count(colorways.c.id),
    *(
        func.coalesce(func.sum(case((colorways.c.status == status, 1), else_=0)), 0)
        for status in _COUNTED
    ),
)
_OPEN = func.count(case((colorways.c.status.in_((Status.PENDING, Status.PROCESSING)), 1)))
_COUNTERS = (jobs.c.total, *(jobs.c[status] for status in _COUNTED))
WRONG = (
    select(jobs.c.id)
    .select_from(jobs.outerjoin(colorways))
    .where(jobs.c.id.in_(bindparam("jobs", expanding=True)))
    .group_by(jobs.c.id)
    .having(
        or_(
            *(counter != rows for counter, rows in zip(_COUNTERS, _ROWS, strict=True)),
            jobs.c.finished_at.is_(None) != (_OPEN > 0),
        )
    )
)

LOCK_JOB = select(jobs).where(jobs.c.id == bindparam("job")).with_for_update()
STATES = select(colorways.c.status).where(colorways.c.job_id == bindparam("job"))
CORRECT = (
    update(jobs)
    .where(jobs.c.id == bindparam("of_job"))
    .values(
        total=bindparam("of_total"),
        **{status: bindparam(f"of_{status}") for status in _COUNTED},
        finished_at=bindparam("ended", type_=UtcDateTime),
        version=jobs.c.version + 1,
    )
)

NOTE = insert(reconciliations).values(id=1, at=_NOW, drift=bindparam("found"))
NOTE = NOTE.on_conflict_do_update(
    index_elements=["id"], set_={"at": NOTE.excluded.at, "drift": NOTE.excluded.drift}
)


@dataclass(frozen=True, slots=True)
class Drift:
    """Counters that were wrong: what they said, and what the rows say."""

    job: UUID
    said: dict[str, int]
    is_so: dict[str, int]


def jobs_in_doubt(session: Session, *, finished_after: datetime, most: int) -> list[UUID]:
    """Return jobs that go on, or ended a while ago at most: those that somebody looks at."""
    return list(session.scalars(IN_DOUBT, {"after": finished_after, "most": most}))


def jobs_behind(session: Session, last: UUID, *, most: int) -> list[UUID]:
    """Return the next jobs in the order of their ids."""
    return list(session.scalars(JOBS_BEHIND, {"last": last, "most": most}))


def wrong_counters(session: Session, among: Sequence[UUID]) -> list[UUID]:
    """Return those of these jobs whose counters, or whose end, differ from their rows."""
    return list(session.scalars(WRONG, {"jobs": list(among)}))


def repair_counters(session: Session, job: UUID, *, now: datetime) -> Drift | None:
    """Count the job's rows and write what they say; None if the counters are right.

    The job's row is locked by one statement and its colorways are counted by the next: counted in
    the same one, they would be those of before the wait for the lock.
    """
    row = session.execute(LOCK_JOB, {"job": job}).one_or_none()
    if row is None:
        return None
    states = Counter(session.scalars(STATES, {"job": job}))
    said = {"total": row.total} | {str(status): getattr(row, status) for status in _COUNTED}
    is_so = {"total": states.total()} | {str(status): states[status] for status in _COUNTED}
    is_done = sum(states[status] for status in FINAL) == states.total()
    if said == is_so and is_done == (row.finished_at is not None):
        return None
    ended = (row.finished_at or now) if is_done else None
    correct = {f"of_{name}": count for name, count in is_so.items()}
    session.execute(CORRECT, correct | {"of_job": job, "ended": ended})
    return Drift(job, said, is_so)


def note_drift(session: Session, drift: int, *, now: datetime) -> None:
    """Note how many jobs the reconciler has just found with wrong counters."""
    session.execute(NOTE, {"now": now, "found": drift})


LONGEST_UNSEEN = (
    select(renditions)
    .where(renditions.c.checked_at < bindparam("before"))
    .order_by(renditions.c.checked_at)
    .limit(bindparam("most"))
)
CHECKED = (
    update(renditions).where(renditions.c.id == bindparam("rendition")).values(checked_at=_NOW)
)

LOCK_RENDITION = (
    select(renditions.c.id).where(renditions.c.id == bindparam("rendition")).with_for_update()
)
_OF_RENDITION = colorways.c.rendition_id == bindparam("rendition")
LOCK_ITS_JOBS = (
    select(jobs.c.id)
    .where(jobs.c.id.in_(select(colorways.c.job_id).where(_OF_RENDITION)))
    .order_by(jobs.c.id)
    .with_for_update()
)
REOPEN = (
    update(colorways)
    .where(_OF_RENDITION)
    .values(
        status=Status.PENDING,
        epoch=colorways.c.epoch + 1,
        nudge=colorways.c.nudge + 1,  # so that the reconciler delivers it at once
        fence=colorways.c.fence + 1,
        tries=0,
        cached=False,
        opened_at=_NOW,
        queue_seen_at=_NOW,
        finished_at=None,
        rendition_id=None,
        error=bindparam("what", type_=colorways.c.error.type),
    )
    .returning(colorways.c.id, colorways.c.job_id)
)
JOB_REOPENED = (
    update(jobs)
    .where(jobs.c.id == bindparam("of_job"))
    .values(
        completed=jobs.c.completed - bindparam("count"),
        finished_at=None,
        version=jobs.c.version + 1,
    )
)
FORGET = delete(renditions).where(renditions.c.id == bindparam("rendition"))


def longest_unseen(session: Session, *, before: datetime, most: int) -> list[Record]:
    """Return renditions whose objects nobody has looked at since, the longest unseen first."""
    return list(session.execute(LONGEST_UNSEEN, {"before": before, "most": most}))


def note_checked(session: Session, rendition: UUID, *, now: datetime) -> None:
    """Note that the object is there, and is what it should be."""
    session.execute(CHECKED, {"rendition": rendition, "now": now})


def doubt(session: Session, rendition: UUID) -> None:
    """Let this picture be the next that is looked at: somebody has missed it."""
    session.execute(CHECKED, {"rendition": rendition, "now": NEVER})


def forget_rendition(session: Session, rendition: UUID, *, now: datetime) -> list[UUID] | None:
    """Open every colorway anew whose picture this was, forget it, and return the jobs concerned.

    None if it is forgotten already. The rendition is locked first, as by a finish that points to
    it, and then the jobs, in the one order for whoever locks several.
    """
    if session.execute(LOCK_RENDITION, {"rendition": rendition}).one_or_none() is None:
        return None
    session.execute(LOCK_ITS_JOBS, {"rendition": rendition}).all()
    reopening = {"rendition": rendition, "now": now, "what": LOST}
    reopened = session.execute(REOPEN, reopening).all()
    if reopened:
        counts = Counter(row.job_id for row in reopened)
        session.execute(JOB_REOPENED, [{"of_job": job, "count": n} for job, n in counts.items()])
        outbox.announce(session, [row.id for row in reopened], now=now)
    session.execute(FORGET, {"rendition": rendition})
    return sorted({row.job_id for row in reopened})
