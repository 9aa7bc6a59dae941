"""What the ledger says is held against its rows and against the store, and mended where it fails.

Drift, the number of jobs whose counters were wrong, must always be 0: it means a bug of ours.
"""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from typing import BinaryIO
from uuid import UUID

import structlog

from colorway.errors import NotFound, TryLater
from colorway.image_keys import thumbnail_key
from colorway.image_store import ImageStore
from colorway.ledger import repairs
from colorway.ledger.connection import Ledger
from colorway.ledger.tables import Record

log = structlog.get_logger()

MOST_JOBS = 500
"""Jobs whose counters one call proves: some 20 ms."""

PROVEN_AFTER_END = timedelta(hours=1)
"""Counters are proven until so long after the job's end: while somebody may look at them."""

_CHUNK = 1 << 20


def prove_counters(ledger: Ledger, *, now: datetime) -> int:
    """Prove the counters of jobs that go on or ended lately; return and note the drift."""
    with ledger.reading() as session:
        doubtful = repairs.jobs_in_doubt(
            session, finished_after=now - PROVEN_AFTER_END, most=MOST_JOBS
        )
        wrong = repairs.wrong_counters(session, doubtful)
    return _correct(ledger, wrong, now=now)


def prove_all_counters(ledger: Ledger, *, now: datetime) -> int:
    """Prove the counters of every job there is; return and note the drift."""
    wrong: list[UUID] = []
    last = UUID(int=0)
    while True:
        with ledger.reading() as session:
            page = repairs.jobs_behind(session, last, most=MOST_JOBS)
            wrong += repairs.wrong_counters(session, page)
        if not page:
            return _correct(ledger, wrong, now=now)
        last = page[-1]


def prove_pictures(
    ledger: Ledger, store: ImageStore, *, before: datetime, most: int, now: datetime
) -> int:
    """Look at pictures that nobody has looked at since `before`; return how many were lost.

    A picture whose bytes are missing or wrong is forgotten, and its colorways are opened again.
    """
    with ledger.reading() as session:
        unseen = repairs.longest_unseen(session, before=before, most=most)
    lost = 0
    for rendition in unseen:
        if is_as_recorded(store, rendition):
            with ledger.transaction() as session:
                repairs.note_checked(session, rendition.id, now=now)
            continue
        with ledger.transaction() as session:
            jobs = repairs.forget_rendition(session, rendition.id, now=now)
        if jobs is None:
            continue  # another call was quicker
        lost += 1
        log.error("picture lost", rendition=rendition.id, object=rendition.key, jobs=jobs)
        _drop(store, rendition.key)  # nothing points to it any more
    return lost


def prove_all_pictures(ledger: Ledger, store: ImageStore, *, now: datetime) -> int:
    """Look at every picture there is; return how many were lost."""
    lost = 0
    while True:
        with ledger.reading() as session:
            if not repairs.longest_unseen(session, before=now, most=1):
                return lost
        lost += prove_pictures(ledger, store, before=now, most=MOST_JOBS, now=now)


def is_as_recorded(store: ImageStore, rendition: Record) -> bool:
    """Whether the store has the picture's very bytes, and a thumbnail beside it."""
    try:
        store.stat(thumbnail_key(rendition.key))
        if store.stat(rendition.key).bytes != rendition.bytes:
            return False
        with store.open(rendition.key) as stream:
            return _sha256(stream) == str(rendition.sha256)
    except NotFound:
        return False
    except OSError as error:  # once it is open, a stream is the platform's
        raise TryLater("a picture could not be read to its end") from error


def _correct(ledger: Ledger, wrong: list[UUID], *, now: datetime) -> int:
    drift = 0
    for job in wrong:
        with ledger.transaction() as session:
            found = repairs.repair_counters(session, job, now=now)
        if found is not None:
            drift += 1
            log.error("counters were wrong", job=job, said=found.said, rows=found.is_so)
    with ledger.transaction() as session:
        repairs.note_drift(session, drift, now=now)
    return drift


def _sha256(stream: BinaryIO) -> str:
    digest = hashlib.sha256()
    while chunk := stream.read(_CHUNK):
        digest.update(chunk)
    return digest.hexdigest()


def _drop(store: ImageStore, key: str) -> None:
    try:
        store.delete(key)
        store.delete(thumbnail_key(key))
    except TryLater as error:
        log.warning("object not dropped", object=key, reason=str(error))  # swept up later
