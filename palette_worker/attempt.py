"""One attempt at one colorway: slot → claim → fetch → render → store → finish.

No transaction is open while bytes move, and no two attempts share a key: whatever happens to this
one, nothing it wrote can be taken for another's.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from io import BytesIO
from time import perf_counter
from typing import Any

import structlog
from structlog.contextvars import bound_contextvars

from colorway.errors import Hopeless, LeaseLost, TryLater
from colorway.image_keys import rendition_key, thumbnail_key
from colorway.image_store import ImageStore
from colorway.ledger import lease
from colorway.ledger.connection import Ledger
from colorway.ledger.images import note_frames
from colorway.ledger.lease import Claim, Lapse, Timings
from colorway.ledger.orders import Order, order_of
from colorway.ledger.progress import JobEnd
from colorway.ledger.renditions import StoredRendition, record_rendition
from colorway.lifecycle import Status
from colorway.render_task import RenderTask
from colorway.telemetry.metrics import RenderMetrics
from palette_worker.heartbeat import Heartbeat, Held
from palette_worker.rendering import Rendition, Source, render
from palette_worker.slots import RenderSlots
from palette_worker.source_image import SourceImages

log = structlog.get_logger()


class Outcome(Enum):
    """What became of a task; all but HELD are decided and the queue may forget it."""

    COMPLETED = "completed"
    FAILED = "failed"
    OVER = "over"
    HELD = "held"


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
    lease_for: timedelta
    time_budget: timedelta
    slot_wait: timedelta
    now: Callable[[], datetime]


def attempt(task: RenderTask, bench: Bench) -> Outcome:
    """Do what the task asks, if there is anything to do.

    Raises TryLater where nothing is wrong with the colorway (no room, store or ledger away,
    stopping), and lets bugs through; the colorway has been given back then.
    """
    with bench.ledger.reading() as session:
        order = order_of(session, task)
    if order is None or order.status.is_final:
        return Outcome.OVER
    with (
        bound_contextvars(job=str(order.job), colorway=str(task.colorway), key=order.key),
        bench.slots.hold(_weight(order), wait_for=bench.slot_wait),
    ):
        _check_draining(bench)
        with bench.ledger.transaction() as session:
            claimed = lease.claim(session, task, now=bench.now(), lease_for=bench.lease_for)
        if isinstance(claimed, Claim):
            outcome = _carry_out(claimed, order, bench)
        else:
            outcome = _why_not(task, claimed, bench)
    bench.metrics.attempts.labels(outcome.value).inc()
    return outcome


def _carry_out(claim: Claim, order: Order, bench: Bench) -> Outcome:
    began = bench.now()
    log.info("attempt begins", step="process_palette", phase="START", attempt=claim.attempt)
    try:
        with bench.heartbeat.keeping(claim, renew_until=began + bench.time_budget) as held:
            steps = _Steps(held, order, bench, began)
            source = steps.fetch()
            rendition = steps.render(source)
            end = steps.store_and_finish(source, rendition)
    except LeaseLost:
        log.warning("lease lost", attempt=claim.attempt)
        return Outcome.OVER
    except Hopeless as error:
        facts = _error(error.code, str(error), error.phase, claim)
        with bench.ledger.transaction() as session:
            end = lease.fail(session, claim, facts, now=bench.now())
        log.warning("colorway failed", **facts)
        _count(bench, Status.FAILED, end)
        return Outcome.FAILED
    except TryLater as error:
        _give_back(claim, _error("unavailable", str(error), None, claim), False, bench)
        raise
    except Exception:  # a bug of ours: it counts as a try, and another attempt must be possible
        log.exception("attempt broke", attempt=claim.attempt)
        facts = _error("internal", "the attempt broke on our side", None, claim)
        _give_back(claim, facts, True, bench)
        raise
    took = (bench.now() - began).total_seconds()
    log.info("attempt ends", step="process_palette", phase="END", seconds=took)
    _count(bench, Status.COMPLETED, end)
    return Outcome.COMPLETED


class _Steps:
    """The steps of one attempt, each of which first asks whether it may go on, and its times."""

    def __init__(self, held: Held, order: Order, bench: Bench, began: datetime) -> None:
        self._held = held
        self._order = order
        self._bench = bench
        self._began = began
        self._fetch_ms = 0

    def fetch(self) -> Source:
        left = self._may_go_on()
        began = perf_counter()
        try:
            source = self._bench.sources.fetch(self._order.source, within_s=left)
        except TimeoutError as error:
            raise TryLater("the source was not decoded in time") from error
        self._fetch_ms = _ms(perf_counter() - began)
        return source

    def render(self, source: Source) -> Rendition:
        self._may_go_on()
        with self._bench.renders:
            self._may_go_on()
            rendition = render(source, self._order.palette, self._order.render, self._order.output)
        self._bench.metrics.render.observe(rendition.render_seconds + rendition.encode_seconds)
        return rendition

    def store_and_finish(self, source: Source, rendition: Rendition) -> JobEnd | None:
        """Store picture and thumbnail, then finish; whatever goes wrong, leave nothing behind."""
        order, claim, bench = self._order, self._held.claim, self._bench
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
        is_wanted = False
        try:
            upload_ms = self._upload(stored, rendition)
            timings = Timings(
                queued_ms=_ms((self._began - order.ordered_at).total_seconds()),
                fetch_ms=self._fetch_ms,
                render_ms=_ms(rendition.render_seconds),
                encode_ms=_ms(rendition.encode_seconds),
                upload_ms=upload_ms,
            )
            now = bench.now()
            with bench.ledger.transaction() as session:
                winner = record_rendition(
                    session, order.account, order.fingerprint, stored, now=now
                )
                end = lease.finish(session, claim, winner.id, timings, now=now)
                if order.source.frames is None:
                    note_frames(session, order.source.image, source.frames)
            is_wanted = winner.key == key
        finally:
            if not is_wanted:
                self._drop(key)
        return end

    def _upload(self, stored: StoredRendition, rendition: Rendition) -> int:
        self._may_go_on()
        with self._bench.uploads:
            self._may_go_on()
            log.info("UPLOAD_START", step="upload_palette", phase="START", bytes=stored.bytes)
            began = perf_counter()
            self._put(stored.key, rendition.body, stored.sha256, rendition.media_type)
            thumbnail = rendition.thumbnail
            digest = hashlib.sha256(thumbnail).hexdigest()
            self._put(thumbnail_key(stored.key), thumbnail, digest, "image/webp")
            seconds = perf_counter() - began
        log.info("UPLOAD_COMPLETE", step="upload_palette", phase="END", duration=seconds)
        self._bench.metrics.upload.observe(seconds)
        self._may_go_on()
        return _ms(seconds)

    def _put(self, key: str, body: bytes, sha256: str, media_type: str) -> None:
        self._bench.store.put(
            key, BytesIO(body), size=len(body), sha256=sha256, media_type=media_type
        )

    def _drop(self, key: str) -> None:
        try:
            self._bench.store.delete(key)
            self._bench.store.delete(thumbnail_key(key))
        except TryLater as error:  # an orphan: unknown to the ledger, harmless, swept up later
            log.warning("object not dropped", object=key, reason=str(error))

    def _may_go_on(self) -> float:
        """Return the seconds left; LeaseLost or TryLater where the attempt must stop."""
        self._held.check()
        _check_draining(self._bench)
        left = self._began + self._bench.time_budget - self._bench.now()
        if left <= timedelta(0):
            raise TryLater("the attempt has used up its time")
        return left.total_seconds()


def _why_not(task: RenderTask, lapse: Lapse | None, bench: Bench) -> Outcome:
    """Return why nothing was claimed: it is over, or another attempt holds the lease."""
    if lapse is not None:
        _count(bench, lapse.status, lapse.job_end)
        return Outcome.OVER
    with bench.ledger.reading() as session:
        order = order_of(session, task)
    return Outcome.OVER if order is None or order.status.is_final else Outcome.HELD


def _give_back(claim: Claim, facts: dict[str, Any], counts: bool, bench: Bench) -> None:
    try:
        with bench.ledger.transaction() as session:
            end = lease.give_back(session, claim, facts, counts=counts, now=bench.now())
    except (LeaseLost, TryLater) as error:  # taken over already, or left to its lease
        log.warning("not given back", reason=str(error))
        return
    log.warning("given back", **facts)
    if end is not None:
        _count(bench, Status.FAILED, end)


def _count(bench: Bench, status: Status, end: JobEnd | None) -> None:
    bench.metrics.colorways.labels(status).inc()
    if end is not None:
        bench.metrics.jobs.labels(end.progress.status).inc()
        log.info(
            "job_finished",
            job=str(end.job),
            status=end.progress.status,
            overall_seconds=end.overall.total_seconds(),
        )


def _weight(order: Order) -> int:
    """Return the bytes an attempt may hold: source, result and a working copy, and the output."""
    pixels = order.source.width * order.source.height
    return 3 * 4 * pixels + 2 * pixels


def _check_draining(bench: Bench) -> None:
    if bench.draining.is_set():
        raise TryLater("this worker is stopping", retry_after=1)


def _error(code: str, detail: str, phase: str | None, claim: Claim) -> dict[str, Any]:
    return {"code": code, "detail": detail, "phase": phase, "attempt": claim.attempt}


def _ms(seconds: float) -> int:
    return round(seconds * 1000)
