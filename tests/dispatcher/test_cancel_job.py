"""A cancel: at once, for good, and no harm in asking twice."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from colorway.ledger.lease import Claim, claim
from colorway.render_task import RenderTask
from tests.builders import MINUTE, finish_it
from tests.dispatcher.stage import on_stage

NOWHERE = "01980000-0000-7000-8000-000000000000"


def claimed(stage, job, index=0):
    now = datetime.now(UTC)
    with stage.ledger.transaction() as session:
        held = claim(session, RenderTask(stage.rows(job)[index].id, 0), now=now, lease_for=MINUTE)
    assert isinstance(held, Claim)
    return held


def test_a_cancelled_job_is_done_at_once_and_keeps_what_was_finished(stage_on_each):
    stage = stage_on_each
    job = stage.a_job("nord", "ink", "rose")["id"]
    done, _ = claimed(stage, job, 0), claimed(stage, job, 1)
    with stage.ledger.transaction() as session:
        finish_it(session, done, now=datetime.now(UTC))

    answer = stage.post(f"/v1/jobs/{job}/cancel")

    assert answer.status_code == 200
    body = answer.json
    assert (body["status"], body["done"], body["progress_percent"]) == ("cancelled", True, 100)
    counts = body["counts"]
    assert (counts["completed"], counts["cancelled"], counts["processing"]) == (1, 2, 0)
    assert [one["status"] for one in body["colorways"]] == ["completed", "cancelled", "cancelled"]
    assert body["finished_at"] is not None
    assert answer.headers["ETag"] == f'W/"{body["version"]}"'
    assert "Retry-After" not in answer.headers
    assert stage.get(f"/v1/jobs/{job}").json == body
    metrics = stage.get("/metrics").text
    assert 'jobs_total{status="cancelled"} 1.0' in metrics
    assert 'colorways_total{status="cancelled"} 2.0' in metrics


@pytest.mark.parametrize("body", [{}, {"json": {}}])
def test_asking_twice_changes_nothing(stage, body):
    job = stage.a_job("nord")["id"]
    first = stage.post(f"/v1/jobs/{job}/cancel", **body).json

    second = stage.post(f"/v1/jobs/{job}/cancel", **body)

    assert (second.status_code, second.json) == (200, first)


@pytest.mark.parametrize("path", [f"/v1/jobs/{NOWHERE}/cancel", "/v1/jobs/nord/cancel"])
def test_a_job_that_is_not_there_is_not_found(stage, path):
    assert stage.post(path).status_code == 404


def test_anothers_job_is_not_found_and_goes_on(stage, tmp_path, idle_queue):
    job = stage.a_job("nord")["id"]

    with on_stage(stage.ledger, tmp_path, idle_queue.grpc_address) as stranger:
        answer = stranger.post(f"/v1/jobs/{job}/cancel")

    assert answer.status_code == 404
    assert stage.get(f"/v1/jobs/{job}").json["status"] == "pending"


def test_a_key_that_may_only_read_may_not_cancel(stage):
    job = stage.a_job("nord")["id"]

    answer = stage.post(f"/v1/jobs/{job}/cancel", headers=stage.a_key("read"))

    assert answer.status_code == 403
    assert stage.get(f"/v1/jobs/{job}").json["status"] == "pending"


@pytest.mark.parametrize("options", [{"json": {"keys": ["nord"]}}, {"query_string": "force=1"}])
def test_what_a_cancel_does_not_know_is_refused(stage, options):
    job = stage.a_job("nord", "ink")["id"]

    answer = stage.post(f"/v1/jobs/{job}/cancel", **options)

    assert (answer.status_code, answer.json["code"]) == (422, "validation")
    assert stage.get(f"/v1/jobs/{job}").json["status"] == "pending"
