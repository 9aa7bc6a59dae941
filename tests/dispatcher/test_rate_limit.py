"""How often a key may call: counted once it is known, told in every answer, 429 beyond it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest
from flask import Flask, request
from uuid_utils.compat import uuid7

from colorway.ledger.accounts import Caller
from colorway.ledger.connection import Ledger
from dispatcher.api.problems import show_problems
from dispatcher.api.rate_limit import Windows, count_call, limit_rates
from local_tasks.server import LocalTasks
from tests.dispatcher.stage import Stage, on_stage

NOWHERE = "/v1/jobs/01980000-0000-7000-8000-000000000000"
WRONG = {"Authorization": "Bearer cw_wrong"}
LEFT = re.compile(r'"default";r=(\d+);t=(\d+)')


@pytest.fixture
def slow(sqlite_ledger: Ledger, tmp_path: Path, idle_queue: LocalTasks) -> Iterator[Stage]:
    """A dispatcher that each key may call three times an hour."""
    rate = {"rate_limit": "3 per hour"}
    with on_stage(sqlite_ledger, tmp_path, idle_queue.grpc_address, **rate) as stage:
        yield stage


@dataclass
class Clock:
    """A time that passes when it is told to."""

    now: float = 1_000.0

    def __call__(self) -> float:
        return self.now


def left(answer) -> tuple[int, int]:
    """Return how many calls the answer says are left, and for how many seconds."""
    found = LEFT.fullmatch(answer.headers["RateLimit"])
    assert found is not None
    return int(found[1]), int(found[2])


def test_every_answer_to_a_key_tells_its_rate_whatever_the_answer_is(stage):
    job = stage.a_job("nord")["links"]["self"]
    version = stage.get(job).headers["ETag"]

    answers = [
        stage.get(job),
        stage.get(job, headers={"If-None-Match": version}),
        stage.get("/v1/jobs?limit=0"),
        stage.get(NOWHERE),
        stage.post("/v1/jobs", data=b"{", content_type="application/json"),
        stage.post("/v1/jobs", headers=stage.a_key("read")),
        stage.get(f"{job}/colorways/nord/image"),
        stage.get("/metrics"),
    ]

    assert [answer.status_code for answer in answers] == [200, 304, 422, 404, 400, 403, 409, 200]
    policies = {answer.headers["RateLimit-Policy"] for answer in answers}
    assert policies == {'"default";q=6000;w=60'}
    assert all(5_900 < left(answer)[0] < 6_000 for answer in answers)
    assert all(0 < left(answer)[1] <= 60 for answer in answers)


def test_all_calls_of_a_key_count_together_and_those_of_another_do_not(slow):
    other = slow.a_key("read")

    answers = [slow.get("/v1/jobs"), slow.get(NOWHERE), slow.post("/v1/images")]
    others = slow.get("/v1/jobs", headers=other)

    assert [left(answer)[0] for answer in answers] == [2, 1, 0]
    assert left(others)[0] == 2


def test_a_key_that_calls_too_often_is_told_when_to_come_back(slow):
    [*_, refused] = [slow.get("/v1/jobs") for _ in range(4)]
    healthy = slow.client.get("/health")

    problem = refused.json
    assert refused.content_type == "application/problem+json"
    assert (refused.status_code, problem["code"]) == (429, "rate-limited")
    assert problem["retryable"] is True
    assert problem["detail"] == "an API key may call 3 times in 3,600 s"
    calls, seconds = left(refused)
    assert calls == 0
    assert 3_500 < seconds <= int(refused.headers["Retry-After"]) <= 3_600
    assert refused.headers["RateLimit-Policy"] == '"default";q=3;w=3600'
    assert healthy.status_code == 200


def test_what_is_refused_does_nothing(slow):
    image = slow.an_image()
    for _ in range(2):
        slow.get("/v1/jobs")

    refused = slow.client.delete(f"/v1/images/{image}", headers=slow.headers)

    assert refused.status_code == 429
    assert len(slow.stored_keys()) == 1


@pytest.mark.parametrize(
    ("method", "path", "headers"),
    [
        ("GET", "/v1/jobs", {}),
        ("GET", "/v1/jobs", WRONG),
        ("GET", "/metrics", WRONG),
        ("GET", "/health", WRONG),
        ("GET", "/ready", {}),
        ("GET", "/openapi.json", {}),
        ("POST", "/internal/reconcile", WRONG),
        ("GET", "/nothing", WRONG),
    ],
)
def test_nobody_is_neither_counted_nor_told(slow, method, path, headers):
    answers = [slow.client.open(path, method=method, headers=headers) for _ in range(9)]

    assert 429 not in {answer.status_code for answer in answers}
    told = {"RateLimit", "RateLimit-Policy", "Retry-After"}
    assert not any(told & set(answer.headers.keys()) for answer in answers)
    [limiter] = slow.app.extensions["limiter"]
    assert limiter.storage.reset() == 0


def test_without_a_rate_nothing_is_counted_or_told(sqlite_ledger, tmp_path, idle_queue):
    with on_stage(sqlite_ledger, tmp_path, idle_queue.grpc_address, rate_limit="") as stage:
        answer = stage.get("/v1/jobs")

    assert answer.status_code == 200
    assert "RateLimit" not in answer.headers
    assert "RateLimit-Policy" not in answer.headers


def counting_app(rate: str, clock: Clock) -> Flask:
    """Return an app that counts whatever comes to it, all with one key."""
    app, caller = Flask(__name__), Caller(uuid7(), uuid7(), frozenset())
    show_problems(app)
    limit_rates(app, rate, clock=clock)

    @app.get("/")
    def counted() -> str:
        count_call(caller)
        clock.now += float(request.args.get("waits", 0))
        return "counted"

    return app


def test_a_window_begins_with_a_call_and_then_all_are_allowed_again():
    clock = Clock()
    client = counting_app("2 per minute", clock).test_client()

    seen = []
    for wait in (0, 20.5, 0, 39, 0.5, 200):
        clock.now += wait
        answer = client.get("/")
        seen.append((answer.status_code, *left(answer), answer.headers.get("Retry-After")))

    assert seen == [
        (200, 1, 60, None),
        (200, 0, 40, None),
        (429, 0, 40, "40"),
        (429, 0, 1, "1"),
        (200, 1, 60, None),
        (200, 1, 60, None),
    ]


def test_what_is_told_is_so_when_the_answer_is_sent():
    client = counting_app("2 per minute", Clock()).test_client()

    answers = [client.get("/?waits=25"), client.get("/?waits=36")]

    assert [left(answer) for answer in answers] == [(1, 35), (2, 0)]


def test_of_many_calls_at_once_just_as_many_are_allowed_as_the_rate_says():
    app = counting_app("100 per minute", Clock())

    def call(_: int) -> int:
        return app.test_client().get("/").status_code

    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(call, range(150)))

    assert sorted(statuses) == [200] * 100 + [429] * 50


def test_only_keys_that_have_called_lately_are_remembered():
    clock = Clock()
    windows = Windows(clock=clock)

    for key in range(100):
        clock.now += 1
        windows.incr(str(key), 10)

    assert windows.reset() <= 20


def test_each_keys_window_ends_at_its_own_time():
    clock = Clock()
    windows = Windows(clock=clock)

    counts = []
    for now, key in ((0, "early"), (5, "late"), (10, "early"), (14, "late"), (16, "late")):
        clock.now = now
        counts.append(windows.incr(key, 10))

    assert counts == [1, 1, 1, 2, 1]


def test_a_window_can_be_closed_before_its_time():
    windows = Windows(clock=Clock())
    windows.incr("key", 60, amount=5)

    windows.clear("key")

    assert (windows.get("key"), windows.incr("key", 60)) == (0, 1)
