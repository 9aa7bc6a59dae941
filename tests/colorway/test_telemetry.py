"""What operators see: lines that Cloud Logging reads, without secrets, and metrics."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from io import StringIO
from typing import Any
from uuid import UUID

import pytest
import structlog

from colorway.telemetry.logs import configure_logging
from colorway.telemetry.metrics import RenderMetrics, RequestMetrics

Lines = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> Iterator[Lines]:
    """Log as a service does, and return what it has written so far."""
    before, written = structlog.get_config(), StringIO()
    monkeypatch.setattr(sys, "stdout", written)
    configure_logging("dispatcher", "INFO")
    yield lambda: [json.loads(line) for line in written.getvalue().splitlines()]
    structlog.configure(**before)
    structlog.contextvars.clear_contextvars()


def test_a_line_is_a_sentence_plus_facts(lines):
    with structlog.contextvars.bound_contextvars(job=UUID(int=1)):
        structlog.get_logger().info("colorway completed", seconds=1.2)

    (line,) = lines()
    assert line["severity"] == "INFO"
    assert line["message"] == "colorway completed"
    assert line["logging.googleapis.com/labels"] == {"service": "dispatcher"}
    assert (line["job"], line["seconds"]) == (str(UUID(int=1)), 1.2)
    assert datetime.fromisoformat(line["time"]).tzinfo == UTC


@pytest.mark.parametrize(
    ("method", "severity"),
    [("info", "INFO"), ("warning", "WARNING"), ("error", "ERROR"), ("exception", "ERROR")],
)
def test_severities_are_those_of_cloud_logging(lines, method, severity):
    getattr(structlog.get_logger(), method)("said")

    assert [line["severity"] for line in lines()] == [severity]


def test_what_is_below_the_level_is_not_written(lines):
    structlog.get_logger().debug("too much")

    assert lines() == []


def test_an_error_is_written_with_its_trace_but_not_with_what_it_held(lines):
    def fail(api_key: str) -> None:
        raise RuntimeError("it broke")

    try:
        fail("cw_" + "hunter2")
    except RuntimeError:
        structlog.get_logger().exception("request broke")

    (line,) = lines()
    assert "it broke" in json.dumps(line)
    assert "fail" in json.dumps(line)
    assert "hunter2" not in json.dumps(line)


def test_a_line_break_in_a_fact_makes_no_second_line(lines):
    structlog.get_logger().info("said", name='a"\n{"severity": "ERROR"}')

    assert len(lines()) == 1


def test_metrics_are_of_one_application_alone():
    first, second = RequestMetrics(), RequestMetrics()

    first.delivered.inc(2)

    assert b"tasks_delivered_total 2.0" in first.exposition()
    assert b"tasks_delivered_total 0.0" in second.exposition()


def test_the_workers_metrics_have_the_names_that_alerts_use():
    said = RenderMetrics().exposition().decode()

    for name in (
        "palette_render_seconds",
        "palette_upload_seconds",
        "source_fetch_seconds",
        "source_decodes_total",
        "colorway_attempts_total",
    ):
        assert f"# HELP {name.removesuffix('_total')}" in said
