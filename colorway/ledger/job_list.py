"""An account's jobs, the newest first.

Pages go by the ids, which rise with time: whatever comes or goes meanwhile, none is shown twice.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Uuid, and_, bindparam, case, select, tuple_
from sqlalchemy.orm import Session

from colorway.job import JobProgress, JobStatus
from colorway.ledger.progress import progress_of
from colorway.ledger.tables import Record, UtcDateTime, images, jobs

BEFORE_ALL = UUID(int=2**128 - 1)
"""The cursor of the first page: every job is older."""


@dataclass(frozen=True, slots=True)
class JobsWanted:
    """Which jobs are asked for; times are exclusive."""

    status: JobStatus | None = None
    created_after: datetime | None = None
    created_before: datetime | None = None


@dataclass(frozen=True, slots=True)
class ListedJob:
    """A job with its source; rows carry the columns of their tables."""

    job: Record
    image: Record
    progress: JobProgress


_GOES_ON = jobs.c.completed + jobs.c.failed + jobs.c.cancelled != jobs.c.total

# JobProgress.status once more, for the database to choose by; a test holds the two together.
job_status = case(
    (and_(_GOES_ON, jobs.c.started_at.is_(None)), JobStatus.PENDING.value),
    (_GOES_ON, JobStatus.PROCESSING.value),
    (and_(jobs.c.cancelled_at.is_not(None), jobs.c.cancelled > 0), JobStatus.CANCELLED.value),
    (jobs.c.completed == jobs.c.total, JobStatus.COMPLETED.value),
    (jobs.c.completed > 0, JobStatus.PARTIAL.value),
    else_=JobStatus.FAILED.value,
)

# As one range of the index on both: with an equation for the account, Postgres would rather go
# through everybody's jobs by their ids, and an account that was idle for a while comes late there.
_ACCOUNT = bindparam("account", type_=Uuid())
_OLDER_THAN = bindparam("older_than", type_=Uuid())
PAGE = (
    select(jobs)
    .where(
        jobs.c.account_id >= _ACCOUNT,
        tuple_(jobs.c.account_id, jobs.c.id) < tuple_(_ACCOUNT, _OLDER_THAN),
    )
    .order_by(jobs.c.account_id.desc(), jobs.c.id.desc())
    .limit(bindparam("most"))
)
_CHOICES = {
    "status": job_status == bindparam("status"),
    "created_after": jobs.c.created_at > bindparam("created_after", type_=UtcDateTime),
    "created_before": jobs.c.created_at < bindparam("created_before", type_=UtcDateTime),
}
SOURCES = select(images).where(images.c.id.in_(bindparam("images", expanding=True)))


def job_page(
    session: Session, account: UUID, wanted: JobsWanted, *, older_than: UUID, most: int
) -> list[ListedJob]:
    """Return up to `most` of the account's jobs that are older than this one, the newest first."""
    page: dict[str, Any] = {"account": account, "older_than": older_than, "most": most}
    statement = PAGE
    for name, choice in _CHOICES.items():
        asked = getattr(wanted, name)
        if asked is not None:
            statement = statement.where(choice)
            page[name] = asked
    found = session.execute(statement, page).all()
    used = {"images": list({job.image_id for job in found})}
    sources = {image.id: image for image in session.execute(SOURCES, used)}
    return [ListedJob(job, sources[job.image_id], progress_of(job)) for job in found]
