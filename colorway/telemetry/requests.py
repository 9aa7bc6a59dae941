"""One request to a service: a span of its caller's trace, one log line and one count.

It knows no web framework; each service tells it when a request begins and ends.
"""

from __future__ import annotations

from contextlib import ExitStack
from http import HTTPStatus
from time import perf_counter

import structlog
from structlog.contextvars import bind_contextvars, clear_contextvars

from colorway.telemetry.metrics import Metrics
from colorway.telemetry.trace_context import Headers, TraceContext
from colorway.telemetry.traces import span

log = structlog.get_logger()

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_UNTRACED = frozenset({"/health", "/ready", "/metrics"})  # asked every few seconds, for ever


class Answering:
    """A request that is being answered by this thread."""

    def __init__(
        self,
        metrics: Metrics,
        method: str,
        route: str | None,
        headers: Headers,
        **facts: str,
    ) -> None:
        """Begin; these facts stand in every line until the end."""
        self._began = perf_counter()
        self._metrics = metrics
        # callers may invent methods, and each would be a time series of its own
        self._method = method if method in _METHODS else "other"
        self._route = route or "unknown"
        clear_contextvars()
        bind_contextvars(**facts)
        self._until_end = ExitStack()
        self._span = None
        if route not in _UNTRACED:
            name, parent = f"{self._method} {self._route}", TraceContext.of_request(headers)
            self._span = self._until_end.enter_context(span(name, parent=parent, kind="SERVER"))

    def end(self, status: int, *, code: str | None = None, waited: bool = False) -> None:
        """Log and count the answer.

        `code` tells why it is a refusal, `waited` that its caller wished to wait for it.
        """
        seconds = perf_counter() - self._began
        self._metrics.requests.labels(self._route, self._method, status).observe(seconds)
        refused = {} if code is None else {"code": code}
        log.info(
            "request answered",
            method=self._method,
            route=self._route,
            status=status,
            seconds=round(seconds, 4),
            waited=waited,
            **refused,
        )
        if self._span is not None:
            self._span.note(
                {
                    "http.request.method": self._method,
                    "http.route": self._route,
                    "http.response.status_code": status,
                }
            )
            if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
                self._span.fail()
        self._until_end.close()
