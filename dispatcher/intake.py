"""Accepts a job: the source is stored first, then one transaction records all or nothing.

Once it has committed, the job is accepted, whatever happens to the queue: the outbox remembers.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import BinaryIO
from uuid import UUID

import structlog
from uuid_utils.compat import uuid7

from colorway.errors import NotFound, TryLater
from colorway.image_keys import source_key
from colorway.image_store import ImageStore
from colorway.job import JobRequest
from colorway.ledger.connection import Ledger
from colorway.ledger.images import SourceFacts, find_image, image_with, record_image
from colorway.ledger.submission import record_job
from colorway.ledger.tables import Record
from dispatcher.delivery import Delivery

log = structlog.get_logger()

TELL_QUEUE_WITHIN = timedelta(seconds=1)
"""A client waits no longer than this for a queue that is away; then the reconciler delivers."""


@dataclass(frozen=True, slots=True)
class Upload:
    """A picture as it was received, at its beginning, and what its header says."""

    file: BinaryIO
    facts: SourceFacts


@dataclass(frozen=True, slots=True)
class Intake:
    """What accepting needs: where to put pictures, where to record jobs, who tells the queue."""

    ledger: Ledger
    store: ImageStore
    delivery: Delivery
    keep_jobs_for: timedelta
    enqueue_inline: int

    def accept_image(self, account: UUID, upload: Upload, *, now: datetime) -> tuple[Record, bool]:
        """Store and record a source; return its row, and whether it is new."""
        with self.ledger.reading() as session:
            known = image_with(session, account, upload.facts.sha256)
        if known is not None:
            if not self._is_stored(known.key):
                self._store(known.key, upload)
            return known, False
        image = uuid7()
        key = source_key(account, upload.facts.sha256, image)
        self._store(key, upload)
        with self.ledger.transaction() as session:
            row = record_image(session, account, image, key, upload.facts, now=now)
        if row.id != image:  # the same picture came in twice at once, and the other was first
            with suppress(TryLater):  # an orphan in the store does no harm
                self.store.delete(key)
        return row, row.id == image

    def accept_job(self, account: UUID, wanted: JobRequest, *, now: datetime) -> UUID:
        """Record the job and tell the queue; NotFound if the account has no such image."""
        with self.ledger.transaction() as session:
            image = find_image(session, account, wanted.image_id)
            job = record_job(session, account, image, wanted, keep_for=self.keep_jobs_for, now=now)
        log.info("job_enqueued", job=job, palettes=len(wanted.palettes), priority=wanted.priority)
        try:
            self.delivery.deliver_job(job, most=self.enqueue_inline, within=TELL_QUEUE_WITHIN)
        except TryLater as error:
            log.warning("job accepted while the queue is away", job=job, reason=str(error))
        except Exception:  # a bug of ours: whoever gets a 500 would submit the job once more
            log.exception("job accepted, but its delivery broke", job=job)
        return job

    def accept_job_with(
        self, account: UUID, wanted: JobRequest, upload: Upload, *, now: datetime
    ) -> UUID:
        """Accept the picture, then the job that wants it."""
        image, _ = self.accept_image(account, upload, now=now)
        return self.accept_job(account, replace(wanted, image_id=image.id), now=now)

    def _is_stored(self, key: str) -> bool:
        try:
            self.store.stat(key)
        except NotFound:
            return False
        return True

    def _store(self, key: str, upload: Upload) -> None:
        upload.file.seek(0)
        self.store.put(
            key,
            upload.file,
            size=upload.facts.bytes,
            sha256=upload.facts.sha256,
            media_type=f"image/{upload.facts.format}",
        )
