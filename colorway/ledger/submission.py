"""A job, its colorways and their outbox entries: as many statements for 500 palettes as for one.

What the account has a picture of already is not rendered again: such a colorway begins completed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import insert
from sqlalchemy.orm import Session
from uuid_utils.compat import uuid7

from colorway.fingerprint import ENGINE_VERSION, fingerprint, options_digest
from colorway.job import JobEnd, JobProgress, JobRequest
from colorway.ledger import outbox
from colorway.ledger.reuse import renditions_to_use
from colorway.ledger.tables import Record, colorways, jobs
from colorway.lifecycle import Status
from colorway.render_task import Nudge, RenderTask

RECORD_JOB = insert(jobs)
RECORD_COLORWAYS = insert(colorways)


@dataclass(frozen=True, slots=True)
class RecordedJob:
    """A job as it was recorded: it is done where there is nothing to tell the queue."""

    id: UUID
    nudges: Sequence[Nudge]
    cached: int
    end: JobEnd | None


def record_job(
    session: Session,
    account: UUID,
    image: Record,
    wanted: JobRequest,
    *,
    keep_for: timedelta,
    now: datetime,
    traceparent: str | None = None,
) -> RecordedJob:
    """Record the whole job: colorways completed where their pictures may be reused, else pending.

    Locks the pictures that it reuses, so it comes before other jobs are locked.
    """
    options = options_digest(wanted.render, wanted.output)
    fingerprints = [fingerprint(image.sha256, each.palette, options) for each in wanted.palettes]
    ready = {} if wanted.reuse == "force" else renditions_to_use(session, account, fingerprints)
    rows = [
        {
            "id": uuid7(),
            "position": position,
            "key": order.key,
            "name": order.palette.name,
            "colors": list(order.palette.colors),
            "fingerprint": print_,
            "queue_seen_at": now,
            "opened_at": now,
            **_state(ready.get(print_), now=now),
        }
        for position, (order, print_) in enumerate(zip(wanted.palettes, fingerprints, strict=True))
    ]
    nudges = [
        Nudge(RenderTask(row["id"], epoch=0), 0, wanted.priority, traceparent)
        for row in rows
        if row["status"] is Status.PENDING
    ]
    cached = len(rows) - len(nudges)
    job = uuid7()
    session.execute(
        RECORD_JOB,
        {
            "id": job,
            "account_id": account,
            "image_id": image.id,
            "priority": wanted.priority,
            "on_error": wanted.on_error,
            "reuse": wanted.reuse,
            "render": asdict(wanted.render) | {"engine_version": ENGINE_VERSION},
            "output": asdict(wanted.output),
            "client_metadata": dict(wanted.metadata),
            "total": len(rows),
            "completed": cached,
            "cached": cached,
            "created_at": now,
            "finished_at": None if nudges else now,
            "expires_at": now + keep_for,
            "traceparent": traceparent,
        },
    )
    session.execute(RECORD_COLORWAYS, [row | {"job_id": job} for row in rows])
    if nudges:
        outbox.announce_job(session, job, now=now)
    return RecordedJob(job, nudges, cached, None if nudges else _end(job, cached))


def _end(job: UUID, cached: int) -> JobEnd:
    progress = JobProgress(
        total=cached,
        processing=0,
        completed=cached,
        failed=0,
        cancelled=0,
        was_started=False,
        was_cancelled=False,
    )
    return JobEnd(job, progress, timedelta(0))


def _state(rendition: UUID | None, *, now: datetime) -> dict[str, Any]:
    """Return how a colorway begins: completed with this picture, or pending without any."""
    is_there = rendition is not None
    return {
        "status": Status.COMPLETED if is_there else Status.PENDING,
        "cached": is_there,
        "rendition_id": rendition,
        "finished_at": now if is_there else None,
    }
