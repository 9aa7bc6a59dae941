"""A ledger with a long past: any number of finished jobs of one account, written in bulk."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import insert, text
from uuid_utils.compat import uuid7

from colorway.fingerprint import ENGINE_VERSION
from colorway.job import OutputOptions, Priority, RenderOptions
from colorway.ledger.connection import Ledger
from colorway.ledger.tables import colorways, images, jobs, renditions
from colorway.lifecycle import Status

PALETTES = 7
_JOBS_OF_A_SOURCE = 100
_JOBS_AT_ONCE = 1000  # in a transaction
_TOOK = timedelta(seconds=3)

Rows = list[dict[str, Any]]


def record_past(ledger: Ledger, account: UUID, count: int, *, now: datetime) -> list[UUID]:
    """Record so many completed jobs of seven palettes, up to now; return their ids, oldest first.

    Jobs of the same source share its renditions, as reuse would have it.
    """
    recorded: list[UUID] = []
    for first in range(0, count, _JOBS_AT_ONCE):
        with ledger.transaction() as session:
            for source in range(first, min(first + _JOBS_AT_ONCE, count), _JOBS_OF_A_SOURCE):
                image, pictures = uuid7(), [uuid7() for _ in range(PALETTES)]
                session.execute(insert(images), _source(account, image, source, now))
                session.execute(insert(renditions), list(_pictures(account, pictures, source, now)))
                numbers = range(source, min(source + _JOBS_OF_A_SOURCE, count))
                made = {uuid7(): now - (count - number) * _TOOK for number in numbers}
                session.execute(
                    insert(jobs), [_job(account, image, job, at) for job, at in made.items()]
                )
                session.execute(
                    insert(colorways),
                    [row for job, at in made.items() for row in _colorways(job, pictures, at)],
                )
                recorded += made
    with ledger.engine.connect() as connection:
        connection.execute(text("ANALYZE"))
        connection.commit()
    return recorded


def _source(account: UUID, image: UUID, number: int, now: datetime) -> dict[str, Any]:
    sha256 = _sha256(f"source {number}")
    return {
        "id": image,
        "account_id": account,
        "sha256": sha256,
        "key": f"{account}/sources/{sha256}-{image}",
        "bytes": 1_000_000,
        "format": "png",
        "width": 1200,
        "height": 850,
        "frames": 1,
        "created_at": now,
    }


def _pictures(
    account: UUID, ids: list[UUID], source: int, now: datetime
) -> Iterator[dict[str, Any]]:
    for index, rendition in enumerate(ids):
        fingerprint = _sha256(f"source {source} in palette {index}")
        yield {
            "id": rendition,
            "account_id": account,
            "fingerprint": fingerprint,
            "key": f"{account}/colorways/{fingerprint}/{rendition}-1.png",
            "sha256": _sha256(fingerprint),
            "bytes": 1_200_000,
            "format": "png",
            "width": 1200,
            "height": 850,
            "created_at": now,
            "checked_at": now,
        }


def _job(account: UUID, image: UUID, job: UUID, at: datetime) -> dict[str, Any]:
    return {
        "id": job,
        "account_id": account,
        "image_id": image,
        "priority": Priority.NORMAL,
        "on_error": "continue",
        "reuse": "cache",
        "render": asdict(RenderOptions()) | {"engine_version": ENGINE_VERSION},
        "output": asdict(OutputOptions()),
        "client_metadata": {"campaign": "spring"},
        "total": PALETTES,
        "completed": PALETTES,
        "version": 1 + 2 * PALETTES,
        "created_at": at,
        "started_at": at,
        "finished_at": at + _TOOK,
        "expires_at": at + timedelta(days=30),
    }


def _colorways(job: UUID, pictures: list[UUID], at: datetime) -> Iterator[dict[str, Any]]:
    for position, rendition in enumerate(pictures):
        yield {
            "id": uuid7(),
            "job_id": job,
            "position": position,
            "key": f"palette-{position}",
            "name": f"Palette {position}",
            "colors": ["#2e3440", "#5e81ac", "#88c0d0", "#d8dee9", "#eceff4"],
            "fingerprint": _sha256(f"{rendition}"),
            "status": Status.COMPLETED,
            "fence": 1,
            "attempts": 1,
            "queue_seen_at": at,
            "opened_at": at,
            "started_at": at,
            "finished_at": at + _TOOK,
            "rendition_id": rendition,
            "queued_ms": 120,
            "fetch_ms": 20,
            "render_ms": 30,
            "encode_ms": 20,
            "upload_ms": 10,
        }


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
