"""Pictures that are there already: what an account has one of is not rendered again.

A job's colorways begin completed with them. What was pending when its picture was finished, by an
equal colorway of another job, is completed with it when its task comes, without a lease.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import bindparam, select, update
from sqlalchemy.orm import Session

from colorway.job import JobEnd
from colorway.ledger.progress import lock_job_of, some_moved
from colorway.ledger.tables import UtcDateTime, colorways, renditions
from colorway.lifecycle import Status
from colorway.render_task import RenderTask


@dataclass(frozen=True, slots=True)
class Reused:
    """A colorway that has been completed with an earlier picture, and its job's end if it was."""

    job_end: JobEnd | None


# Locked as a foreign key locks them, in the one order for whoever locks several.
TO_USE = (
    select(renditions.c.fingerprint, renditions.c.id)
    .where(
        renditions.c.account_id == bindparam("account"),
        renditions.c.fingerprint.in_(bindparam("fingerprints", expanding=True)),
    )
    .order_by(renditions.c.id)
    .with_for_update(read=True, key_share=True)
)
COMPLETE = (
    update(colorways)
    .where(
        colorways.c.id == bindparam("colorway"),
        colorways.c.epoch == bindparam("of_epoch"),
        colorways.c.status == Status.PENDING,
    )
    .values(
        status=Status.COMPLETED,
        cached=True,
        alone=False,
        rendition_id=bindparam("rendition"),
        finished_at=bindparam("now", type_=UtcDateTime),
        error=None,
    )
    .returning(colorways.c.job_id)
)


def renditions_to_use(
    session: Session, account: UUID, fingerprints: Sequence[str]
) -> dict[str, UUID]:
    """Return the account's pictures, by fingerprint, such that this transaction may refer to them.

    It may wait for whoever forgets one, so it comes before the job is locked.
    """
    wanted = {"account": account, "fingerprints": list(fingerprints)}
    return {row.fingerprint: row.id for row in session.execute(TO_USE, wanted)}


def reuse(
    session: Session, account: UUID, task: RenderTask, fingerprint: str, *, now: datetime
) -> Reused | None:
    """Complete a pending colorway with its picture; None if it is not pending, or has none."""
    ready = renditions_to_use(session, account, [fingerprint])
    if not ready:
        return None
    lock_job_of(session, task.colorway)
    completing = {
        "colorway": task.colorway,
        "of_epoch": task.epoch,
        "rendition": ready[fingerprint],
        "now": now,
    }
    row = session.execute(COMPLETE, completing).one_or_none()
    if row is None:
        return None
    return Reused(some_moved(session, row.job_id, now=now, left=0, completed=1))
