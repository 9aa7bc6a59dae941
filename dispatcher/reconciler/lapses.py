"""What attempts have left behind: expired leases, colorways never done, sources that kill."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from functools import partial

import structlog
from sqlalchemy.orm import Session

from colorway.ledger import lapse
from colorway.ledger.connection import Ledger
from colorway.ledger.lapse import Lapse
from colorway.lifecycle import Status
from colorway.telemetry.metrics import RequestMetrics

log = structlog.get_logger()

MOST = 500
"""Colorways that one call takes back, gives up or condemns, each."""

Write = Callable[[Session], Lapse | None]


def take_back_expired(ledger: Ledger, metrics: RequestMetrics, *, now: datetime) -> int:
    """Take back every lease that ran out; return how many."""
    with ledger.reading() as session:
        expired = lapse.expired(session, now=now, most=MOST)
    writes = (partial(lapse.take_back, colorway=colorway, now=now) for colorway in expired)
    return _written(ledger, metrics, "lease expired", writes)


def give_up(ledger: Ledger, metrics: RequestMetrics, *, before: datetime, now: datetime) -> int:
    """Fail whatever was opened before this and has not ended; return how many."""
    with ledger.reading() as session:
        late = lapse.open_for_too_long(session, before=before, most=MOST)
    writes = (partial(lapse.give_up, colorway=c, before=before, now=now) for c in late)
    return _written(ledger, metrics, "given up", writes)


def condemn_sources(ledger: Ledger, metrics: RequestMetrics, *, now: datetime) -> int:
    """Fail what is pending of sources that kill workers; return how many colorways."""
    with ledger.reading() as session:
        condemned = lapse.condemned(session, most=MOST)
    writes = (partial(lapse.condemn, task=task, now=now) for task in condemned)
    return _written(ledger, metrics, "source kills workers", writes)


def _written(ledger: Ledger, metrics: RequestMetrics, what: str, writes: Iterable[Write]) -> int:
    """Make these writes, each in a transaction of its own; return how many found their row."""
    count = 0
    for write in writes:
        with ledger.transaction() as session:
            lapsed = write(session)
        if lapsed is None:
            continue  # renewed, finished or taken since we looked
        count += 1
        log.warning(what, colorway=lapsed.colorway, job=lapsed.job, status=lapsed.status)
        if lapsed.status is Status.FAILED:
            metrics.colorways.labels(lapsed.status).inc()
        if lapsed.job_end is not None:
            metrics.job_ended(lapsed.job_end)
    return count
