"""A retry: what failed or was cancelled is rendered again, all of it or what is named."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
import structlog
from sqlalchemy import update

from colorway.job import Priority
from colorway.ledger.lease import Claim, claim, fail
from colorway.ledger.tables import jobs
from colorway.render_task import Nudge, RenderTask
from tests.builders import BROKEN, MINUTE, finish_it
from tests.dispatcher.stage import NOBODY, Stage, flaws_of, many_palettes, on_stage

NOWHERE = "01980000-0000-7000-8000-000000000000"


def a_job_at_its_end(stage: Stage) -> str:
    """Return a job whose colorways are completed (nord), failed (ink) and cancelled (rose)."""
    job = stage.a_job("nord", "ink", "rose")["id"]
    now = datetime.now(UTC)
    done, failing, _ = [RenderTask(row.id, 0) for row in stage.rows(job)]
    with stage.ledger.transaction() as session:
        held, broken = [claim(session, t, now=now, lease_for=MINUTE) for t in (done, failing)]
        assert isinstance(held, Claim)
        assert isinstance(broken, Claim)
        finish_it(session, held, now=now)
        fail(session, broken, BROKEN, now=now)
    stage.post(f"/v1/jobs/{job}/cancel")
    return str(job)


def statuses_of(stage: Stage, job: str) -> list[str]:
    return [str(row.status) for row in stage.rows(job)]


@pytest.mark.parametrize("body", [{}, {"json": {}}, {"json": {"keys": None}}, {"data": b" \n"}])
def test_all_that_failed_or_was_cancelled_is_retried(stage_on_each, body):
    stage = stage_on_each
    job = a_job_at_its_end(stage)

    answer = stage.post(f"/v1/jobs/{job}/retry", **body)

    found = answer.json
    assert answer.status_code == 202
    assert [one["status"] for one in found["colorways"]] == ["completed", "pending", "pending"]
    assert (found["done"], found["finished_at"]) == (False, None)
    assert answer.headers["Location"] == f"/v1/jobs/{job}"
    assert answer.headers["ETag"] == f'W/"{found["version"]}"'
    assert answer.headers["Retry-After"] == "2"
    shown = stage.get(f"/v1/jobs/{job}").json
    assert shown | {"eta_seconds": 0} == found | {"eta_seconds": 0}  # a second may have passed


def test_a_job_that_has_expired_is_not_retried(stage_on_each):
    stage = stage_on_each
    job = a_job_at_its_end(stage)
    with stage.ledger.transaction() as session:
        session.execute(update(jobs).values(expires_at=datetime.now(UTC)))

    answer = stage.post(f"/v1/jobs/{job}/retry")

    assert (answer.status_code, answer.json["code"]) == (410, "expired")
    assert statuses_of(stage, job) == ["completed", "failed", "cancelled"]


def test_what_is_named_is_retried_and_nothing_else(stage_on_each):
    stage = stage_on_each
    job = a_job_at_its_end(stage)

    answer = stage.post(f"/v1/jobs/{job}/retry", json={"keys": ["ink", "nord"]})

    assert answer.status_code == 202
    assert statuses_of(stage, job) == ["completed", "pending", "cancelled"]


def test_the_queue_is_told_at_once_and_the_log_how_many(stage):
    job = a_job_at_its_end(stage)

    with structlog.testing.capture_logs() as lines:
        stage.post(f"/v1/jobs/{job}/retry")

    _, ink, rose = stage.rows(job)
    tasks = [
        Nudge(RenderTask(row.id, row.epoch), row.nudge, Priority.NORMAL) for row in (ink, rose)
    ]
    assert [task.task.epoch for task in tasks] == [1, 1]
    assert all(stage.machinery.queue.knows(task) for task in tasks)
    assert stage.undelivered() == []
    [line] = [line for line in lines if line["event"] == "job_retried"]
    assert (str(line["job"]), line["colorways"]) == (job, 2)


def test_a_retry_is_accepted_while_the_queue_is_away(stage, tmp_path):
    job = a_job_at_its_end(stage)

    with on_stage(stage.ledger, tmp_path, NOBODY.removeprefix("http://")) as without_queue:
        without_queue.headers = stage.headers
        answer = without_queue.post(f"/v1/jobs/{job}/retry")

    assert answer.status_code == 202
    assert len(stage.undelivered()) == 2


def test_an_old_jobs_retry_is_looked_at_soon(stage):
    job = a_job_at_its_end(stage)
    with stage.ledger.transaction() as session:
        long_ago = datetime(2020, 1, 1, tzinfo=UTC)
        session.execute(jobs.update().values(created_at=long_ago))

    answer = stage.post(f"/v1/jobs/{job}/retry")

    assert answer.headers["Retry-After"] == "2"


@pytest.mark.parametrize("body", [{"json": {"keys": ["nord"]}}, {"json": {"keys": ["ink"]}}, {}])
def test_where_nothing_failed_or_was_cancelled_there_is_nothing_to_retry(stage, body):
    job = stage.a_job("nord", "ink")["id"]
    before = stage.get(f"/v1/jobs/{job}").json

    answer = stage.post(f"/v1/jobs/{job}/retry", **body)

    assert (answer.status_code, answer.json["code"]) == (409, "nothing-to-retry")
    assert answer.json["retryable"] is False
    assert "Retry-After" not in answer.headers
    assert stage.get(f"/v1/jobs/{job}").json == before


def test_what_is_retried_already_is_not_retried_again(stage):
    job = a_job_at_its_end(stage)
    stage.post(f"/v1/jobs/{job}/retry")

    answer = stage.post(f"/v1/jobs/{job}/retry")

    assert (answer.status_code, answer.json["code"]) == (409, "nothing-to-retry")


def test_keys_that_the_job_does_not_have_are_all_told_and_nothing_is_retried(stage_on_each):
    stage = stage_on_each
    job = a_job_at_its_end(stage)
    stage.a_job("elsewhere")
    keys = ["elsewhere", "ink", "a\0b", "", "Ink", "k" * 100_000, "春"]

    answer = stage.post(f"/v1/jobs/{job}/retry", json={"keys": keys})

    assert flaws_of(answer) == {f"#/keys/{index}": "unknown" for index in (0, 2, 3, 4, 5, 6)}
    assert statuses_of(stage, job) == ["completed", "failed", "cancelled"]


@pytest.mark.parametrize(
    ("document", "flaws"),
    [
        ({"key": "ink"}, {"#/key": "extra-forbidden"}),
        ({"keys": ["ink"], "epoch": 1}, {"#/epoch": "extra-forbidden"}),
        ({"keys": []}, {"#/keys": "too-short"}),
        ({"keys": ["ink"] * 501}, {"#/keys": "too-long"}),
        ({"keys": "ink"}, {"#/keys": "list-type"}),
        ({"keys": {"ink": 1}}, {"#/keys": "list-type"}),
        ({"keys": [1, "ink", None]}, {"#/keys/0": "string-type", "#/keys/2": "string-type"}),
        (
            {"keys": ["ink", "rose", "ink", "ink"]},
            {"#/keys/2": "duplicate-key", "#/keys/3": "duplicate-key"},
        ),
        (["ink"], {"#": "model-type"}),
    ],
    ids=lambda given: str(given)[:40],
)
def test_what_is_not_a_list_of_keys_is_refused(stage, document, flaws):
    job = a_job_at_its_end(stage)

    answer = stage.post(f"/v1/jobs/{job}/retry", json=document)

    assert flaws_of(answer) == flaws
    assert statuses_of(stage, job) == ["completed", "failed", "cancelled"]


def test_five_hundred_keys_may_be_named(stage):
    image = stage.an_image()
    job = stage.post_json({"image": {"id": image}, "palettes": many_palettes(500)}).json["id"]
    stage.post(f"/v1/jobs/{job}/cancel")
    keys = [row.key for row in stage.rows(job)]

    answer = stage.post(f"/v1/jobs/{job}/retry", json={"keys": keys})

    assert (answer.status_code, answer.json["counts"]["pending"]) == (202, 500)


@pytest.mark.parametrize("body", [b"{", b"nonsense", b'{"keys": ["ink"], "keys": ["rose"]}'])
def test_what_is_not_json_is_malformed(stage, body):
    job = a_job_at_its_end(stage)

    answer = stage.post(f"/v1/jobs/{job}/retry", data=body, content_type="application/json")

    assert (answer.status_code, answer.json["code"]) == (400, "malformed")
    assert statuses_of(stage, job) == ["completed", "failed", "cancelled"]


def test_a_form_is_no_list_of_keys(stage):
    job = a_job_at_its_end(stage)

    answer = stage.post(f"/v1/jobs/{job}/retry", data={"keys": "ink"})

    assert (answer.status_code, answer.json["code"]) == (415, "media-type")
    assert statuses_of(stage, job) == ["completed", "failed", "cancelled"]


def test_an_unknown_query_parameter_is_refused(stage):
    job = a_job_at_its_end(stage)

    answer = stage.post(f"/v1/jobs/{job}/retry?keys=ink")

    assert flaws_of(answer) == {"keys": "unknown"}
    assert statuses_of(stage, job) == ["completed", "failed", "cancelled"]


@pytest.mark.parametrize("path", [f"/v1/jobs/{NOWHERE}/retry", "/v1/jobs/nord/retry"])
def test_a_job_that_is_not_there_is_not_found(stage, path):
    assert stage.post(path).status_code == 404


def test_anothers_job_is_not_found_and_stays_as_it_is(stage, tmp_path, idle_queue):
    job = a_job_at_its_end(stage)

    with on_stage(stage.ledger, tmp_path, idle_queue.grpc_address) as stranger:
        answers = [
            stranger.post(f"/v1/jobs/{job}/retry", **body)
            for body in ({}, {"json": {"keys": ["ink"]}}, {"json": {"keys": ["nothing"]}})
        ]

    assert [answer.status_code for answer in answers] == [404] * 3
    assert statuses_of(stage, job) == ["completed", "failed", "cancelled"]


def test_a_key_that_may_only_read_may_not_retry(stage):
    job = a_job_at_its_end(stage)

    answer = stage.post(f"/v1/jobs/{job}/retry", headers=stage.a_key("read"))

    assert answer.status_code == 403
    assert statuses_of(stage, job) == ["completed", "failed", "cancelled"]
