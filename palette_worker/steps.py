"""The steps of one attempt: fetch, render, store, finish; and the bench they are done at.

Before each step, whenever it has waited for its turn, before it asks a store in trouble again, and
with every piece of an upload, an attempt asks whether it may go on: its lease may be lost, its time
used up, or the worker asked to stop.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from io import BytesIO
from time import perf_counter
from traceback import clear_frames
from typing import TypeVar

import structlog
from sqlalchemy.orm import Session
from structlog.contextvars import bound_contextvars

from colorway.errors import LeaseLost, TryLater
from colorway.image_keys import rendition_key, thumbnail_key
from colorway.image_store import ImageStore
from colorway.job import JobEnd
from colorway.ledger import lease
from colorway.ledger.connection import Ledger
from colorway.ledger.images import note_frames, note_hashes
from colorway.ledger.lease import Timings
from colorway.ledger.orders import Order
from colorway.ledger.renditions import StoredRendition, record_rendition
from colorway.perceptual_hashes import PerceptualHashes
from colorway.telemetry.metrics import RenderMetrics
from colorway.telemetry.traces import span
from palette_worker.heartbeat import Heartbeat, Held
from palette_worker.patience import MustStop, patiently
from palette_worker.rendering import Rendition, Source, render
from palette_worker.slots import RenderSlots, Slot
from palette_worker.source_image import SourceImages

log = structlog.get_logger()

T = TypeVar("T")

_STORE_AWAY = "store-unavailable"
_TOO_SLOW = "too-slow"


@dataclass(frozen=True, slots=True)
class Bench:
    """What an attempt works with."""

    ledger: Ledger
    store: ImageStore
    sources: SourceImages
    slots: RenderSlots
    renders: threading.Semaphore
    uploads: threading.Semaphore
    heartbeat: Heartbeat
    metrics: RenderMetrics
    draining: threading.Event
    pause: Callable[[float], None]  # between two tries; ends at once when draining begins
    lease_for: timedelta
    time_budget: timedelta
    slot_wait: timedelta
    now: Callable[[], datetime]

    def write(self, work: Callable[[Session], T]) -> T:
        """Do the work in one transaction, and again while the ledger is in trouble for a moment.

        After TryLater it may be committed all the same: the answer may be what got lost. So the
        work must be one that the fence stops from being done twice.
        """

        def once() -> T:
            with self.ledger.transaction() as session:
                return work(session)

        return patiently(self.pause)(once)


class Steps:
    """The steps of one attempt, each of which first asks whether it may go on, and its times."""

    def __init__(self, held: Held, order: Order, slot: Slot, bench: Bench, began: datetime) -> None:
        self._held = held
        self._order = order
        self._slot = slot
        self._bench = bench
        self._began = began
        self._frames = 1
        self._hashes: PerceptualHashes | None = None
        self._fetch_s = 0.0
        self._render_s = 0.0
        self._encode_s = 0.0
        self._upload_s = 0.0

    @span("fetch")
    def fetch(self) -> Source:
        """Return the decoded source.

        Where several wait for one reading and the store is in trouble, all are told, and each asks
        again for itself: nobody waits for another that sleeps, or that has to stop meanwhile.
        """
        self._may_go_on()
        sources, wanted = self._bench.sources, self._order.source
        began = perf_counter()
        try:
            source = self._ask_store(lambda: sources.fetch(wanted, within_s=self._seconds_left()))
        except TimeoutError as error:
            raise TryLater("the source was not decoded in time", code=_TOO_SLOW) from error
        self._fetch_s = perf_counter() - began
        self._frames = source.frames
        return source

    @span("render")
    def render(self, source: Source) -> Rendition:
        order = self._order
        with self._turn(self._bench.renders):
            rendition = render(source, order.palette, order.render, order.output)
            if not order.source.is_hashed:
                self._hashes = _hashes_of(source)
        self._slot.keep_only(len(rendition.body) + len(rendition.thumbnail))
        self._render_s, self._encode_s = rendition.render_seconds, rendition.encode_seconds
        seconds = self._render_s + self._encode_s
        log.info("picture rendered", seconds=seconds)
        self._bench.metrics.render.observe(seconds)
        return rendition

    @span("upload")
    def store(self, rendition: Rendition) -> StoredRendition:
        """Store picture and thumbnail; leave neither behind if that goes wrong.

        Whatever it has taken counts as the upload's duration, but for waiting for its turn.
        """
        order, claim = self._order, self._held.claim
        key = rendition_key(
            order.account, order.fingerprint, claim.colorway, claim.fence, rendition.format
        )
        stored = StoredRendition(
            key=key,
            sha256=hashlib.sha256(rendition.body).hexdigest(),
            bytes=len(rendition.body),
            format=rendition.format,
            width=rendition.width,
            height=rendition.height,
        )
        with self._turn(self._bench.uploads), bound_contextvars(step="upload_palette"):
            log.info("UPLOAD_START", phase="START", bytes=stored.bytes + len(rendition.thumbnail))
            began = perf_counter()
            try:
                self._put(key, rendition.body, stored.sha256, rendition.media_type)
                thumbnail = rendition.thumbnail
                digest = hashlib.sha256(thumbnail).hexdigest()
                self._put(thumbnail_key(key), thumbnail, digest, "image/webp")
            except BaseException as error:
                took = perf_counter() - began
                log.warning("UPLOAD_FAILED", phase="END", duration=took, reason=str(error))
                self._drop(key)
                raise
            self._upload_s = perf_counter() - began
            log.info("UPLOAD_COMPLETE", phase="END", duration=self._upload_s)
        self._bench.metrics.upload.observe(self._upload_s)
        return stored

    @span("finish")
    def finish(self, stored: StoredRendition) -> JobEnd | None:
        """Complete the colorway with the picture that counts: this one, or an equal earlier one.

        Only the fence is asked: with the picture stored, it is too late to give back.

        An object is dropped only where it is sure that the ledger does not name it. After any
        error but LeaseLost it is not: the answer to a commit may be what got lost. An orphan is
        harmless, a completed colorway without its picture is not. Nor is it sure after LeaseLost
        where this was tried before: it may be that try which has completed the colorway.
        """
        order, claim, now = self._order, self._held.claim, self._bench.now()
        tries = 0

        def complete(session: Session) -> tuple[str, JobEnd | None]:
            nonlocal tries
            tries += 1
            winner = record_rendition(session, order.account, order.fingerprint, stored, now=now)
            end = lease.finish(session, claim, winner.id, self._timings(), now=now)
            if order.source.frames is None:
                note_frames(session, order.source.image, self._frames)
            if self._hashes is not None:
                note_hashes(session, order.source.image, self._hashes)
            return winner.key, end

        try:
            winner, end = self._bench.write(complete)
        except LeaseLost:
            if tries == 1:
                self._drop(stored.key)
            raise
        if winner != stored.key:
            self._drop(stored.key)
        return end

    def _timings(self) -> Timings:
        return Timings(
            queued_ms=_ms((self._began - self._order.opened_at).total_seconds()),
            fetch_ms=_ms(self._fetch_s),
            render_ms=_ms(self._render_s),
            encode_ms=_ms(self._encode_s),
            upload_ms=_ms(self._upload_s),
        )

    def _put(self, key: str, body: bytes, sha256: str, media_type: str) -> None:
        self._ask_store(
            lambda: self._bench.store.put(
                key,
                _Pieces(body, self._may_go_on),
                size=len(body),
                sha256=sha256,
                media_type=media_type,
            )
        )

    def _drop(self, key: str) -> None:
        try:
            self._bench.store.delete(key)
            self._bench.store.delete(thumbnail_key(key))
        except Exception as error:  # what ended or completed the attempt is the news, not this
            log.warning("object not dropped", object=key, reason=str(error))  # swept up later

    def _ask_store(self, ask: Callable[[], T]) -> T:
        """Ask the store; again while it is in trouble for a moment and the attempt may go on."""

        def once() -> T:
            try:
                return ask()
            except MustStop:
                raise
            except TryLater as error:
                wait_s = error.retry_after
                raise TryLater(str(error), retry_after=wait_s, code=_STORE_AWAY) from error

        def pause(seconds: float) -> None:
            self._bench.pause(seconds)
            self._may_go_on()

        try:
            return patiently(pause)(once)
        except BaseException as error:
            # tenacity's frames and the error know each other: a cycle that would keep the picture
            clear_frames(error.__traceback__)
            raise

    @contextmanager
    def _turn(self, semaphore: threading.Semaphore) -> Iterator[None]:
        self._may_go_on()
        if not semaphore.acquire(timeout=self._seconds_left()):
            raise MustStop("the attempt waited for its turn until its time was up", code=_TOO_SLOW)
        try:
            self._may_go_on()
            yield
        finally:
            semaphore.release()

    def _may_go_on(self) -> None:
        """Raise LeaseLost or MustStop where the attempt must stop."""
        self._held.check()
        check_draining(self._bench)
        if not self._seconds_left():
            raise MustStop("the attempt has used up its time", code=_TOO_SLOW)

    def _seconds_left(self) -> float:
        left = self._held.renew_until - self._bench.now()
        return max(0, left.total_seconds())


class _Pieces(BytesIO):
    """The body of an upload, which breaks off where the attempt must stop."""

    def __init__(self, body: bytes, may_go_on: Callable[[], None]) -> None:
        super().__init__(body)
        self._may_go_on = may_go_on

    def read(self, size: int | None = -1, /) -> bytes:
        """See BytesIO.read; raise what `may_go_on` raises."""
        self._may_go_on()
        return super().read(size)


def check_draining(bench: Bench) -> None:
    """Raise MustStop once this worker has been asked to stop."""
    if bench.draining.is_set():
        raise MustStop("this worker is stopping", retry_after=1, code="worker-stopped")


@span("hash")
def _hashes_of(source: Source) -> PerceptualHashes | None:
    """Return what the source looks like; None where another attempt is about it, or that broke."""
    try:
        return source.hashes()
    except Exception:  # a hint is worth no colorway; the next one tries again
        log.exception("source not hashed")
        return None


def _ms(seconds: float) -> int:
    return round(seconds * 1000)
