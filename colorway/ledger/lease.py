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

from sqlalchemy import CursorResult, Update, and_, bindparam, case, func, literal, select, update
from sqlalchemy.orm import Session

from colorway.errors import LeaseLost
from colorway.ledger import outbox
from colorway.ledger.progress import JobEnd, lock_job_of, one_claimed, one_left_processing
from colorway.ledger.tables import UtcDateTime, colorways
from colorway.lifecycle import MAX_TRIES, Status, is_last_try
from colorway.render_task import RenderTask


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to render a colorway, as long as no later attempt has a higher fence."""

    colorway: UUID
    job: UUID
    fence: int
    tries: int
    attempt: int


@dataclass(frozen=True, slots=True)
class Lapse:
    """A lease that ran out and was taken back: to pending, or to failed after the last try.

    Or to cancelled, if its job stops at failures and has had one.
    """

    colorway: UUID
    job: UUID
    status: Status
    nudge: int
    job_end: JobEnd | None


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
        leased_until=bindparam("until"),
        started_at=func.coalesce(colorways.c.started_at, _NOW),
    )
    .returning(colorways.c.job_id, colorways.c.fence, colorways.c.tries, colorways.c.attempts)
)

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
        queue_seen_at=_NOW,
        finished_at=case((_LAST_TRY, _NOW), else_=literal(None)),
        leased_until=None,
        error=_WHAT,
    )
    .returning(colorways.c.job_id, colorways.c.status, colorways.c.nudge)
)
TAKE_BACK_OF_EPOCH = TAKE_BACK.where(colorways.c.epoch == bindparam("of_epoch"))

EXPIRED = (
    select(colorways.c.id)
    .where(colorways.c.status == Status.PROCESSING, colorways.c.leased_until < _NOW)
    .order_by(colorways.c.leased_until)
    .limit(bindparam("most"))
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

STOP_PENDING = (
    update(colorways)
    .where(colorways.c.job_id == bindparam("job"), colorways.c.status == Status.PENDING)
    .values(status=Status.CANCELLED, fence=colorways.c.fence + 1, finished_at=_NOW)
)


def claim(
    session: Session, task: RenderTask, *, now: datetime, lease_for: timedelta
) -> Claim | Lapse | None:
    """Take the lease, or return None when there is nothing to take.

    An expired lease is taken back first; if that was its last try, the Lapse says so.
    """
    lock_job_of(session, task.colorway)
    taking = {
        "colorway": task.colorway,
        "of_epoch": task.epoch,
        "now": now,
        "until": now + lease_for,
    }
    row = session.execute(CLAIM, taking).one_or_none()
    if row is None:
        lapse = _take_back(session, task.colorway, epoch=task.epoch, now=now)
        if lapse is None or lapse.status.is_final:
            return lapse
        row = session.execute(CLAIM, taking).one()
    one_claimed(session, row.job_id, now=now)
    return Claim(task.colorway, row.job_id, row.fence, row.tries, row.attempts)


def expired(session: Session, *, now: datetime, most: int) -> list[UUID]:
    """Return colorways whose lease has run out, the oldest first."""
    return list(session.scalars(EXPIRED, {"now": now, "most": most}))


def take_back(session: Session, colorway: UUID, *, now: datetime) -> Lapse | None:
    """End an expired lease as a failed try and nudge anew; None if it is not expired any more."""
    lock_job_of(session, colorway)
    lapse = _take_back(session, colorway, now=now)
    if lapse is not None and not lapse.status.is_final:
        outbox.nudge_again(session, colorway, beyond=lapse.nudge, now=now)
    return lapse


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
    return one_left_processing(session, held.job, now=now, completed=1)


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
    stopped = _stop_pending(session, held.job, held.colorway, now=now)
    return one_left_processing(session, held.job, now=now, cancelled=stopped)


def _fail(
    session: Session, held: Claim, error: dict[str, Any], *, tries: int, now: datetime
) -> JobEnd | None:
    lock_job_of(session, held.colorway)
    _write_held(session, FAIL, held, {"now": now, "what": error, "of_tries": tries})
    stopped = _stop_pending(session, held.job, held.colorway, failed=1, now=now)
    return one_left_processing(session, held.job, now=now, failed=1, cancelled=stopped)


def _take_back(
    session: Session, colorway: UUID, *, now: datetime, epoch: int | None = None
) -> Lapse | None:
    error = {"code": "worker-lost", "detail": "the worker that rendered this fell silent"}
    taking = {"colorway": colorway, "now": now, "what": error}
    if epoch is None:
        row = session.execute(TAKE_BACK, taking).one_or_none()
    else:  # a task of an older epoch is over and must not move anything
        row = session.execute(TAKE_BACK_OF_EPOCH, taking | {"of_epoch": epoch}).one_or_none()
    if row is None:
        return None
    failed = int(row.status is Status.FAILED)
    stopped = _stop_pending(session, row.job_id, colorway, failed=failed, now=now)
    end = one_left_processing(session, row.job_id, now=now, failed=failed, cancelled=stopped)
    status = Status.CANCELLED if stopped and not failed else row.status
    return Lapse(colorway, row.job_id, status, row.nudge, end)


def _stop_pending(
    session: Session, job: UUID, colorway: UUID, *, failed: int = 0, now: datetime
) -> int:
    """Cancel what is pending of a job that stops at failures, if it has had one; return how many.

    `failed` counts one of right now, which the job's row does not yet.
    """
    locked = lock_job_of(session, colorway)
    if locked is None or locked.on_error != "stop" or locked.failed + failed == 0:
        return 0
    return _changed(session, STOP_PENDING, {"job": job, "now": now})


def _write_held(session: Session, statement: Update, held: Claim, values: dict[str, Any]) -> None:
    guard = {"colorway": held.colorway, "of_fence": held.fence}
    if _changed(session, statement, guard | values) == 0:
        raise LeaseLost(f"attempt {held.attempt} no longer holds colorway {held.colorway}")


def _changed(session: Session, statement: Update, values: dict[str, Any]) -> int:
    return cast("CursorResult[Any]", session.execute(statement, values)).rowcount
