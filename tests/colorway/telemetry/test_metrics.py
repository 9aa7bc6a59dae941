"""What is counted, under the names that dashboards and alerts know."""

from __future__ import annotations

import re
from datetime import timedelta
from uuid import UUID

import pytest

from colorway.job import JobEnd, JobProgress, Priority
from colorway.telemetry.metrics import RenderMetrics, RequestMetrics, ledger_facts
from tests.databases import ROOT

BOTH = {"http_request_seconds", "jobs_total", "colorways_total", "reuse_hits_total"}


def names_in(exposition: bytes) -> set[str]:
    told = re.findall(r"^# HELP (\w+)", exposition.decode(), re.MULTILINE)
    return {name for name in told if not name.endswith("_created")}  # the library's own


def test_metrics_are_of_one_application_alone():
    first, second = RequestMetrics(), RequestMetrics()

    first.delivered.inc(2)

    assert b"tasks_delivered_total 2.0" in first.exposition()
    assert b"tasks_delivered_total 0.0" in second.exposition()


@pytest.mark.parametrize(
    ("metrics", "names"),
    [
        (
            RenderMetrics(),
            {
                "palette_render_seconds",
                "palette_upload_seconds",
                "source_fetch_seconds",
                "source_decodes_total",
                "colorway_attempts_total",
            },
        ),
        (
            RequestMetrics(),
            {"tasks_delivered_total", "reconciler_repairs_total", "cleanup_removed_total"},
        ),
    ],
)
def test_each_service_counts_what_it_does(metrics, names):
    assert names_in(metrics.exposition()) == names | BOTH


def test_every_metric_is_explained():
    page = (ROOT / "docs" / "architecture.md").read_text()
    facts = ledger_facts({}, None, None)

    for metrics in (RenderMetrics(), RequestMetrics()):
        for name in names_in(metrics.exposition(facts)):
            assert f"`{name}" in page


def test_a_jobs_end_counts_the_job_and_what_was_cancelled_of_it():
    metrics = RequestMetrics()
    progress = JobProgress(
        total=5,
        processing=0,
        completed=2,
        failed=0,
        cancelled=3,
        was_started=True,
        was_cancelled=True,
    )

    metrics.job_ended(JobEnd(UUID(int=1), progress, timedelta(seconds=7)))

    assert metrics.registry.get_sample_value("jobs_total", {"status": "cancelled"}) == 1
    assert metrics.registry.get_sample_value("colorways_total", {"status": "cancelled"}) == 3


@pytest.mark.parametrize(
    ("oldest", "drift", "told"),
    [(timedelta(seconds=90), 2, ("90.0", "2.0")), (None, None, ("0.0", "0.0"))],
)
def test_facts_of_the_ledger_stand_beside_what_was_counted(oldest, drift, told):
    facts = ledger_facts({Priority.HIGH: 3, Priority.LOW: 0}, oldest, drift)

    said = RequestMetrics().exposition(facts).decode()

    assert 'queue_depth{priority="high"} 3.0' in said
    assert 'queue_depth{priority="low"} 0.0' in said
    assert f"oldest_pending_seconds {told[0]}" in said
    assert f"ledger_drift {told[1]}" in said
    assert "tasks_delivered_total 0.0" in said
