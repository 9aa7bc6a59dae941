"""What an account's last jobs took and made; its own, so that nothing of another's shows through.

Only jobs that completed whole say how long one takes: others were stopped, or waited for a retry.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from sqlalchemy import bindparam, func, select
from sqlalchemy.orm import Session

from colorway.job import OutputFormat
from colorway.ledger.job_list import BEFORE_ALL, PAGE
from colorway.ledger.tables import colorways, images, jobs, renditions

MOST_JOBS = 20
"""So many are looked at; older ones were rendered by older releases, or by fewer workers."""

LOOK_BACK = 1000
"""Jobs among which they are looked for; so many could be under way, or have failed."""


@dataclass(frozen=True, slots=True)
class PastJob:
    """A job that completed whole, without those of its colorways that were not rendered for it."""

    image: UUID
    source_pixels: int
    format: OutputFormat
    """As it was asked for, so it may be `auto`."""
    took: timedelta
    """From its submission to its end."""
    rendered: int
    pixels: int
    """Of its pictures all together, like the next."""
    bytes: int


_READ = "account_id id image_id total completed output created_at finished_at"
_LAST = (
    PAGE.with_only_columns(*(jobs.c[name] for name in _READ.split()))
    .limit(LOOK_BACK)
    .subquery("last")
)
COMPLETED = (
    select(_LAST, images.c.width, images.c.height)
    .join(images, _LAST.c.image_id == images.c.id)
    .where(_LAST.c.completed == _LAST.c.total)
    .order_by(_LAST.c.account_id.desc(), _LAST.c.id.desc())
    .limit(MOST_JOBS)
)
RENDERED = (
    select(
        colorways.c.job_id,
        func.count().label("colorways"),
        func.sum(renditions.c.width * renditions.c.height).label("pixels"),
        func.sum(renditions.c.bytes).label("bytes"),
    )
    .join(renditions, colorways.c.rendition_id == renditions.c.id)
    .where(colorways.c.job_id.in_(bindparam("jobs", expanding=True)), ~colorways.c.cached)
    .group_by(colorways.c.job_id)
)


def past_jobs(session: Session, account: UUID) -> list[PastJob]:
    """Return the account's last jobs that completed and rendered anything, the newest first."""
    completed = session.execute(COMPLETED, {"account": account, "older_than": BEFORE_ALL}).all()
    of_these = {"jobs": [job.id for job in completed]}
    made = {row.job_id: row for row in session.execute(RENDERED, of_these)}
    return [
        PastJob(
            image=job.image_id,
            source_pixels=job.width * job.height,
            format=job.output["format"],
            took=job.finished_at - job.created_at,
            rendered=made[job.id].colorways,
            pixels=int(made[job.id].pixels),
            bytes=int(made[job.id].bytes),
        )
        for job in completed
        if job.id in made
    ]
