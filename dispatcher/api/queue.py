"""/v1/queue: how the queue does, for whoever runs the service."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Literal

from flask import Blueprint, Response, request
from pydantic import Field

from colorway.ledger.connection import Ledger
from colorway.ledger.queue_stats import QueueStats, queue_stats
from dispatcher.api.authentication import caller_of
from dispatcher.api.bodies import Body, Count
from dispatcher.api.calls import json_answer, refuse_unknown_parameters, utc_now


class DepthBody(Body):
    """Pending colorways by priority: each has a queue of its own."""

    high: Count
    normal: Count
    low: Count


class QueueStatsBody(Body):
    """The queue at one instant, all accounts together."""

    object: Literal["queue_stats"] = "queue_stats"
    at: datetime
    depth: DepthBody
    processing: Count
    stalled: Count = Field(description="those of `processing` whose worker is gone")
    oldest_pending_seconds: float | None = Field(
        description="since the pending colorway that waits longest was ordered or reopened; null"
        " where none waits"
    )
    completed_per_minute: float = Field(
        description="over the last five minutes, without those that were `cached`"
    )
    failed_last_hour: Count
    undelivered: Count = Field(description="tasks that the queue has not been told yet")
    drift: int | None = Field(
        description="jobs whose counters were wrong at `reconciled_at`: it must be 0; null before"
        " the first reconciliation"
    )
    reconciled_at: datetime | None


def queue_routes(ledger: Ledger, *, clock: Callable[[], datetime] = utc_now) -> Blueprint:
    """Return the routes of the queue."""
    routes = Blueprint("queue", __name__, url_prefix="/v1/queue")

    @routes.get("/stats")
    def stats() -> Response:
        caller_of(ledger, request, "admin")
        refuse_unknown_parameters()
        now = clock()
        with ledger.reading() as session:
            found = queue_stats(session, now=now)
        return json_answer(_body(found, now=now))

    return routes


def _body(found: QueueStats, *, now: datetime) -> QueueStatsBody:
    waits = found.oldest_pending
    return QueueStatsBody(
        at=now,
        depth=DepthBody(**found.depth),
        processing=found.processing,
        stalled=found.stalled,
        oldest_pending_seconds=None if waits is None else round(waits.total_seconds(), 1),
        completed_per_minute=found.completed_per_minute,
        failed_last_hour=found.failed_last_hour,
        undelivered=found.undelivered,
        drift=found.drift,
        reconciled_at=found.reconciled_at,
    )
