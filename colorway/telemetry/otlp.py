"""Spans by OpenTelemetry, sent by OTLP over HTTP; imported only where traces are exported.

The SDK reads the standard variables itself: endpoint, headers, sampler, sizes of batches.
https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/
Ended spans wait in memory for a thread that sends them, or are dropped where too many wait.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import NonRecordingSpan, Span, SpanContext, SpanKind, TraceFlags
from structlog.contextvars import get_contextvars

from colorway.telemetry.trace_context import TraceContext

LAST_SPANS = "last spans"
"""The name of threads that may outlive whoever waits for them."""


class Exporter:
    """Makes the spans of one process, and sends them; made after fork."""

    def __init__(self, service: str) -> None:
        resource = Resource.create(
            {"service.name": service, "service.instance.id": f"{os.uname().nodename}:{os.getpid()}"}
        )
        # its own exit handler would wait half a minute for a collector that is away
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        self._tracer = self._provider.get_tracer("colorway")

    @contextmanager
    def span(
        self, name: str, parent: TraceContext | None, kind: str
    ) -> Iterator[tuple[TraceContext, Span]]:
        """Keep a span open while the block runs; what the block raises is recorded on it.

        It tells the facts that stand in log lines, too: of which job and colorway.
        """
        facts = {fact: str(value) for fact, value in get_contextvars().items()}
        with self._tracer.start_as_current_span(
            name, context=_beneath(parent), kind=SpanKind[kind], attributes=facts
        ) as started:
            told = started.get_span_context()
            yield (
                TraceContext(
                    trace.format_trace_id(told.trace_id),
                    trace.format_span_id(told.span_id),
                    told.trace_flags.sampled,
                ),
                started,
            )

    def flush(self, *, within_s: float) -> None:
        """Send what waits, but give up after this time."""
        _bounded(self._provider.force_flush, within_s)

    def stop(self, *, within_s: float) -> None:
        """Send what waits, and nothing after it; give up after this time."""
        _bounded(self._provider.shutdown, within_s)


def _beneath(parent: TraceContext | None) -> Context:
    if parent is None:
        return Context()  # a new trace
    ids = int(parent.trace_id, 16), int(parent.span_id, 16)
    flags = TraceFlags(TraceFlags.SAMPLED if parent.is_sampled else TraceFlags.DEFAULT)
    remote = NonRecordingSpan(SpanContext(*ids, is_remote=True, trace_flags=flags))
    return trace.set_span_in_context(remote, Context())


def _bounded(work: Callable[[], object], within_s: float) -> None:
    """Do it in a thread, for the SDK's own calls take as long as they like."""
    thread = threading.Thread(target=work, name=LAST_SPANS, daemon=True)
    thread.start()
    thread.join(within_s)
