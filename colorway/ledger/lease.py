"""Who may render a colorway, and what becomes of it: claim, renew, finish, fail, give back.

Races are settled by one guarded UPDATE, which means the same on Postgres and SQLite. Every writer
locks the job row first. A write after the claim carries the claim's fence; where it finds no row,
another attempt, a cancel or the reconciler has taken over: LeaseLost, and nothing is written.

A job's counters move in the same transaction as the row, and only if the row moved.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast
from uuid import UUID

from sqlalchemy import CursorResult, Update, and_, bindparam, func, or_, update
from sqlalchemy.orm import Session

from colorway.errors import LeaseLost
from colorway.job import JobEnd
from colorway.ledger.images import clear_deaths
from colorway.ledger.lapse import Lapse, condemn, end_expired, stop_pending
from colorway.ledger.progress import lock_job_of, one_claimed, some_moved
from colorway.ledger.tables import UtcDateTime, colorways
from colorway.lifecycle import MAX_DEATHS, Status, is_last_try
from colorway.render_task import RenderTask


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to render a colorway, as long as no later attempt has a higher fence."""

    colorway: UUID
    job: UUID
    fence: int
    tries: int
    attempt: int
    alone: bool


@dataclass(frozen=True, slots=True)
class Timings:
    """How long the steps towards one finished colorway took, in whole milliseconds."""

    queued_ms: int
    fetch_ms: int
    render_ms: int
    encode_ms: int
    upload_ms: int


_NOW = bindparam("now", type_=UtcDateTime)
_WHAT = bindparam("what", type_=colorways.c.error.type)

CLAIM = (
    update(colorways)
    .where(
        colorways.c.id == bindparam("colorway"),
        colorways.c.epoch == bindparam("of_epoch"),
        colorways.c.status == Status.PENDING,
    )
    .values(
        status=Status.PROCESSING,
        fence=colorways.c.fence + 1,
        attempts=colorways.c.attempts + 1,
        alone=or_(colorways.c.alone, bindparam("is_suspect")),
        leased_until=bindparam("until"),
        started_at=func.coalesce(colorways.c.started_at, _NOW),
    )
    .returning(
        colorways.c.job_id,
        colorways.c.fence,
        colorways.c.tries,
        colorways.c.attempts,
        colorways.c.alone,
    )
)

_HELD = and_(
    colorways.c.id == bindparam("colorway"),
    colorways.c.fence == bindparam("of_fence"),
    colorways.c.status == Status.PROCESSING,
)

RENEW = update(colorways).where(_HELD).values(leased_until=bindparam("until"))

FINISH = (
    update(colorways)
    .where(_HELD)
    .values(
        status=Status.COMPLETED,
        alone=False,
        rendition_id=bindparam("rendition"),
        finished_at=_NOW,
        leased_until=None,
        error=None,
        queued_ms=bindparam("queued"),
        fetch_ms=bindparam("fetch"),
        render_ms=bindparam("render"),
        encode_ms=bindparam("encode"),
        upload_ms=bindparam("upload"),
    )
)

FAIL = (
    update(colorways)
    .where(_HELD)
    .values(
        status=Status.FAILED,
        tries=bindparam("of_tries"),
        finished_at=_NOW,
        leased_until=None,
        error=_WHAT,
    )
)

GIVE_BACK = (
    update(colorways)
    .where(_HELD)
    .values(
        status=Status.PENDING,
        tries=bindparam("of_tries"),
        queue_seen_at=_NOW,
        leased_until=None,
        error=_WHAT,
    )
)


def claim(
    session: Session, task: RenderTask, *, now: datetime, lease_for: timedelta
) -> Claim | Lapse | None:
    """Take the lease, or return None when there is nothing to take.

    An expired lease is taken back first. If that was its last try, or if the source kills workers,
    the colorway has failed instead, and the Lapse says so.
    """
    job = lock_job_of(session, task.colorway)
    if job is None:
        return None
    if job.deaths >= MAX_DEATHS:
        return condemn(session, task, now=now)
    taking = {
        "colorway": task.colorway,
        "of_epoch": task.epoch,
        "is_suspect": job.deaths > 0,
        "now": now,
        "until": now + lease_for,
    }
    row = session.execute(CLAIM, taking).one_or_none()
    if row is None:
        lapse = end_expired(session, task.colorway, epoch=task.epoch, now=now)
        if lapse is None or lapse.status.is_final:
            return lapse
        # it is pending again; but that death may have been the one that proves its source guilty
        return claim(session, task, now=now, lease_for=lease_for)
    one_claimed(session, row.job_id, now=now)
    return Claim(task.colorway, row.job_id, row.fence, row.tries, row.attempts, row.alone)


def renew(session: Session, held: Claim, *, until: datetime) -> bool:
    """Prolong the lease; False means that it is lost."""
    renewal = {"colorway": held.colorway, "of_fence": held.fence, "until": until}
    return _changed(session, RENEW, renewal) == 1


def finish(
    session: Session, held: Claim, rendition: UUID, timings: Timings, *, now: datetime
) -> JobEnd | None:
    """Complete the colorway; return the job's end if this was its last one."""
    lock_job_of(session, held.colorway)
    _write_held(
        session,
        FINISH,
        held,
        {
            "now": now,
            "rendition": rendition,
            "queued": timings.queued_ms,
            "fetch": timings.fetch_ms,
            "render": timings.render_ms,
            "encode": timings.encode_ms,
            "upload": timings.upload_ms,
        },
    )
    if held.alone:  # its source has killed nobody
        clear_deaths(session, held.job)
    return some_moved(session, held.job, now=now, completed=1)


def fail(session: Session, held: Claim, error: dict[str, Any], *, now: datetime) -> JobEnd | None:
    """Fail the colorway for good; with `on_error: stop` this cancels what is still pending."""
    return _fail(session, held, error, tries=held.tries, now=now)


def give_back(
    session: Session, held: Claim, error: dict[str, Any], *, counts: bool, now: datetime
) -> JobEnd | None:
    """Let another attempt have it. Where this `counts` as a try and was the last one, fail it.

    With `on_error: stop` and a failure in the meantime, it is cancelled like all that is pending.
    """
    tries = held.tries + counts
    if counts and is_last_try(tries):
        return _fail(session, held, error, tries=tries, now=now)
    lock_job_of(session, held.colorway)
    _write_held(session, GIVE_BACK, held, {"now": now, "what": error, "of_tries": tries})
    stopped = stop_pending(session, held.job, held.colorway, has_failed=False, now=now)
    return some_moved(session, held.job, now=now, cancelled=len(stopped))


def _fail(
    session: Session, held: Claim, error: dict[str, Any], *, tries: int, now: datetime
) -> JobEnd | None:
    lock_job_of(session, held.colorway)
    _write_held(session, FAIL, held, {"now": now, "what": error, "of_tries": tries})
    stopped = stop_pending(session, held.job, held.colorway, has_failed=True, now=now)
    return some_moved(session, held.job, now=now, failed=1, cancelled=len(stopped))


def _write_held(session: Session, statement: Update, held: Claim, values: dict[str, Any]) -> None:
    guard = {"colorway": held.colorway, "of_fence": held.fence}
    if _changed(session, statement, guard | values) == 0:
        raise LeaseLost(f"attempt {held.attempt} no longer holds colorway {held.colorway}")


def _changed(session: Session, statement: Update, values: dict[str, Any]) -> int:
    return cast("CursorResult[Any]", session.execute(statement, values)).rowcount
