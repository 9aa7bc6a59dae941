"""Calls upkeep by a timer, in runs that have no scheduler."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import structlog

from colorway.errors import TryLater

log = structlog.get_logger()


def call_every(
    interval: timedelta, name: str, work: Callable[[datetime], object], stopping: threading.Event
) -> threading.Thread:
    """Do this work again and again, with the time it is, until `stopping`."""

    def run() -> None:
        while not stopping.wait(interval.total_seconds()):
            try:
                work(datetime.now(UTC))
            except TryLater as error:
                log.warning("upkeep must wait", of=name, reason=str(error))
            except Exception:
                log.exception("upkeep failed", of=name)  # a bug; the next round may do its work

    thread = threading.Thread(target=run, name=name, daemon=True)
    thread.start()
    return thread
