"""One attempt at one colorway: slot → claim → fetch → render → store → finish.

No transaction is open while bytes move, and no two attempts share a key: whatever happens to this
one, nothing it wrote can be taken for another's.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
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
from colorway.lifecycle import Status, is_last_try
from colorway.render_task import RenderTask
from colorway.telemetry.metrics import RenderMetrics
from palette_worker.heartbeat import Heartbeat, Held
from palette_worker.rendering import Rendition, Source, render
from palette_worker.slots import RenderSlots, Slot, weight_of
from palette_worker.source_image import SourceImages

log = structlog.get_logger()


class Outcome(Enum):
    """What became of a task; all but HELD are decided and the queue may forget it."""

    COMPLETED = "completed"
    FAILED = "failed"
    OVER = "over"
    HELD = "held"


class Broken(Exception):
    """A bug of ours has ended an attempt; its cause says which."""


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
    stopping), and Broken for a bug of ours; the colorway has been given back then.
    """
    ended = "broken"
    try:
        outcome = _attempt(task, bench)
        ended = outcome.value
    except TryLater:
        ended = "put off"
        raise
    except Exception as error:  # a Refused too: nobody here could change the request
        raise Broken(f"the attempt at colorway {task.colorway} broke") from error
    finally:
        bench.metrics.attempts.labels(ended).inc()
    return outcome


def _attempt(task: RenderTask, bench: Bench) -> Outcome:
    _check_draining(bench)
    with bench.ledger.reading() as session:
        order = order_of(session, task)
    if order is None or order.status.is_final:
        return Outcome.OVER
    if order.is_leased(now=bench.now()):
        return Outcome.HELD
    with (
        bound_contextvars(job=str(order.job), colorway=str(task.colorway), key=order.key),
        bench.slots.hold(weight_of(order), wait_for=bench.slot_wait) as slot,
    ):
        _check_draining(bench)
        with bench.ledger.transaction() as session:
            claimed = lease.claim(session, task, now=bench.now(), lease_for=bench.lease_for)
        if isinstance(claimed, Claim):
            return _carry_out(claimed, order, slot, bench)
        return _why_not(task, claimed, bench)


def _carry_out(claim: Claim, order: Order, slot: Slot, bench: Bench) -> Outcome:
    began = bench.now()
    try:
        log.info("attempt begins", step="process_palette", phase="START", attempt=claim.attempt)
        with bench.heartbeat.keeping(claim, renew_until=began + bench.time_budget) as held:
            steps = _Steps(held, order, slot, bench, began)
            # nested, so that no step's pictures outlive it
            end = steps.finish(steps.store(steps.render(steps.fetch())))
    except LeaseLost as error:
        return _stop(error, bench)
    except Hopeless as error:
        return _fail(claim, error, bench)
    except TryLater as error:
        _give_back(claim, _error("unavailable", str(error), None, claim), bench, counts=False)
        raise
    except Exception:  # a bug of ours: it counts as a try, and another attempt must be possible
        facts = _error("internal", "the attempt broke on our side", None, claim)
        _give_back(claim, facts, bench, counts=True)
        raise
    took = (bench.now() - began).total_seconds()
    log.info("attempt ends", step="process_palette", phase="END", seconds=took)
    _count(bench, Status.COMPLETED, end)
    return Outcome.COMPLETED


class _Steps:
    """The steps of one attempt, each of which first asks whether it may go on, and its times."""

    def __init__(self, held: Held, order: Order, slot: Slot, bench: Bench, began: datetime) -> None:
        self._held = held
        self._order = order
        self._slot = slot
        self._bench = bench
        self._began = began
        self._frames = 1
        self._fetch_s = 0.0
        self._render_s = 0.0
        self._encode_s = 0.0
        self._upload_s = 0.0

    def fetch(self) -> Source:
        left = self._may_go_on()
        began = perf_counter()
        try:
            source = self._bench.sources.fetch(self._order.source, within_s=left)
        except TimeoutError as error:
            raise TryLater("the source was not decoded in time") from error
        self._fetch_s = perf_counter() - began
        self._frames = source.frames
        return source

    def render(self, source: Source) -> Rendition:
        order = self._order
        with self._turn(self._bench.renders):
            rendition = render(source, order.palette, order.render, order.output)
        self._slot.keep_only(len(rendition.body) + len(rendition.thumbnail))
        self._render_s, self._encode_s = rendition.render_seconds, rendition.encode_seconds
        self._bench.metrics.render.observe(self._render_s + self._encode_s)
        return rendition

    def store(self, rendition: Rendition) -> StoredRendition:
        """Store picture and thumbnail; leave neither behind if that goes wrong."""
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
        with self._turn(self._bench.uploads):
            log.info("UPLOAD_START", step="upload_palette", phase="START", bytes=stored.bytes)
            began = perf_counter()
            try:
                self._put(key, rendition.body, stored.sha256, rendition.media_type)
                thumbnail = rendition.thumbnail
                digest = hashlib.sha256(thumbnail).hexdigest()
                self._put(thumbnail_key(key), thumbnail, digest, "image/webp")
            except BaseException:
                self._drop(key)
                raise
            self._upload_s = perf_counter() - began
        log.info("UPLOAD_COMPLETE", step="upload_palette", phase="END", duration=self._upload_s)
        self._bench.metrics.upload.observe(self._upload_s)
        return stored

    def finish(self, stored: StoredRendition) -> JobEnd | None:
        """Complete the colorway with the picture that counts: this one, or an equal earlier one.

        Only the fence is asked: with the picture stored, it is too late to give back.

        An object is dropped only where it is sure that the ledger does not name it. After any
        error but LeaseLost it is not: the answer to a commit may be what got lost. An orphan is
        harmless, a completed colorway without its picture is not.
        """
        order, claim, now = self._order, self._held.claim, self._bench.now()
        try:
            with self._bench.ledger.transaction() as session:
                winner = record_rendition(
                    session, order.account, order.fingerprint, stored, now=now
                )
                end = lease.finish(session, claim, winner.id, self._timings(), now=now)
                if order.source.frames is None:
                    note_frames(session, order.source.image, self._frames)
        except LeaseLost:
            self._drop(stored.key)
            raise
        if winner.key != stored.key:
            self._drop(stored.key)
        return end

    def _timings(self) -> Timings:
        return Timings(
            queued_ms=_ms((self._began - self._order.ordered_at).total_seconds()),
            fetch_ms=_ms(self._fetch_s),
            render_ms=_ms(self._render_s),
            encode_ms=_ms(self._encode_s),
            upload_ms=_ms(self._upload_s),
        )

    def _put(self, key: str, body: bytes, sha256: str, media_type: str) -> None:
        self._bench.store.put(
            key, BytesIO(body), size=len(body), sha256=sha256, media_type=media_type
        )

    def _drop(self, key: str) -> None:
        try:
            self._bench.store.delete(key)
            self._bench.store.delete(thumbnail_key(key))
        except Exception as error:  # what ended or completed the attempt is the news, not this
            log.warning("object not dropped", object=key, reason=str(error))  # swept up later

    @contextmanager
    def _turn(self, semaphore: threading.Semaphore) -> Iterator[None]:
        if not semaphore.acquire(timeout=self._may_go_on()):
            raise TryLater("the attempt waited for its turn until its time was up")
        try:
            self._may_go_on()
            yield
        finally:
            semaphore.release()

    def _may_go_on(self) -> float:
        """Return the seconds left; LeaseLost or TryLater where the attempt must stop."""
        self._held.check()
        _check_draining(self._bench)
        left = self._began + self._bench.time_budget - self._bench.now()
        if left <= timedelta(0):
            raise TryLater("the attempt has used up its time")
        return left.total_seconds()


def _why_not(task: RenderTask, lapse: Lapse | None, bench: Bench) -> Outcome:
    """Return why nothing was claimed: it is over, or another attempt was quicker."""
    if lapse is not None:
        _count(bench, lapse.status, lapse.job_end)
        return Outcome.OVER
    with bench.ledger.reading() as session:
        order = order_of(session, task)
    return Outcome.OVER if order is None or order.status.is_final else Outcome.HELD


def _stop(error: LeaseLost, bench: Bench) -> Outcome:
    """Return that it is over: whoever has taken the colorway sees to it."""
    log.warning("lease lost", reason=str(error))
    _check_draining(bench)  # then it was we who gave it back, and the task must come again
    return Outcome.OVER


def _fail(claim: Claim, error: Hopeless, bench: Bench) -> Outcome:
    facts = _error(error.code, str(error), error.phase, claim)
    try:
        with bench.ledger.transaction() as session:
            end = lease.fail(session, claim, facts, now=bench.now())
    except LeaseLost as lost:
        return _stop(lost, bench)
    log.warning("colorway failed", **facts)
    _count(bench, Status.FAILED, end)
    return Outcome.FAILED


def _give_back(claim: Claim, facts: dict[str, Any], bench: Bench, *, counts: bool) -> None:
    try:
        with bench.ledger.transaction() as session:
            end = lease.give_back(session, claim, facts, counts=counts, now=bench.now())
    except (LeaseLost, TryLater) as error:  # taken over already, or left to its lease
        log.warning("not given back", reason=str(error))
        return
    log.warning("given back", **facts)
    if counts and is_last_try(claim.tries + 1):
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


def _check_draining(bench: Bench) -> None:
    if bench.draining.is_set():
        raise TryLater("this worker is stopping", retry_after=1)


def _error(code: str, detail: str, phase: str | None, claim: Claim) -> dict[str, Any]:
    return {"code": code, "detail": detail, "phase": phase, "attempt": claim.attempt}


def _ms(seconds: float) -> int:
    return round(seconds * 1000)
