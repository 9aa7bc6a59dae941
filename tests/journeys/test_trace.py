"""One trace from a POST through outbox and queue to the upload; and every line carries it."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter
from typing import Any

import pytest
import requests

from colorway.client import Client
from demo.machine import Machine
from tests.collector import Collector, Span, collecting
from tests.journeys.conftest import IMPATIENT
from tests.journeys.travel import TWO, a_photo, eventually, finished

TRACE = "0af7651916cd43dd8448eb211c80319c"
SPAN = "b7ad6b7169203331"
GRACE_S = 8  # from SIGTERM to SIGKILL
SERVICES = {"dispatcher": "dispatcher", "palette_worker": "worker"}  # and their logs

POST = "POST /v1/jobs"
HAND_OVER = "hand over task"
RENDER = "POST /internal/tasks/render"

# who does what, and as a part of what
STEPS = {
    ("dispatcher", "store source", POST),
    ("dispatcher", "record job", POST),
    ("dispatcher", HAND_OVER, POST),
    ("palette_worker", RENDER, HAND_OVER),
    ("palette_worker", "claim", RENDER),
    ("palette_worker", "fetch", RENDER),
    ("palette_worker", "read source", "fetch"),
    ("palette_worker", "decode", "fetch"),
    ("palette_worker", "render", RENDER),
    ("palette_worker", "hash", "render"),
    ("palette_worker", "upload", RENDER),
    ("palette_worker", "finish", RENDER),
}


@pytest.fixture
def collector() -> Iterator[Collector]:
    with collecting() as collector:
        yield collector


@pytest.fixture
def traced(collector: Collector, tmp_path: Path) -> Iterator[Machine]:
    """A machine that exports traces, every so often and when its processes end."""
    settings = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.endpoint, "OTEL_BSP_SCHEDULE_DELAY": "100"}
    machine = Machine(tmp_path / "data", settings=IMPATIENT | settings)
    with machine.running():
        yield machine


def test_one_trace_from_the_request_to_the_upload(
    traced: Machine, collector: Collector, tmp_path: Path
) -> None:
    with Client(traced.dispatcher_url, traced.api_key) as client:
        job = finished(client, client.submit(a_photo(tmp_path), TWO))
    spans = _whole_trace(collector)

    root = _of(spans, POST)[0]
    named = {span.span_id: span.name for span in spans}
    assert root.parent_id == ""
    assert {
        (span.service, span.name, named[span.parent_id]) for span in spans if span is not root
    } == STEPS
    assert len(_of(spans, HAND_OVER)) == len(_of(spans, RENDER)) == len(TWO)
    for span in spans:
        assert root.began <= span.began <= span.ended
    for service in SERVICES:
        lines = [line for line in _lines(traced, service) if line.get("job") == job.id]
        assert {line["logging.googleapis.com/trace"] for line in lines} == {root.trace_id}


def test_a_task_delivered_late_is_part_of_its_jobs_trace(
    traced: Machine, collector: Collector, tmp_path: Path
) -> None:
    traced.queue.kill()
    with Client(traced.dispatcher_url, traced.api_key) as client:
        job = client.submit(a_photo(tmp_path), TWO)
        traced.queue.start()
        traced.queue.wait_until_ready()
        finished(client, job)
    spans = _whole_trace(collector)

    root = _of(spans, POST)[0]
    rendered = _of(spans, RENDER)
    named = {span.span_id: span for span in spans}
    assert all(named[span.parent_id].name == HAND_OVER for span in rendered)
    assert all(named[named[span.parent_id].parent_id] == root for span in rendered)
    assert all(named[span.parent_id].began > root.ended for span in rendered)


def test_no_span_is_lost_where_a_worker_is_stopped(collector: Collector, tmp_path: Path) -> None:
    never = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.endpoint, "OTEL_BSP_SCHEDULE_DELAY": "600000"}
    machine = Machine(tmp_path / "data", settings=IMPATIENT | never)
    with machine.running(), Client(machine.dispatcher_url, machine.api_key) as client:
        finished(client, client.submit(a_photo(tmp_path), TWO))
        assert collector.spans == []

    trace = _trace(collector)
    assert {span.name for span in trace} == {name for _, name, _ in STEPS} | {POST}


def test_a_collector_that_never_answers_delays_nobody(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        endpoint = f"http://127.0.0.1:{silent.getsockname()[1]}"
        settings = {"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint, "OTEL_BSP_SCHEDULE_DELAY": "1"}
        machine = Machine(tmp_path / "data", settings=IMPATIENT | settings)

        with machine.running(), Client(machine.dispatcher_url, machine.api_key) as client:
            done = finished(client, client.submit(a_photo(tmp_path), TWO))
            stopping = perf_counter()
        stopped_in = perf_counter() - stopping

    assert done.status == "completed"
    assert stopped_in < GRACE_S


@pytest.mark.parametrize(
    "headers",
    [
        {"traceparent": f"00-{TRACE}-{SPAN}-01"},
        {"X-Cloud-Trace-Context": f"{TRACE}/{int(SPAN, 16)};o=1"},
    ],
)
def test_the_callers_trace_is_in_every_line_where_nothing_is_exported(
    headers: dict[str, str], tmp_path: Path
) -> None:
    settings = IMPATIENT | {"GOOGLE_CLOUD_PROJECT": "a-project"}
    machine = Machine(tmp_path / "data", settings=settings)

    with machine.running(), Client(machine.dispatcher_url, machine.api_key) as client:
        traced = _submit(machine, a_photo(tmp_path), headers)
        untraced = _submit(machine, a_photo(tmp_path, width=100), {})
        for job in (traced, untraced):
            client.wait(job)

    for service in SERVICES:
        lines = _lines(machine, service)
        told = [line for line in lines if line.get("job") == traced]
        assert told
        for line in told:
            assert line["logging.googleapis.com/trace"] == f"projects/a-project/traces/{TRACE}"
            assert line["logging.googleapis.com/spanId"] == SPAN
            assert line["logging.googleapis.com/trace_sampled"] is True
        for line in lines:
            assert line.get("job") != untraced or "logging.googleapis.com/trace" not in line


def _submit(machine: Machine, photo: Path, headers: dict[str, str]) -> str:
    palettes = [{"name": palette.name, "colors": palette.colors} for palette in TWO]
    answer = requests.post(
        f"{machine.dispatcher_url}/v1/jobs",
        files={"image": photo.read_bytes(), "job": (None, json.dumps({"palettes": palettes}))},
        headers={"Authorization": f"Bearer {machine.api_key}"} | headers,
        timeout=20,
    )
    return str(answer.json()["id"])


def _whole_trace(collector: Collector) -> list[Span]:
    """Return the trace of the one job, once its last spans have arrived."""
    return eventually(lambda: _trace(collector), lambda spans: len(_of(spans, RENDER)) == len(TWO))


def _trace(collector: Collector) -> list[Span]:
    traces = {span.trace_id for span in collector.spans if span.name == POST}
    return [span for span in collector.spans if span.trace_id in traces]


def _of(spans: list[Span], name: str) -> list[Span]:
    return [span for span in spans if span.name == name]


def _lines(machine: Machine, service: str) -> list[dict[str, Any]]:
    log = machine.logs / f"{SERVICES[service]}.log"
    return [json.loads(line) for line in log.read_text().splitlines()]
