"""Whatever goes wrong is told as problem+json, with an id to ask about, and nothing more."""

from __future__ import annotations

import pytest
import structlog

from tests.dispatcher.stage import on_stage

NOWHERE = "01980000-0000-7000-8000-000000000000"


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/", 404, "not-found"),
        ("GET", "/nothing", 404, "not-found"),
        ("GET", "/v1/jobs/", 404, "not-found"),
        ("GET", "//v1/jobs", 404, "not-found"),
        ("GET", "/v1/jobs/not-a-uuid", 404, "not-found"),
        ("GET", "/v1/jobs/%00", 404, "not-found"),
        ("GET", f"/v1/jobs/{NOWHERE}", 404, "not-found"),
        ("GET", "/v1/images/1", 404, "not-found"),
        ("GET", "/static/a.js", 404, "not-found"),
        ("GET", "/files/", 404, "not-found"),
        ("GET", "/files/a/b.png", 404, "not-found"),
        ("PATCH", "/v1/jobs", 405, "method"),
        ("PUT", f"/v1/jobs/{NOWHERE}", 405, "method"),
        ("DELETE", "/v1/images", 405, "method"),
        ("GET", "/internal/deliver", 405, "method"),
        ("POST", "/internal/deliver", 401, "unauthenticated"),
        ("POST", "/internal/reconcile", 401, "unauthenticated"),
        ("POST", "/internal/cleanup", 401, "unauthenticated"),
    ],
)
def test_every_refusal_is_a_problem(stage, method, path, status, code):
    headers = {} if path.startswith("/internal") else stage.headers

    answer = stage.client.open(path, method=method, headers=headers)

    problem = answer.json
    assert answer.content_type == "application/problem+json"
    assert (answer.status_code, problem["status"], problem["code"]) == (status, status, code)
    assert problem["type"].endswith(f"/problems/{code}")
    assert problem["request_id"] == answer.headers["X-Request-Id"]
    assert answer.headers["Cache-Control"] == "private, no-cache"
    assert problem["title"]
    assert problem["retryable"] is False


def test_a_method_not_allowed_names_those_that_are(stage):
    answer = stage.client.put("/v1/jobs")

    assert answer.headers["Allow"] == "GET, HEAD, OPTIONS, POST"
    assert answer.json["detail"] == "this path takes GET, HEAD, OPTIONS, POST"


def test_a_path_that_leads_nowhere_tells_where_the_others_are(stage):
    answer = stage.client.get("/v1/jobs/not-a-uuid")

    assert answer.json["detail"].startswith("nothing is at this path; /docs lists")


def test_head_says_what_get_would_and_options_what_is_possible(stage):
    job = stage.a_job("nord")["links"]["self"]

    head = stage.client.head(job, headers=stage.headers)
    options = stage.client.options(job)

    assert (head.status_code, head.data) == (200, b"")
    assert head.headers["ETag"] == stage.get(job).headers["ETag"]
    assert set(options.headers["Allow"].split(", ")) == {"DELETE", "GET", "HEAD", "OPTIONS"}


@pytest.mark.parametrize("given", ["abc-1.2_3", "x" * 64])
def test_a_request_keeps_the_id_it_came_with(stage, given):
    answer = stage.client.get("/health", headers={"X-Request-Id": given})

    assert answer.headers["X-Request-Id"] == given


@pytest.mark.parametrize("given", ["", "a b", "x" * 65, "<script>", "a\tb", "ü"])
def test_an_odd_request_id_is_replaced(stage, given):
    answer = stage.client.get("/health", headers={"X-Request-Id": given})

    assert answer.headers["X-Request-Id"] != given
    assert len(answer.headers["X-Request-Id"]) == 36


def test_a_bug_of_ours_is_logged_and_tells_the_caller_nothing(stage):
    @stage.app.get("/broken")
    def broken() -> str:
        raise RuntimeError("password")

    with structlog.testing.capture_logs() as lines:
        answer = stage.client.get("/broken")

    assert (answer.status_code, answer.json["code"]) == (500, "internal")
    assert answer.json["request_id"] == answer.headers["X-Request-Id"]
    assert "password" not in answer.text
    (line,) = (line for line in lines if line["log_level"] == "error")
    assert isinstance(line["exc_info"], RuntimeError)


def test_a_ledger_that_is_away_asks_to_come_back(stage, tmp_path, idle_queue, sqlite_ledger):
    nowhere = {"database_url": f"sqlite:///{tmp_path}/no/such/folder/ledger.db"}
    with on_stage(sqlite_ledger, tmp_path, idle_queue.grpc_address, **nowhere) as away:
        answers = [away.get(f"/v1/jobs/{NOWHERE}"), away.client.get("/ready")]
        alive = away.client.get("/health")

    for answer in answers:
        assert (answer.status_code, answer.json["code"]) == (503, "unavailable")
        assert answer.json["retryable"] is True
        assert answer.headers["Retry-After"] == "5"
    assert alive.status_code == 200


def test_log_lines_carry_no_secret(stage):
    with structlog.testing.capture_logs() as lines:
        job = stage.a_job("nord", metadata={"who": "somebody"})
        stage.get(job["links"]["self"])
        stage.get("/v1/jobs/x?token=topsecret")

    said = str(lines)
    assert any(line["event"] == "job_enqueued" for line in lines)
    assert stage.key not in said
    assert stage.settings.link_signing_key.get_secret_value() not in said
    assert "topsecret" not in said
    assert "somebody" not in said
