"""What a client may order of a job after submitting it: to cancel it.

Like every writer, an order locks the job row first. So it sees each colorway either before or
after any claim, finish or give back, and never in between.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, cast
from uuid import UUID

from sqlalchemy import CursorResult, bindparam, func, update
from sqlalchemy.orm import Session

from colorway.ledger import outbox
from colorway.ledger.progress import JobEnd, end_of, find_job_to_write
from colorway.ledger.tables import UtcDateTime, colorways, jobs
from colorway.lifecycle import Status

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
