"""One attempt at one colorway: slot → claim → fetch → render → store → finish.

Where an equal picture is there by now, none of this is needed.

No transaction is open while bytes move, and no two attempts share a key: whatever happens to this
one, nothing it wrote can be taken for another's.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from datetime import datetime
from enum import Enum
from time import perf_counter
from typing import Any

import structlog
from structlog.contextvars import bound_contextvars

from colorway.errors import Hopeless, LeaseLost, TryLater
from colorway.ledger import lease
from colorway.ledger.lapse import Lapse
from colorway.ledger.lease import Claim
from colorway.ledger.orders import Order, order_of
from colorway.ledger.reuse import reuse
from colorway.lifecycle import Status
from colorway.render_task import RenderTask
from colorway.telemetry.traces import span
from palette_worker.counts import count_end, count_given_back
from palette_worker.heartbeat import Debt
from palette_worker.slots import Slot, weight_of
from palette_worker.steps import Bench, Steps, check_draining

log = structlog.get_logger()

_SHARE_TO_WAIT = 0.75  # of the time budget; the rest is for rendering and a slow upload


class Outcome(Enum):
    """What became of a task; all but HELD are decided and the queue may forget it."""

    COMPLETED = "completed"
    FAILED = "failed"
    OVER = "over"
    HELD = "held"


class Broken(Exception):
    """A bug of ours has ended an attempt; its cause says which."""


def attempt(task: RenderTask, bench: Bench) -> Outcome:
    """Do what the task asks, if there is anything to do.

    A colorway that may kill its worker is rendered with nobody beside it.

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
    check_draining(bench)
    with bench.ledger.reading() as session:
        order = order_of(session, task)
    if order is None or order.status.is_final:
        return Outcome.OVER
    if order.is_leased(now=bench.now()):
        return Outcome.HELD
    if order.has_picture and _reuse(task, order, bench):
        return Outcome.COMPLETED
    until = bench.now() + bench.time_budget  # what it waits for room is taken off its time
    with (
        bound_contextvars(job=str(order.job), colorway=str(task.colorway), key=order.key),
        _room_for(order, bench) as slot,
    ):
        check_draining(bench)
        # a power cut that takes a claim takes its holder, too: SQLite is on the worker's machine
        with span("claim"), bench.ledger.noting() as session:
            claimed = lease.claim(session, task, now=bench.now(), lease_for=bench.lease_for)
        if isinstance(claimed, Claim):
            return _carry_out(claimed, order, slot, bench, until=until)
        return _why_not(task, claimed, bench)


def _reuse(task: RenderTask, order: Order, bench: Bench) -> bool:
    """Whether it is completed with a picture that was finished since it was ordered."""
    with bench.ledger.transaction() as session:
        reused = reuse(session, order.account, task, order.fingerprint, now=bench.now())
    if reused is None:  # the picture was just forgotten, or another took the colorway
        return False
    log.info("picture reused", job=str(order.job), colorway=str(task.colorway), key=order.key)
    bench.metrics.reuse_hits.inc()
    count_end(bench.metrics, Status.COMPLETED, reused.job_end)
    return True


def _room_for(order: Order, bench: Bench) -> AbstractContextManager[Slot]:
    """Wait for the room that this order takes: all there is, if it must be alone.

    Then everybody here must come to an end first, and that may be slow uploads, one after another:
    it waits for most of its time. As nobody overtakes, it does get its turn; who comes later is
    put off meanwhile, or waits until it has rendered.
    """
    if order.alone:
        return bench.slots.hold_all(wait_for=bench.time_budget * _SHARE_TO_WAIT)
    return bench.slots.hold(weight_of(order), wait_for=bench.slot_wait)


def _carry_out(claim: Claim, order: Order, slot: Slot, bench: Bench, *, until: datetime) -> Outcome:
    which = {"attempt": claim.attempt, "alone": claim.alone}
    log.info("attempt begins", step="process_palette", phase="START", **which)
    began, ended = perf_counter(), "given back"
    try:
        outcome = _process(claim, order, slot, bench, until=until)
        ended = outcome.value
    finally:
        took = perf_counter() - began
        log.info("attempt ends", step="process_palette", phase="END", outcome=ended, seconds=took)
    return outcome


def _process(claim: Claim, order: Order, slot: Slot, bench: Bench, *, until: datetime) -> Outcome:
    began = bench.now()
    try:
        if claim.alone and not order.alone:  # it lost a worker since we looked
            raise TryLater("this worker has others at work beside it", retry_after=1)
        with bench.heartbeat.keeping(claim, renew_until=until) as held:
            steps = Steps(held, order, slot, bench, began)
            # nested, so that no step's pictures outlive it
            end = steps.finish(steps.store(steps.render(steps.fetch())))
    except LeaseLost as error:
        return _stop(error, bench)
    except Hopeless as error:
        return _fail(claim, error, bench)
    except TryLater as error:
        _give_back(claim, _error(error.code, str(error), None, claim), bench, counts=False)
        raise
    except Exception:  # a bug of ours: it counts as a try, and another attempt must be possible
        facts = _error("internal", "the attempt broke on our side", None, claim)
        _give_back(claim, facts, bench, counts=True)
        raise
    count_end(bench.metrics, Status.COMPLETED, end)
    return Outcome.COMPLETED


def _why_not(task: RenderTask, lapse: Lapse | None, bench: Bench) -> Outcome:
    """Return why nothing was claimed: it is over, or another attempt was quicker."""
    if lapse is not None:
        count_end(bench.metrics, lapse.status, lapse.job_end)
        return Outcome.OVER
    with bench.ledger.reading() as session:
        order = order_of(session, task)
    return Outcome.OVER if order is None or order.status.is_final else Outcome.HELD


def _stop(error: LeaseLost, bench: Bench) -> Outcome:
    """Return that it is over: whoever has taken the colorway sees to it."""
    log.warning("lease lost", reason=str(error))
    check_draining(bench)  # then it was we who gave it back, and the task must come again
    return Outcome.OVER


def _fail(claim: Claim, error: Hopeless, bench: Bench) -> Outcome:
    facts = _error(error.code, str(error), error.phase, claim)
    try:
        end = bench.write(lambda session: lease.fail(session, claim, facts, now=bench.now()))
    except LeaseLost as lost:
        return _stop(lost, bench)
    except TryLater:
        bench.heartbeat.owe(Debt(claim, facts, counts=False))  # the next attempt finds it out again
        raise
    log.warning("colorway failed", **facts)
    count_end(bench.metrics, Status.FAILED, end)
    return Outcome.FAILED


def _give_back(claim: Claim, facts: dict[str, Any], bench: Bench, *, counts: bool) -> None:
    try:
        end = bench.write(
            lambda session: lease.give_back(session, claim, facts, counts=counts, now=bench.now())
        )
    except LeaseLost as error:  # taken over already
        log.warning("not given back", reason=str(error))
        return
    except TryLater as error:
        log.warning("not given back yet", reason=str(error))
        bench.heartbeat.owe(Debt(claim, facts, counts))
        return
    log.warning("given back", **facts)
    count_given_back(bench.metrics, claim, end, counts=counts)


def _error(code: str, detail: str, phase: str | None, claim: Claim) -> dict[str, Any]:
    return {"code": code, "detail": detail, "phase": phase, "attempt": claim.attempt}
