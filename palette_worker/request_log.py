"""Every request leaves one log line and one count, in a span of its caller's trace."""

from __future__ import annotations

from flask import Flask, Response, g, request

from colorway.telemetry.metrics import RenderMetrics
from colorway.telemetry.requests import Answering


def log_requests(app: Flask, metrics: RenderMetrics) -> None:
    """Log and count what this app answers."""

    @app.before_request
    def begin() -> None:
        route = request.url_rule.rule if request.url_rule else None
        g.answering = Answering(metrics, request.method, route, request.headers)

    @app.after_request
    def end(response: Response) -> Response:
        g.answering.end(response.status_code)
        return response
