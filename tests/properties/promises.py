"""What must be true of the ledger at every instant, and between any two: asked by SQL alone.

It knows nothing of how the ledger came to where it is; the API contract's invariants are here.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Table, select
from sqlalchemy.orm import Session

from colorway.job import JobStatus
from colorway.ledger.progress import job_view, progress_of
from colorway.ledger.tables import Record, colorways, images, jobs, outbox, renditions
from colorway.lifecycle import MAX_TRIES, Status
from dispatcher.api.bodies import job_body
from tests.builders import NOON

OPEN = (Status.PENDING, Status.PROCESSING)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All rows, as one transaction sees them, and each job as a client sees it."""

    jobs: dict[UUID, Record]
    colorways: dict[UUID, Record]
    renditions: dict[UUID, Record]
    deaths: dict[UUID, int]
    outbox: set[tuple[UUID, int, int]]
    bodies: dict[UUID, dict[str, Any]]

    def rows_of(self, job: UUID) -> list[Record]:
        return [row for row in self.colorways.values() if row.job_id == job]


_TABLES = (jobs, colorways, renditions, images)
_ALL = {table.name: select(table).order_by(table.c.id) for table in _TABLES}
_ENTRIES = select(outbox.c.colorway_id, outbox.c.epoch, outbox.c.nudge)


def snapshot(session: Session, since: Snapshot | None = None) -> Snapshot:
    """Read everything; bodies only of jobs whose rows have changed, for they are costly."""

    def all_of(table: Table) -> dict[UUID, Record]:
        return {row.id: row for row in session.execute(_ALL[table.name])}

    now = Snapshot(
        jobs=all_of(jobs),
        colorways=all_of(colorways),
        renditions=all_of(renditions),
        deaths={id: row.deaths for id, row in all_of(images).items()},
        outbox={(row.colorway_id, row.epoch, row.nudge) for row in session.execute(_ENTRIES)},
        bodies={},
    )
    for id, row in now.jobs.items():
        if since is not None and since.jobs.get(id) == row and since.rows_of(id) == now.rows_of(id):
            now.bodies[id] = since.bodies[id]
        else:
            now.bodies[id] = _body(session, row)
    return now


def _body(session: Session, job: Record) -> dict[str, Any]:
    view = job_view(session, job.account_id, job.id, most=100)
    body = job_body(view, now=NOON).model_dump()
    del body["eta_seconds"], body["image"]["frames"]  # neither is a change of the job
    return body


def hold_at_every_instant(now: Snapshot) -> None:
    """Counters are exact, and done is what it says."""
    for job in now.jobs.values():
        count = Counter(row.status for row in now.rows_of(job.id))
        progress, body = progress_of(job), now.bodies[job.id]
        assert body["counts"] == {"total": job.total} | {s.value: count[s] for s in Status}
        assert sum(count.values()) == job.total
        is_done = not any(count[status] for status in OPEN)
        assert body["done"] == is_done == (job.finished_at is not None)
        assert (body["progress_percent"] == 100) == is_done
        assert progress.status == _status(job, count, is_done=is_done)
    for row in now.colorways.values():
        assert (row.status is Status.COMPLETED) == (row.rendition_id is not None)
        assert (row.status is Status.PROCESSING) == (row.leased_until is not None)
        assert row.status.is_final == (row.finished_at is not None)
        assert row.tries <= MAX_TRIES
        assert row.rendition_id is None or row.rendition_id in now.renditions
        picture = now.renditions.get(row.rendition_id)
        assert picture is None or picture.fingerprint == row.fingerprint


def _status(job: Record, count: Counter[Status], *, is_done: bool) -> JobStatus:
    """Return the first rule that fits, in the words of the API contract."""
    if not is_done:
        return JobStatus.PENDING if job.started_at is None else JobStatus.PROCESSING
    if job.cancelled_at is not None and count[Status.CANCELLED]:
        return JobStatus.CANCELLED
    if set(count) == {Status.COMPLETED}:
        return JobStatus.COMPLETED
    return JobStatus.PARTIAL if count[Status.COMPLETED] else JobStatus.FAILED


def hold_between(before: Snapshot, after: Snapshot) -> None:
    """Whatever one transaction may have done: numbers only rise, and no end is undone in secret."""
    for id, job in before.jobs.items():
        version, later = job.version, after.jobs[id].version
        assert version <= later
        shown, shown_later = _visible(before.bodies[id]), _visible(after.bodies[id])
        assert shown == shown_later or version < later, "a visible change, the version is the same"
    for id, was in before.colorways.items():
        row = after.colorways[id]
        assert row.epoch >= was.epoch
        assert row.nudge >= was.nudge
        assert row.fence >= was.fence
        assert row.attempts >= was.attempts
        if row.status is Status.PROCESSING and was.status is not Status.PROCESSING:
            assert row.fence > was.fence, "two holders of one fence"
        if row.epoch > was.epoch:
            assert row.fence > was.fence, "an attempt of before could still write"
        if was.status.is_final and row.status != was.status:
            assert row.epoch > was.epoch, "ended twice in one epoch"
        if was.status in OPEN and row.status is Status.CANCELLED:
            assert row.fence > was.fence


def _visible(body: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in body.items() if name != "version"}
