"""Every request gets an id, one log line and one count; every answer carries the id."""

from __future__ import annotations

import re
from time import perf_counter

import structlog
from flask import Flask, Response, g, request
from structlog.contextvars import bind_contextvars, clear_contextvars
from uuid_utils.compat import uuid7

from colorway.telemetry.metrics import RequestMetrics

log = structlog.get_logger()

_OURS = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


def log_requests(app: Flask, metrics: RequestMetrics) -> None:
    """Log and count what this app answers."""

    @app.before_request
    def begin() -> None:
        given = request.headers.get("X-Request-Id", "")
        g.request_id = given if _OURS.fullmatch(given) else str(uuid7())
        g.began = perf_counter()
        clear_contextvars()
        bind_contextvars(request_id=g.request_id)

    @app.after_request
    def end(response: Response) -> Response:
        response.headers["X-Request-Id"] = g.request_id
        seconds = perf_counter() - g.began
        route = request.url_rule.rule if request.url_rule else "unknown"
        # callers may invent methods, and each would be a time series of its own
        method = request.method if request.method in _METHODS else "other"
        metrics.requests.labels(route, method, response.status_code).observe(seconds)
        refused = {"code": g.problem} if "problem" in g else {}
        log.info(
            "request answered",
            method=method,
            route=route,
            status=response.status_code,
            seconds=round(seconds, 4),
            waited="Preference-Applied" in response.headers,  # as the caller wished
            **refused,
        )
        return response
