"""Spans: what was done for whom and how long it took, in one trace from POST to upload.

They are exported by OTLP where the environment names an endpoint. Elsewhere, which is the default,
OpenTelemetry is not even imported, and a span only says where its parent stands, so that log lines
and tasks carry the trace of whoever called. A collector that is slow or away loses spans, and
disturbs nobody.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from colorway.telemetry.trace_context import TraceContext

if TYPE_CHECKING:
    from opentelemetry.trace import Span

    from colorway.telemetry.otlp import Exporter

Kind = Literal["INTERNAL", "SERVER", "PRODUCER"]
Fact = str | int

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")

_place: ContextVar[TraceContext | None] = ContextVar("trace", default=None)
_exporter: Exporter | None = None  # of this process, as the log's configuration is


@dataclass(frozen=True, slots=True)
class Step:
    """A span under way: its place in its trace, or the caller's where spans are not exported."""

    place: TraceContext | None
    _span: Span | None = None

    def note(self, facts: Mapping[str, Fact]) -> None:
        """Add to what the span tells."""
        if self._span is not None:
            self._span.set_attributes(facts)

    def fail(self) -> None:
        """Mark it as failed, as an exception that leaves it does by itself."""
        if self._span is not None:
            from opentelemetry.trace import StatusCode  # noqa: PLC0415 - only where it is known

            self._span.set_status(StatusCode.ERROR)


def configure_traces(service: str) -> None:
    """Export the spans of this process if the environment names an endpoint; call it after fork."""
    global _exporter  # noqa: PLW0603 - one for each process
    if not any(os.environ.get(name) for name in _ENDPOINTS):
        return
    if os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return
    from colorway.telemetry.otlp import Exporter  # noqa: PLC0415 - it takes a third of a second

    _exporter = Exporter(service)


def flush_traces(*, within_s: float = 1) -> None:
    """Send what waits to be sent; give up after this time."""
    if _exporter is not None:
        _exporter.flush(within_s=within_s)


def stop_traces(*, within_s: float = 3) -> None:
    """Send what waits to be sent, and nothing after it; give up after this time."""
    if _exporter is not None:
        _exporter.stop(within_s=within_s)


@contextmanager
def span(
    name: str, *, parent: TraceContext | None = None, kind: Kind = "INTERNAL"
) -> Iterator[Step]:
    """Keep a span open while the block runs, or the function that this decorates.

    It belongs to the span around it, unless it is given a parent from elsewhere. What a server is
    asked belongs to its caller or to nobody.
    """
    if parent is None and kind != "SERVER":
        parent = _place.get()
    if _exporter is None:
        with _being_at(parent):
            yield Step(parent)
    else:
        with _exporter.span(name, parent, kind) as (place, started), _being_at(place):
            yield Step(place, started)


def current_place() -> TraceContext | None:
    """Return the span that this thread is in, or its caller's."""
    return _place.get()


@contextmanager
def _being_at(place: TraceContext | None) -> Iterator[None]:
    token = _place.set(place)
    try:
        yield
    finally:
        _place.reset(token)
