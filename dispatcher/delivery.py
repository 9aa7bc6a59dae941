"""Hands the outbox to the task queue. After commit, never inside a transaction.

POST delivers a bounded number itself and asks the queue to call back for the rest, since a Cloud
Run instance gets no CPU after its response. What fails here stays in the outbox.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from datetime import datetime, timedelta
from uuid import UUID

import structlog

from colorway.errors import TryLater
from colorway.ledger import outbox
from colorway.ledger.connection import Ledger
from colorway.render_task import Nudge
from colorway.telemetry.metrics import RequestMetrics
from dispatcher.task_queue import TaskQueue

log = structlog.get_logger()

CHUNK = 200
"""Tasks that one call of the deliver route hands over: a few seconds at the real queue's pace."""

PATIENCE = timedelta(seconds=30)
"""How long one hand-over may take where nobody waits for it."""

_CALLS_AT_ONCE = 16


class Delivery:
    """The way from outbox to queue, with a bounded number of calls under way."""

    def __init__(self, ledger: Ledger, queue: TaskQueue, metrics: RequestMetrics) -> None:
        self._ledger = ledger
        self._queue = queue
        self._metrics = metrics
        self._calls = ThreadPoolExecutor(_CALLS_AT_ONCE, thread_name_prefix="delivery")
        # of their own: who waits for calls must not keep a thread that a call waits for
        self._handovers = ThreadPoolExecutor(_CALLS_AT_ONCE, thread_name_prefix="handover")

    def deliver_job(self, job: UUID, *, most: int, within: timedelta = PATIENCE) -> None:
        """Hand over up to `most` tasks of this job, and see to it that the rest will follow.

        Raises TryLater where the queue takes none, or not in time; what it is not known to have
        taken stays in the outbox.
        """
        with self._ledger.reading() as session:
            waiting = outbox.undelivered(session, job, most=most + 1)
        self.deliver(job, waiting, most=most, within=within)

    def deliver(
        self, job: UUID, waiting: Sequence[Nudge], *, most: int, within: timedelta = PATIENCE
    ) -> None:
        """Hand over up to `most` of these tasks of one job; raises as `deliver_job` does."""
        self._hand_over(waiting[:most], within=within)
        if len(waiting) > most:  # last, so that the call back finds in the outbox what is left
            first = waiting[most]
            asking = self._calls.submit(self._queue.put_delivery, job, first.priority, first=first)
            if asking not in wait([asking], within.total_seconds()).done:
                raise TryLater("the task queue is slow")
            asking.result()

    def begin(
        self, job: UUID, waiting: Sequence[Nudge], *, most: int, within: timedelta
    ) -> Future[None]:
        """Do what `deliver` does while the caller does something else."""
        return self._handovers.submit(self.deliver, job, waiting, most=most, within=within)

    def deliver_silent(self, *, before: datetime, most: int) -> int:
        """Hand over entries older than this, of any job; return how many the queue took."""
        with self._ledger.reading() as session:
            silent = outbox.silent(session, before=before, most=most)
        return self._hand_over(silent, within=PATIENCE)

    def close(self) -> None:
        """Let the calls under way end, and stop."""
        self._handovers.shutdown(cancel_futures=True)
        self._calls.shutdown(cancel_futures=True)

    def _hand_over(self, nudges: Sequence[Nudge], *, within: timedelta) -> int:
        calls = [self._calls.submit(self._taken, nudge) for nudge in nudges]
        done, late = wait(calls, within.total_seconds())
        for call in late:
            call.cancel()  # one that runs on is harmless: the same task is created only once
        told = [
            nudge
            for nudge, call in zip(nudges, calls, strict=True)
            if call in done and call.result()
        ]
        if told:
            with self._ledger.noting() as session:  # what is not forgotten is told once more
                outbox.told(session, told)
            self._metrics.delivered.inc(len(told))
        if len(told) < len(nudges):
            raise TryLater(f"the task queue took {len(told)} of {len(nudges)} tasks")
        return len(told)

    def _taken(self, nudge: Nudge) -> bool:
        try:
            self._queue.put(nudge)
        except TryLater as error:
            log.warning("task not delivered", colorway=nudge.task.colorway, reason=str(error))
            return False
        return True
