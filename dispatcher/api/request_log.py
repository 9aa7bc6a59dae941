"""Every request gets an id, one log line and one count; every answer carries the id."""

from __future__ import annotations

import re

from flask import Flask, Response, g, request
from uuid_utils.compat import uuid7

from colorway.telemetry.metrics import RequestMetrics
from colorway.telemetry.requests import Answering

_OURS = re.compile(r"[A-Za-z0-9_.-]{1,64}")


def log_requests(app: Flask, metrics: RequestMetrics) -> None:
    """Log and count what this app answers, each in a span of its caller's trace."""

    @app.before_request
    def begin() -> None:
        given = request.headers.get("X-Request-Id", "")
        g.request_id = given if _OURS.fullmatch(given) else str(uuid7())
        route = request.url_rule.rule if request.url_rule else None
        g.answering = Answering(
            metrics, request.method, route, request.headers, request_id=g.request_id
        )

    @app.after_request
    def end(response: Response) -> Response:
        response.headers["X-Request-Id"] = g.request_id
        waited = "Preference-Applied" in response.headers  # as long as its caller wished
        g.answering.end(response.status_code, code=g.get("problem"), waited=waited)
        return response
