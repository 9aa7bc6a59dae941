"""What a client may order of a job after submitting it: to cancel it, or to retry what failed.

Like every writer, an order locks the job row first. So it sees each colorway either before or
after any claim, finish or give back, and never in between.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, cast
from uuid import UUID

from sqlalchemy import (
    BindParameter,
    Boolean,
    CursorResult,
    bindparam,
    case,
    func,
    null,
    select,
    update,
)
from sqlalchemy.orm import Session

from colorway.errors import Flaw, Gone, InvalidRequest
from colorway.job import JobEnd
from colorway.ledger import outbox
from colorway.ledger.images import clear_deaths
from colorway.ledger.lapse import STOPPED
from colorway.ledger.progress import end_of, find_job_to_write
from colorway.ledger.tables import UtcDateTime, colorways, jobs
from colorway.lifecycle import Status
from colorway.palette import is_key

_NOW = bindparam("now", type_=UtcDateTime)

# The higher fence takes running ones from their attempts: these can neither renew nor finish.
CANCEL = (
    update(colorways)
    .where(
        colorways.c.job_id == bindparam("job"),
        colorways.c.status.in_((Status.PENDING, Status.PROCESSING)),
    )
    .values(
        status=Status.CANCELLED, fence=colorways.c.fence + 1, leased_until=None, finished_at=_NOW
    )
)

JOB_CANCELLED = (
    update(jobs)
    .where(jobs.c.id == bindparam("of_job"))
    .values(
        processing=0,
        cancelled=jobs.c.cancelled + bindparam("count"),
        cancelled_at=func.coalesce(jobs.c.cancelled_at, _NOW),
        finished_at=_NOW,
        version=jobs.c.version + 1,
    )
    .returning(jobs)
)

_KEYS: BindParameter[str] = bindparam("keys", expanding=True)

KNOWN_KEYS = select(colorways.c.key).where(
    colorways.c.job_id == bindparam("job"), colorways.c.key.in_(_KEYS)
)

# The higher epoch ends every task that is still about, the higher fence every attempt.
REOPEN = (
    update(colorways)
    .where(
        colorways.c.job_id == bindparam("job"),
        colorways.c.status == bindparam("of_status", type_=colorways.c.status.type),
    )
    .values(
        status=Status.PENDING,
        epoch=colorways.c.epoch + 1,
        fence=colorways.c.fence + 1,
        tries=0,
        alone=False,
        error=case((colorways.c.status == Status.CANCELLED, null()), else_=colorways.c.error),
        opened_at=bindparam("opened", type_=UtcDateTime),
        queue_seen_at=_NOW,
        finished_at=None,
    )
    .returning(colorways.c.id)
)
REOPEN_KEYS = REOPEN.where(colorways.c.key.in_(_KEYS))

LAST_FAILURE = select(func.max(colorways.c.finished_at)).where(
    colorways.c.job_id == bindparam("job"), colorways.c.status == Status.FAILED
)
WHY_CANCELLED = select(colorways.c.error).where(
    colorways.c.job_id == bindparam("job"), colorways.c.status == Status.CANCELLED
)

JOB_REOPENED = (
    update(jobs)
    .where(jobs.c.id == bindparam("of_job"))
    .values(
        failed=jobs.c.failed - bindparam("failed"),
        cancelled=jobs.c.cancelled - bindparam("cancelled"),
        cancelled_at=case((bindparam("still_cancelled", type_=Boolean), jobs.c.cancelled_at)),
        finished_at=None,
        version=jobs.c.version + 1,
    )
)


def cancel_job(session: Session, account: UUID, job: UUID, *, now: datetime) -> JobEnd | None:
    """Cancel whatever has not ended, running colorways too; return the job's end.

    None, and nothing is written, if all of it has ended already. Raises NotFound.
    """
    find_job_to_write(session, account, job)
    cancelled = cast("CursorResult[Any]", session.execute(CANCEL, {"job": job, "now": now}))
    if cancelled.rowcount == 0:
        return None
    outbox.forget_job(session, job)
    counting = {"of_job": job, "count": cancelled.rowcount, "now": now}
    return end_of(session.execute(JOB_CANCELLED, counting).one(), now=now)


def retry_job(
    session: Session, account: UUID, job: UUID, keys: Sequence[str] | None, *, now: datetime
) -> int:
    """Reopen what failed or was cancelled, all of it or under these keys; return how many.

    Raises NotFound, InvalidRequest for keys that the job does not have, and Gone where it has
    expired: nobody could fetch the pictures. Once reopened, a colorway has all its tries and all
    its time again.
    """
    expires_at = find_job_to_write(session, account, job).expires_at
    if expires_at <= now:
        raise Gone(f"the job has expired: {expires_at:%F %T} UTC; submit it again")
    if keys is not None:
        _require_known(session, job, keys)
    opened_at = _beyond_failures(session, job, now)
    failed = _reopen(session, job, Status.FAILED, keys, opened_at=opened_at, now=now)
    cancelled = _reopen(session, job, Status.CANCELLED, keys, opened_at=opened_at, now=now)
    reopened = failed + cancelled
    if reopened:
        outbox.announce(session, reopened, now=now)
        counting = {
            "of_job": job,
            "failed": len(failed),
            "cancelled": len(cancelled),
            "still_cancelled": _client_left_some_cancelled(session, job),
        }
        session.execute(JOB_REOPENED, counting)
        clear_deaths(session, job)  # whoever orders a retry may have mended what killed the workers
    return len(reopened)


def _beyond_failures(session: Session, job: UUID, now: datetime) -> datetime:
    """Return now, or the next moment after a failure that another machine's clock has told.

    What is reopened is not stopped by the failures of before.
    """
    last = session.scalar(LAST_FAILURE, {"job": job})
    return now if last is None else max(now, last + timedelta(microseconds=1))


def _client_left_some_cancelled(session: Session, job: UUID) -> bool:
    """Whether a colorway is cancelled that no failure has stopped: the client's cancel stands."""
    reasons = session.scalars(WHY_CANCELLED, {"job": job})
    return any(why is None or why["code"] != STOPPED["code"] for why in reasons)


def _require_known(session: Session, job: UUID, keys: Sequence[str]) -> None:
    possible = [key for key in keys if is_key(key)]  # some databases cannot be asked for others
    known = set(session.scalars(KNOWN_KEYS, {"job": job, "keys": possible}))
    flaws = tuple(
        Flaw(f"#/keys/{number}", "unknown", f"the job has no colorway {key!r}")
        for number, key in enumerate(keys)
        if key not in known
    )
    if flaws:
        raise InvalidRequest("the job does not have all of these colorways", flaws=flaws)


def _reopen(
    session: Session,
    job: UUID,
    status: Status,
    keys: Sequence[str] | None,
    *,
    opened_at: datetime,
    now: datetime,
) -> list[UUID]:
    reopening = {"job": job, "of_status": status, "opened": opened_at, "now": now}
    if keys is None:
        return list(session.scalars(REOPEN, reopening))
    return list(session.scalars(REOPEN_KEYS, reopening | {"keys": list(keys)}))
