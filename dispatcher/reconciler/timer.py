"""Reconciles by a timer, in runs that have no scheduler."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import structlog

from colorway.errors import TryLater
from dispatcher.reconciler.call import Reconciler

log = structlog.get_logger()


def reconcile_every(
    interval: timedelta, reconciler: Reconciler, stopping: threading.Event
) -> threading.Thread:
    """Reconcile again and again until `stopping`."""

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
