"""A task in, a status code out. The queue retries on anything but a 2xx.

204 decided · 409 another attempt holds the lease · 503 shared trouble, slow down · 500 a bug ·
401 and 403 not one of our callers
"""

from __future__ import annotations

import structlog
from flask import Blueprint, Flask, Response, jsonify, request
from werkzeug.exceptions import HTTPException

from colorway.errors import Refused, TryLater
from colorway.oidc import CallerCheck
from colorway.render_task import RenderTask
from palette_worker.attempt import Outcome, attempt
from palette_worker.steps import Bench

log = structlog.get_logger()


def worker_routes(bench: Bench, callers: CallerCheck) -> Blueprint:
    """Return the worker's routes; all that tell or do anything want an OIDC token."""
    routes = Blueprint("worker", __name__)

    @routes.post("/internal/tasks/render")
    def render_one() -> Response:
        callers.require_caller(request.headers.get("Authorization"))
        outcome = attempt(RenderTask.from_json(request.get_data()), bench)
        return Response(status=409 if outcome is Outcome.HELD else 204)

    @routes.get("/metrics")
    def show_metrics() -> Response:
        callers.require_caller(request.headers.get("Authorization"))
        return Response(bench.metrics.exposition(), content_type=bench.metrics.media_type)

    @routes.get("/health")
    def health() -> Response:
        return jsonify(status="ok")

    @routes.get("/ready")
    def ready() -> Response:
        bench.ledger.check()
        return jsonify(status="ready")

    return routes


def show_errors(app: Flask) -> None:
    """Answer every error of this app as the queue should understand it."""

    @app.errorhandler(Refused)
    def refused(error: Refused) -> tuple[Response, int]:
        log.warning("caller refused", code=error.code, reason=error.detail)
        return jsonify(code=error.code, detail=error.detail), error.status

    @app.errorhandler(TryLater)
    def try_later(error: TryLater) -> tuple[Response, int, dict[str, str]]:
        cause = repr(error.__cause__)
        log.warning("task put off", code=error.code, reason=str(error), cause=cause)
        answer = jsonify(code="unavailable", detail=str(error))
        return answer, 503, {"Retry-After": str(error.retry_after)}

    @app.errorhandler(HTTPException)
    def http(error: HTTPException) -> tuple[Response, int]:
        return jsonify(code="http", detail=error.description), error.code or 500

    @app.errorhandler(Exception)
    def broken(error: Exception) -> tuple[Response, int]:
        log.error("task broke", exc_info=error)
        return jsonify(code="internal", detail="this is our fault"), 500
