"""A job, its colorways and their outbox entries: as many statements for 500 palettes as for one."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import insert
from sqlalchemy.orm import Session
from uuid_utils.compat import uuid7

from colorway.fingerprint import ENGINE_VERSION, fingerprint, options_digest
from colorway.job import JobRequest
from colorway.ledger import outbox
from colorway.ledger.tables import Record, colorways, jobs

RECORD_JOB = insert(jobs)
RECORD_COLORWAYS = insert(colorways)


def record_job(
    session: Session,
    account: UUID,
    image: Record,
    wanted: JobRequest,
    *,
    keep_for: timedelta,
    now: datetime,
) -> UUID:
    """Record the whole job, every colorway pending, and return its id."""
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
            "total": len(wanted.palettes),
            "created_at": now,
            "expires_at": now + keep_for,
        },
    )
    options = options_digest(wanted.render, wanted.output)
    session.execute(
        RECORD_COLORWAYS,
        [
            {
                "id": uuid7(),
                "job_id": job,
                "position": position,
                "key": order.key,
                "name": order.palette.name,
                "colors": list(order.palette.colors),
                "fingerprint": fingerprint(image.sha256, order.palette, options),
                "queue_seen_at": now,
                "opened_at": now,
            }
            for position, order in enumerate(wanted.palettes)
        ],
    )
    outbox.announce_job(session, job, now=now)
    return job
