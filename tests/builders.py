"""The smallest valid things. A test names what matters to it; the rest is filled in here."""

from __future__ import annotations

import hashlib
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Table, select, update
from sqlalchemy.orm import Session
from uuid_utils.compat import uuid7

from colorway.image_keys import source_key
from colorway.job import JobEnd, JobRequest, PaletteOrder
from colorway.ledger.accounts import open_account
from colorway.ledger.images import SourceFacts, record_image
from colorway.ledger.lease import Claim, Timings, claim, finish
from colorway.ledger.renditions import StoredRendition, record_rendition
from colorway.ledger.submission import record_job
from colorway.ledger.tables import Record, colorways, images, jobs
from colorway.lifecycle import Status
from colorway.palette import Palette
from colorway.render_task import RenderTask

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)
BROKEN = {"code": "broken", "detail": "it broke"}
TIMINGS = Timings(queued_ms=10, fetch_ms=20, render_ms=30, encode_ms=40, upload_ms=50)


def an_account(session: Session, name: str = "Studio") -> UUID:
    return open_account(session, name, now=NOON)


def an_image(session: Session, account: UUID | None = None, *, seed: str = "base") -> Record:
    """Record a source; the seed decides its bytes."""
    account = account or an_account(session)
    image = uuid7()
    facts = SourceFacts(_sha256(seed), bytes=1000, format="png", width=64, height=48)
    key = source_key(account, facts.sha256, image)
    return record_image(session, account, image, key, facts, now=NOON)


def a_palette(name: str = "nord", colors: tuple[str, ...] | None = None) -> Palette:
    """Return a palette whose name decides its colours, unless they are given."""
    return Palette(name, colors or ("#000000", f"#{_sha256(name)[:6]}"))


def a_job_request(image: UUID, palettes: tuple[str, ...] = ("nord",), **matters: Any) -> JobRequest:
    orders = tuple(PaletteOrder(name, a_palette(name)) for name in palettes)
    return JobRequest(image, orders, **matters)


def a_job(
    session: Session,
    palettes: tuple[str, ...] = ("nord",),
    *,
    image: Record | None = None,
    now: datetime = NOON,
    **matters: Any,
) -> tuple[UUID, list[RenderTask]]:
    """Record a job and return it with the tasks of its colorways, in the palettes' order."""
    image = image or an_image(session)
    wanted = a_job_request(image.id, palettes, **matters)
    job = record_job(session, image.account_id, image, wanted, keep_for=30 * DAY, now=now).id
    return job, tasks_of(session, job)


def tasks_of(session: Session, job: UUID) -> list[RenderTask]:
    rows = session.execute(
        select(colorways.c.id, colorways.c.epoch)
        .where(colorways.c.job_id == job)
        .order_by(colorways.c.position)
    )
    return [RenderTask(row.id, row.epoch) for row in rows]


def a_claim(session: Session, task: RenderTask, *, now: datetime = NOON) -> Claim:
    """Lease the colorway for a minute."""
    held = claim(session, task, now=now, lease_for=MINUTE)
    assert isinstance(held, Claim)
    return held


def a_stored_rendition(key: str = "studio/colorways/nord.png") -> StoredRendition:
    return StoredRendition(key, _sha256(key), bytes=500, format="png", width=64, height=48)


def a_rendition(session: Session, held: Claim) -> UUID:
    """Record the picture that this attempt has made and return its id."""
    colorway, job = row_of(session, colorways, held.colorway), row_of(session, jobs, held.job)
    stored = a_stored_rendition(f"{held.colorway}-{held.fence}.png")
    return record_rendition(session, job.account_id, colorway.fingerprint, stored, now=NOON).id


def with_tries(session: Session, task: RenderTask, tries: int) -> None:
    """Let the colorway have failed so often already."""
    session.execute(update(colorways).where(colorways.c.id == task.colorway).values(tries=tries))


def with_deaths(session: Session, image: UUID, deaths: int) -> None:
    """Let so many workers have died alone with this source."""
    session.execute(update(images).where(images.c.id == image).values(deaths=deaths))


def statuses_of(session: Session, job: UUID) -> list[Status]:
    """Return where the job's colorways are, in the palettes' order."""
    wanted = select(colorways.c.status).where(colorways.c.job_id == job)
    return list(session.scalars(wanted.order_by(colorways.c.position)))


def finish_it(session: Session, held: Claim, *, now: datetime = NOON) -> JobEnd | None:
    """Finish with a picture of the attempt's own."""
    return finish(session, held, a_rendition(session, held), TIMINGS, now=now)


def counts_of(session: Session, job: UUID) -> tuple[dict[Status, int], dict[Status, int]]:
    """Return the job's counters, and the same as counted from its colorways."""
    row, counted = row_of(session, jobs, job), [s for s in Status if s is not Status.PENDING]
    rows = Counter(session.scalars(select(colorways.c.status).where(colorways.c.job_id == job)))
    return {s: getattr(row, s) for s in counted}, {s: rows[s] for s in counted}


def row_of(session: Session, table: Table, id: UUID) -> Record:
    """Return the row as the database has it now."""
    return session.execute(select(table).where(table.c.id == id)).one()


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
