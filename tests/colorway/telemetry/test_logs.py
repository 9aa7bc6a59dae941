"""What operators see: lines that Cloud Logging reads, without secrets."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from io import StringIO
from typing import Any
from uuid import UUID

import pytest
import structlog

from colorway.telemetry.logs import configure_logging
from colorway.telemetry.trace_context import TraceContext
from colorway.telemetry.traces import span

HERE = TraceContext("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331", is_sampled=True)

Lines = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> Iterator[Lines]:
    """Log as a service does, and return what it has written so far."""
    before, written = structlog.get_config(), StringIO()
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    monkeypatch.setattr(sys, "stdout", written)
    configure_logging("dispatcher", "INFO", project="a-project")
    yield lambda: [json.loads(line) for line in written.getvalue().splitlines()]
    structlog.configure(**before)
    structlog.contextvars.clear_contextvars()
    root.handlers[:] = handlers
    root.setLevel(level)


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


def test_a_line_says_where_in_which_trace_it_was_written(lines):
    with span("render", parent=HERE):
        structlog.get_logger().info("said")
    structlog.get_logger().info("said elsewhere")

    inside, outside = lines()
    assert inside["logging.googleapis.com/trace"] == f"projects/a-project/traces/{HERE.trace_id}"
    assert inside["logging.googleapis.com/spanId"] == HERE.span_id
    assert inside["logging.googleapis.com/trace_sampled"] is True
    assert not any(field.endswith(("trace", "spanId", "trace_sampled")) for field in outside)


def test_what_a_library_warns_of_is_a_line_like_any_other(lines):
    logging.getLogger("some.library").warning("it takes %d seconds", 7)
    logging.getLogger("some.library").info("too much")

    (line,) = lines()
    assert (line["severity"], line["message"]) == ("WARNING", "it takes 7 seconds")
    assert line["logger"] == "some.library"
    assert line["logging.googleapis.com/labels"] == {"service": "dispatcher"}
