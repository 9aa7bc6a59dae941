"""Spans reach a collector by OTLP, as the standard variables say; and nobody waits for it."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from time import perf_counter
from uuid import UUID

import pytest
from structlog.contextvars import bound_contextvars

from colorway.telemetry.otlp import LAST_SPANS, Exporter
from colorway.telemetry.trace_context import TraceContext
from colorway.telemetry.traces import Step
from tests.collector import Collector, collecting

PARENT = TraceContext("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331", is_sampled=True)
JOB = UUID("01980000-0000-7000-8000-000000000002")
UNSAMPLED = TraceContext(PARENT.trace_id, PARENT.span_id, is_sampled=False)
ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"

Make = Callable[..., Exporter]


@pytest.fixture
def collector() -> Iterator[Collector]:
    with collecting() as collector:
        yield collector


@pytest.fixture
def exporter(collector: Collector, monkeypatch: pytest.MonkeyPatch) -> Iterator[Make]:
    """Make the exporter of a process with these variables; it sends nothing before it must."""
    made = []

    def make(**variables: str) -> Exporter:
        standard = {ENDPOINT: collector.endpoint, "OTEL_BSP_SCHEDULE_DELAY": "600000"}
        for name, value in (standard | variables).items():
            monkeypatch.setenv(name, value)
        made.append(Exporter("a service"))
        return made[-1]

    yield make
    for each in made:
        each.stop(within_s=5)


def test_a_span_tells_what_was_done_and_for_whom(exporter, collector):
    process = exporter()

    with (
        process.span("outer", PARENT, "SERVER") as (place, started),
        bound_contextvars(job=JOB),
        process.span("inner", place, "INTERNAL"),
    ):
        Step(place, started).note({"answer": 42})
    process.flush(within_s=5)

    inner, outer = collector.spans
    assert (inner.name, outer.name, outer.service) == ("inner", "outer", "a service")
    assert (outer.trace_id, outer.parent_id) == (PARENT.trace_id, PARENT.span_id)
    assert (inner.trace_id, inner.parent_id) == (PARENT.trace_id, outer.span_id)
    assert (place.trace_id, place.span_id) == (outer.trace_id, outer.span_id)
    assert (outer.facts, inner.facts) == ({"answer": 42}, {"job": str(JOB)})
    assert outer.began <= inner.began <= inner.ended <= outer.ended


def test_a_span_without_a_parent_begins_a_trace(exporter, collector):
    process = exporter()

    for name in ("one", "other"):
        with process.span(name, None, "INTERNAL"):
            pass
    process.flush(within_s=5)

    one, other = collector.spans
    assert one.trace_id != other.trace_id
    assert (one.parent_id, other.parent_id) == ("", "")


def test_a_span_that_breaks_says_so(exporter, collector):
    process = exporter()

    with (
        pytest.raises(RuntimeError),
        process.span("step", None, "INTERNAL"),
    ):
        raise RuntimeError("it broke")
    with process.span("request", None, "SERVER") as (place, started):
        Step(place, started).fail()
    with process.span("request", None, "SERVER"):
        pass
    process.flush(within_s=5)

    assert [span.is_error for span in collector.spans] == [True, True, False]


@pytest.mark.parametrize(
    ("sampler", "parent", "is_sent"),
    [
        (None, PARENT, True),
        (None, UNSAMPLED, False),  # as whoever called has decided
        ("always_on", UNSAMPLED, True),
        ("always_off", PARENT, False),
    ],
)
def test_the_standard_variables_say_what_is_sampled(exporter, collector, sampler, parent, is_sent):
    process = exporter(**{"OTEL_TRACES_SAMPLER": sampler} if sampler else {})

    with process.span("step", parent, "INTERNAL") as (place, _):
        pass
    process.stop(within_s=5)

    assert len(collector.spans) == is_sent
    assert (place.trace_id, place.is_sampled) == (parent.trace_id, is_sent)  # it is passed on


def test_what_waits_is_sent_when_the_process_stops(exporter, collector):
    process = exporter()
    with process.span("step", None, "INTERNAL"):
        pass

    process.stop(within_s=5)

    assert [span.name for span in collector.spans] == ["step"]


def test_a_collector_that_never_answers_is_not_waited_for(exporter):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        endpoint = f"http://127.0.0.1:{silent.getsockname()[1]}"
        process = exporter(**{ENDPOINT: endpoint, "OTEL_EXPORTER_OTLP_TIMEOUT": "0.3"})
        began = perf_counter()
        for _ in range(5000):  # more than may wait
            with process.span("step", None, "INTERNAL"):
                pass
        spent = perf_counter() - began
        began = perf_counter()
        process.flush(within_s=0.2)
        process.stop(within_s=0.2)
        stopped = perf_counter() - began
        for thread in threading.enumerate():
            if thread.name == LAST_SPANS:
                thread.join()

    assert spent < 5
    assert stopped < 2


@pytest.mark.parametrize(
    "variables",
    [
        {},
        {ENDPOINT: ""},
        {ENDPOINT: "http://127.0.0.1:9", "OTEL_SDK_DISABLED": "true"},
    ],
)
def test_where_nothing_is_exported_opentelemetry_is_not_even_imported(variables):
    code = """
import sys
from colorway.telemetry.traces import configure_traces, flush_traces, span, stop_traces
configure_traces("a service")
with span("step"):
    pass
flush_traces()
stop_traces()
sys.exit(any(name.partition(".")[0] == "opentelemetry" for name in sys.modules))
"""
    ran = subprocess.run([sys.executable, "-c", code], env=variables, check=False)  # noqa: S603

    assert ran.returncode == 0
