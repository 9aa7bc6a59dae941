"""One call of the reconciler: every duty once, whatever becomes of the others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import structlog

from colorway.errors import TryLater
from colorway.image_store import ImageStore
from colorway.ledger.connection import Ledger
from colorway.telemetry.metrics import RequestMetrics
from dispatcher.delivery import Delivery
from dispatcher.reconciler import lapses, proofs, tasks
from dispatcher.settings import Settings
from dispatcher.task_queue import TaskQueue

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Repairs:
    """What one call had to mend; all zero on a good day."""

    expired_leases: int = 0
    given_up: int = 0
    condemned: int = 0
    wrong_counters: int = 0
    lost_pictures: int = 0
    lost_tasks: int = 0
    silent_outbox: int = 0


@dataclass(frozen=True, slots=True)
class Reconciler:
    """What reconciling needs; the settings say how long to be patient."""

    ledger: Ledger
    queue: TaskQueue
    delivery: Delivery
    store: ImageStore
    metrics: RequestMetrics
    settings: Settings

    def reconcile(self, *, now: datetime) -> Repairs:
        """Mend what is found, once; TryLater, after all else is done, where something is away."""
        patience = self.settings
        return self._do(
            {
                "expired_leases": lambda: lapses.take_back_expired(
                    self.ledger, self.metrics, now=now
                ),
                "given_up": lambda: lapses.give_up(
                    self.ledger, self.metrics, before=now - patience.give_up_after, now=now
                ),
                "condemned": lambda: lapses.condemn_sources(self.ledger, self.metrics, now=now),
                "wrong_counters": lambda: proofs.prove_counters(self.ledger, now=now),
                "lost_pictures": lambda: proofs.prove_pictures(
                    self.ledger,
                    self.store,
                    before=now - patience.picture_unseen_for,
                    most=patience.pictures_per_call,
                    now=now,
                ),
                "lost_tasks": lambda: tasks.replace_lost(
                    self.ledger, self.queue, before=now - patience.task_unseen_for, now=now
                ),
                # last, so that what the others have nudged anew is delivered at once
                "silent_outbox": lambda: tasks.deliver_silent(
                    self.delivery, before=now - patience.outbox_silent_for
                ),
            }
        )

    def prove_all(self, *, now: datetime) -> Repairs:
        """Prove every job's counters and every picture, however many; deliver what that reopens."""
        return self._do(
            {
                "wrong_counters": lambda: proofs.prove_all_counters(self.ledger, now=now),
                "lost_pictures": lambda: proofs.prove_all_pictures(
                    self.ledger, self.store, now=now
                ),
                "silent_outbox": lambda: tasks.deliver_silent(self.delivery, before=now),
            }
        )

    def _do(self, duties: dict[str, Callable[[], int]]) -> Repairs:
        counts = {}
        trouble: TryLater | None = None
        for kind, duty in duties.items():
            try:
                counts[kind] = duty()
            except TryLater as error:
                trouble = trouble or error
                continue
            if counts[kind]:
                self.metrics.repairs.labels(kind).inc(counts[kind])
                log.warning("reconciled", kind=kind, count=counts[kind])
        if trouble is not None:
            raise trouble
        return Repairs(**counts)
