"""Health and metrics, and the calls that queue and scheduler make."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, datetime
from uuid import UUID

from flask import Blueprint, Response, jsonify, request

from colorway.errors import Malformed
from colorway.ledger.connection import Ledger
from colorway.ledger.queue_stats import queue_stats
from colorway.oidc import CallerCheck
from colorway.telemetry.metrics import RequestMetrics, ledger_facts
from dispatcher.api.authentication import caller_of
from dispatcher.api.bodies import HealthBody, ReadyBody
from dispatcher.api.calls import json_answer
from dispatcher.cleanup import Cleanup
from dispatcher.delivery import CHUNK, Delivery
from dispatcher.reconciler import Reconciler


def upkeep_routes(
    ledger: Ledger,
    delivery: Delivery,
    reconciler: Reconciler,
    cleanup: Cleanup,
    callers: CallerCheck,
    metrics: RequestMetrics,
) -> Blueprint:
    """Return the routes that people do not call."""
    routes = Blueprint("upkeep", __name__)

    @routes.get("/health")
    def health() -> Response:
        return json_answer(HealthBody())

    @routes.get("/ready")
    def ready() -> Response:
        ledger.check()  # the queue may be away: jobs are accepted all the same
        return json_answer(ReadyBody())

    @routes.get("/metrics")
    def show_metrics() -> Response:
        caller_of(ledger, request, "admin")
        with ledger.reading() as session:  # facts of the ledger, and not of this process
            stats = queue_stats(session, now=datetime.now(UTC))
        facts = ledger_facts(stats.depth, stats.oldest_pending, stats.drift)
        return Response(metrics.exposition(facts), content_type=metrics.media_type)

    @routes.post("/internal/deliver")
    def deliver() -> Response:
        callers.require_caller(request.headers.get("Authorization"))
        delivery.deliver_job(_job_named(request.get_data()), most=CHUNK)
        return jsonify(status="delivered")

    @routes.post("/internal/reconcile")
    def reconcile() -> Response:
        callers.require_caller(request.headers.get("Authorization"))
        return jsonify(asdict(reconciler.reconcile(now=datetime.now(UTC))))

    @routes.post("/internal/cleanup")
    def clean_up() -> Response:
        callers.require_caller(request.headers.get("Authorization"))
        return jsonify(asdict(cleanup.clean_up(now=datetime.now(UTC))))

    return routes


def _job_named(body: bytes) -> UUID:
    try:
        return UUID(json.loads(body)["job"])
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise Malformed(f"not a delivery task: {error}") from error
