"""Accepts a job: the source is fetched and stored, then one transaction records all or nothing.

Once it has committed, the job is accepted, whatever happens to the queue: the outbox remembers.
A submission under a key reserves it before all this, and that transaction ties the key to its job.
A retry is accepted likewise: both add to what an account has pending, and are held to its quota.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

import structlog
from uuid_utils.compat import uuid7

from colorway.errors import Conflict, TryLater
from colorway.image_keys import source_key
from colorway.image_store import ImageStore, is_stored
from colorway.job import JobRequest
from colorway.ledger.commands import retry_job
from colorway.ledger.connection import Ledger
from colorway.ledger.idempotency import Reservation, complete, release, request_sha256, reserve
from colorway.ledger.images import find_image_to_use, image_with, record_image
from colorway.ledger.quotas import Quotas, require_space, room_of, room_to_fill
from colorway.ledger.submission import record_job
from colorway.ledger.tables import Record
from dispatcher.delivery import Delivery
from dispatcher.remote_image import RemoteImages
from dispatcher.spool import Upload

log = structlog.get_logger()

SUBMIT = "POST /v1/jobs"
"""The route under which a submission's key is kept."""

TELL_QUEUE_WITHIN = timedelta(seconds=1)
"""A client waits no longer than this for a queue that is away; then the reconciler delivers."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """The job that a submission made, or that an equal one before it has made."""

    job: UUID
    is_replay: bool


@dataclass(frozen=True, slots=True)
class Intake:
    """What accepting needs: where to put pictures, where to record jobs, who tells the queue.

    `quotas` are those of accounts that have none of their own.
    """

    ledger: Ledger
    store: ImageStore
    delivery: Delivery
    keep_jobs_for: timedelta
    enqueue_inline: int
    remote_images: RemoteImages
    quotas: Quotas

    def accept_image(self, account: UUID, upload: Upload, *, now: datetime) -> tuple[Record, bool]:
        """Store and record a source; return its row, and whether it is new.

        Raises TooMany if a new one is beyond what the account may store.
        """
        with self.ledger.reading() as session:
            known = image_with(session, account, upload.facts.sha256)
            if known is None:
                require_space(session, account, self.quotas, more=upload.facts.bytes)
        if known is not None:
            if not is_stored(self.store, known.key):
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

    def accept_job(
        self,
        account: UUID,
        wanted: JobRequest,
        upload: Upload | None = None,
        *,
        key: str | None = None,
        now: datetime,
    ) -> Accepted:
        """Accept the job, with its picture where that came along or has a URL, and tell the queue.

        Under a key, only the first of equal requests does so, and the others are answered with its
        job. Raises NotFound if the account has no such image, TooMany if it is beyond a quota, and
        what `reserve` and `received` raise.
        """
        if key is None:
            return Accepted(self._make_job(account, wanted, upload, None, now=now), is_replay=False)
        sha256 = request_sha256(wanted, uploaded=upload.facts.sha256 if upload else None)
        once = Reservation(account, SUBMIT, key, sha256)
        with self.ledger.transaction() as session:
            earlier = reserve(session, once, now=now)
        if earlier is not None:
            log.info("job_replayed", job=earlier)
            return Accepted(earlier, is_replay=True)
        try:
            job = self._make_job(account, wanted, upload, once, now=now)
        except Exception:
            self._release(once)
            raise
        return Accepted(job, is_replay=False)

    def received(
        self, wanted: JobRequest, upload: Upload | None
    ) -> AbstractContextManager[Upload | None]:
        """Return the picture that came along, or the one at the URL; None where it is an image.

        Entering raises what `RemoteImages.picture_at` does.
        """
        if wanted.image_url is None:
            return nullcontext(upload)
        return self.remote_images.picture_at(wanted.image_url)

    def retry_job(
        self, account: UUID, job: UUID, keys: Sequence[str] | None, *, now: datetime
    ) -> None:
        """Reopen what failed or was cancelled, all of it or under these keys, and tell the queue.

        Raises Conflict if there is nothing of that, TooMany if it is beyond the account's quota,
        and what the ledger's `retry_job` raises.
        """
        with self.ledger.transaction() as session:
            room = room_to_fill(session, account, self.quotas)
            reopened = retry_job(session, account, job, keys, now=now)
            if reopened == 0:
                raise Conflict(
                    "nothing of this has failed or was cancelled", code="nothing-to-retry"
                )
            room.require(reopened)
        log.info("job_retried", job=job, colorways=reopened)
        self._tell_queue(job)

    def _tell_queue(self, job: UUID) -> None:
        """Deliver what the ledger has just recorded; what fails here is logged and comes later."""
        try:
            self.delivery.deliver_job(job, most=self.enqueue_inline, within=TELL_QUEUE_WITHIN)
        except TryLater as error:
            log.warning("job accepted while the queue is away", job=job, reason=str(error))
        except Exception:  # a bug of ours: whoever gets a 500 would submit the job once more
            log.exception("job accepted, but its delivery broke", job=job)

    def _make_job(
        self,
        account: UUID,
        wanted: JobRequest,
        upload: Upload | None,
        once: Reservation | None,
        *,
        now: datetime,
    ) -> UUID:
        colorways = len(wanted.palettes)
        if upload is not None or wanted.image_url is not None:
            with self.ledger.reading() as session:  # before a picture is fetched, or stored
                room_of(session, account, self.quotas).require(colorways)
                require_space(session, account, self.quotas, more=0)
        with self.received(wanted, upload) as picture:
            if picture is not None:
                stored, _ = self.accept_image(account, picture, now=now)
                wanted = replace(wanted, image_id=stored.id)
        with self.ledger.transaction() as session:
            room_to_fill(session, account, self.quotas).require(colorways)
            require_space(session, account, self.quotas, more=0)
            image = find_image_to_use(session, account, wanted.image_id)
            job = record_job(session, account, image, wanted, keep_for=self.keep_jobs_for, now=now)
            if once is not None:
                complete(session, once, job)
        log.info("job_enqueued", job=job, palettes=colorways, priority=wanted.priority)
        self._tell_queue(job)
        return job

    def _release(self, once: Reservation) -> None:
        try:
            with self.ledger.transaction() as session:
                release(session, once)
        except Exception as error:  # what came before is what the caller must learn of
            log.warning("a reservation stays until it expires", reason=str(error))

    def _store(self, key: str, upload: Upload) -> None:
        upload.file.seek(0)
        self.store.put(
            key,
            upload.file,
            size=upload.facts.bytes,
            sha256=upload.facts.sha256,
            media_type=f"image/{upload.facts.format}",
        )
