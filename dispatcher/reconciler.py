"""Finds what got lost on the way and sends it again.

Idempotent, bounded per call, and safe to run twice at once: each repair is one guarded write.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import structlog

from colorway.errors import TryLater
from colorway.ledger import lease, outbox
from colorway.ledger.connection import Ledger
from colorway.telemetry.metrics import RequestMetrics
from dispatcher.delivery import Delivery
from dispatcher.task_queue import TaskQueue

log = structlog.get_logger()

MOST_PER_CALL = 500
MOST_ASKED_PER_CALL = 200
"""One question to the real queue takes some 20 ms."""


@dataclass(frozen=True, slots=True)
class Repairs:
    """What one call had to mend; all zero on a good day."""

    expired_leases: int
    lost_tasks: int
    silent_outbox: int


@dataclass(frozen=True, slots=True)
class Reconciler:
    """What reconciling needs, and how long to be patient."""

    ledger: Ledger
    queue: TaskQueue
    delivery: Delivery
    metrics: RequestMetrics
    outbox_silent_for: timedelta
    task_unseen_for: timedelta

    def reconcile(self, *, now: datetime) -> Repairs:
        """Mend what is found, once; TryLater, after all else is done, where something is away."""
        duties = {
            "expired_leases": self._take_back_expired,
            "lost_tasks": self._replace_lost_tasks,  # what these two nudge anew,
            "silent_outbox": self._deliver_silent,  # this delivers at once
        }
        counts = dict.fromkeys(duties, 0)
        trouble: TryLater | None = None
        for kind, duty in duties.items():
            try:
                counts[kind] = duty(now)
            except TryLater as error:
                trouble = trouble or error
            if counts[kind]:
                self.metrics.repairs.labels(kind).inc(counts[kind])
                log.warning("reconciled", kind=kind, count=counts[kind])
        if trouble is not None:
            raise trouble
        return Repairs(**counts)

    def _take_back_expired(self, now: datetime) -> int:
        with self.ledger.reading() as session:
            expired = lease.expired(session, now=now, most=MOST_PER_CALL)
        count = 0
        for colorway in expired:
            with self.ledger.transaction() as session:
                lapse = lease.take_back(session, colorway, now=now)
            if lapse is None:
                continue  # renewed or finished since we looked
            count += 1
            log.warning("lease expired", colorway=colorway, job=lapse.job, status=lapse.status)
            if lapse.job_end is not None:
                log.info(
                    "job_finished",
                    job=lapse.job,
                    status=lapse.job_end.progress.status,
                    overall_seconds=lapse.job_end.overall.total_seconds(),
                )
        return count

    def _replace_lost_tasks(self, now: datetime) -> int:
        with self.ledger.reading() as session:
            waiting = outbox.waiting(
                session, before=now - self.task_unseen_for, most=MOST_ASKED_PER_CALL
            )
        count = 0
        for nudge in waiting:
            known = self.queue.knows(nudge)
            with self.ledger.transaction() as session:
                if known:
                    outbox.seen(session, nudge, now=now)
                else:
                    count += outbox.replace_lost(session, nudge, now=now)
        return count

    def _deliver_silent(self, now: datetime) -> int:
        before = now - self.outbox_silent_for
        return self.delivery.deliver_silent(before=before, most=MOST_PER_CALL)


def reconcile_every(
    interval: timedelta, reconciler: Reconciler, stopping: threading.Event
) -> threading.Thread:
    """Reconcile by a timer until `stopping`; for runs that have no scheduler."""

    def run() -> None:
        while not stopping.wait(interval.total_seconds()):
            try:
                reconciler.reconcile(now=datetime.now(UTC))
            except TryLater as error:
                log.warning("reconciler must wait", reason=str(error))
            except Exception:
                log.exception("reconciler failed")  # a bug; the next round may still do its work

    thread = threading.Thread(target=run, name="reconciler", daemon=True)
    thread.start()
    return thread
