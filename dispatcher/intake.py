"""Accepts a job: its source is stored, then one transaction records both, all or nothing.

Once it has committed, the job is accepted, whatever happens to the queue: the outbox remembers.
A submission under a key reserves it before all this, and that transaction ties the key to its job.
A retry is accepted likewise: both add to what an account has pending, and are held to its quota.

A source that was stored and not recorded, whatever came between, is an orphan: it does no harm.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Future, wait
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import structlog
from sqlalchemy.orm import Session
from uuid_utils.compat import uuid7

from colorway.errors import Conflict, NotFound, TryLater
from colorway.image_keys import source_key
from colorway.image_store import ImageStore, is_stored
from colorway.job import JobRequest
from colorway.ledger.commands import retry_job
from colorway.ledger.connection import Ledger
from colorway.ledger.idempotency import Reservation, complete, release, request_sha256, reserve
from colorway.ledger.images import (
    SourceFacts,
    find_image_to_use,
    image_with,
    record_image,
    want_image,
)
from colorway.ledger.quotas import Quotas, room_of, room_to_fill
from colorway.ledger.submission import RecordedJob, record_job
from colorway.ledger.tables import Record
from colorway.lifecycle import Status
from colorway.render_task import Nudge
from colorway.telemetry.metrics import RequestMetrics
from colorway.telemetry.traces import current_place, span
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
    """The job that a submission made, or that an equal one before it has made.

    `nudges` are what the queue is to be told of it.
    """

    job: UUID
    nudges: Sequence[Nudge]
    is_replay: bool


@dataclass(frozen=True, slots=True)
class _Stored:
    """A picture that lies in the store; its image is known already, or still to be recorded."""

    image: UUID
    key: str
    facts: SourceFacts
    is_known: bool

    def recorded(self, session: Session, account: UUID, *, now: datetime) -> Record:
        """Return its image's row such that this transaction may refer to it.

        That is another's where the same picture came in twice at once, and the other was first.
        Raises TryLater where it is just being deleted.
        """
        if not self.is_known:
            return record_image(session, account, self.image, self.key, self.facts, now=now)
        try:
            return find_image_to_use(session, account, self.image)
        except NotFound:
            raise TryLater("this image has just been deleted", retry_after=1) from None


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
    metrics: RequestMetrics

    def accept_image(self, account: UUID, upload: Upload, *, now: datetime) -> tuple[Record, bool]:
        """Store and record a source; return its row, and whether it is new.

        Raises TooMany if a new one is beyond what the account may store.
        """
        stored = self._store(account, upload, colorways=0)
        with self.ledger.transaction() as session:
            image = stored.recorded(session, account, now=now)
            if stored.is_known:
                want_image(session, image.id, now=now)
        self._drop_loser(stored, image)
        return image, image.id == stored.image and not stored.is_known

    def accept_job(
        self,
        account: UUID,
        wanted: JobRequest,
        upload: Upload | None = None,
        *,
        key: str | None = None,
        now: datetime,
    ) -> Accepted:
        """Accept the job, with its picture where that came along or has a URL.

        Under a key, only the first of equal requests does so, and the others are answered with its
        job. Raises NotFound if the account has no such image, TooMany if it is beyond a quota, and
        what `reserve` and `received` raise. Whoever calls sees to `telling_queue`.
        """
        if key is None:
            return self._make_job(account, wanted, upload, None, now=now)
        sha256 = request_sha256(wanted, uploaded=upload.facts.sha256 if upload else None)
        once = Reservation(account, SUBMIT, key, sha256)
        with self.ledger.transaction() as session:
            earlier = reserve(session, once, now=now)
        if earlier is not None:
            log.info("job_replayed", job=earlier)
            return Accepted(earlier, nudges=(), is_replay=True)
        try:
            return self._make_job(account, wanted, upload, once, now=now)
        except Exception:
            self._release(once)
            raise

    @contextmanager
    def telling_queue(self, accepted: Accepted) -> Iterator[None]:
        """Let the queue take the job's tasks while the body runs; what fails comes later."""
        with ExitStack() as at_the_end:
            with _job_stays_accepted(accepted.job):
                handover = self.delivery.begin(
                    accepted.job,
                    accepted.nudges,
                    most=self.enqueue_inline,
                    within=TELL_QUEUE_WITHIN,
                )
                at_the_end.callback(_see_through, accepted.job, handover)
            yield

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
        with _job_stays_accepted(job):
            self.delivery.deliver_job(job, most=self.enqueue_inline, within=TELL_QUEUE_WITHIN)

    def _make_job(
        self,
        account: UUID,
        wanted: JobRequest,
        upload: Upload | None,
        once: Reservation | None,
        *,
        now: datetime,
    ) -> Accepted:
        colorways = len(wanted.palettes)
        if wanted.image_url is not None:  # before it is fetched
            with self.ledger.reading() as session:
                self._require_room(session, account, colorways)
        with self.received(wanted, upload) as picture:
            stored = None if picture is None else self._store(account, picture, colorways=colorways)
        place = current_place()
        with span("record job"), self.ledger.transaction() as session:
            room = room_to_fill(session, account, self.quotas)
            if stored is None:
                image = find_image_to_use(session, account, wanted.image_id)
            else:
                image = stored.recorded(session, account, now=now)
            room.require_space(session)
            job = record_job(
                session,
                account,
                image,
                wanted,
                keep_for=self.keep_jobs_for,
                now=now,
                traceparent=None if place is None else place.traceparent,
            )
            room.require(len(job.nudges))
            if once is not None:
                complete(session, once, job.id)
        if stored is not None:
            self._drop_loser(stored, image)
        self._tell_log(job, wanted)
        return Accepted(job.id, job.nudges, is_replay=False)

    def _tell_log(self, job: RecordedJob, wanted: JobRequest) -> None:
        log.info(
            "job_enqueued",
            job=job.id,
            palettes=len(wanted.palettes),
            cached=job.cached,
            priority=wanted.priority,
        )
        self.metrics.reuse_hits.inc(job.cached)
        self.metrics.colorways.labels(Status.COMPLETED).inc(job.cached)
        if job.end is not None:
            self.metrics.job_ended(job.end)

    def _require_room(
        self, session: Session, account: UUID, colorways: int, *, more: int = 0
    ) -> None:
        """Raise TooMany unless there is room for these, and space for so many bytes more."""
        room = room_of(session, account, self.quotas)
        room.require(colorways)
        room.require_space(session, more=more)

    def _release(self, once: Reservation) -> None:
        try:
            with self.ledger.transaction() as session:
                release(session, once)
        except Exception as error:  # what came before is what the caller must learn of
            log.warning("a reservation stays until it expires", reason=str(error))

    @span("store source")
    def _store(self, account: UUID, upload: Upload, *, colorways: int) -> _Stored:
        """Store the picture, unless it is there, for a job of so many colorways.

        Raises TooMany for a new one, before it is stored, if it or they are beyond a quota.
        """
        facts = upload.facts
        with self.ledger.reading() as session:
            known = image_with(session, account, facts.sha256)
            if known is None:
                self._require_room(session, account, colorways, more=facts.bytes)
        if known is None:
            image = uuid7()
            stored = _Stored(image, source_key(account, facts.sha256, image), facts, False)
        else:
            stored = _Stored(known.id, known.key, facts, is_known=True)
            if is_stored(self.store, known.key):
                return stored
        upload.file.seek(0)
        self.store.put(
            stored.key,
            upload.file,
            size=facts.bytes,
            sha256=facts.sha256,
            media_type=f"image/{facts.format}",
        )
        return stored

    def _drop_loser(self, stored: _Stored, image: Record) -> None:
        if image.id != stored.image:
            with suppress(TryLater):
                self.store.delete(stored.key)


def _see_through(job: UUID, handover: Future[None]) -> None:
    """Wait for it; it has its time for the first tasks, and once more to ask for the others."""
    with _job_stays_accepted(job):
        if handover not in wait([handover], 2 * TELL_QUEUE_WITHIN.total_seconds()).done:
            raise TryLater("the task queue is slow")
        handover.result()


@contextmanager
def _job_stays_accepted(job: UUID) -> Iterator[None]:
    """Deliver what the ledger has just recorded; what fails here is logged and comes later."""
    try:
        yield
    except TryLater as error:
        log.warning("job accepted while the queue is away", job=job, reason=str(error))
    except Exception:  # a bug of ours: whoever gets a 500 would submit the job once more
        log.exception("job accepted, but its delivery broke", job=job)
