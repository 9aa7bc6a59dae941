"""A submission may be repeated under its key: of all who use one, a single request makes a job."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from sqlalchemy import select

from colorway.ledger.tables import jobs
from tests.dispatcher.stage import (
    NOBODY,
    Stage,
    a_job_part,
    a_png,
    flaws_of,
    multipart,
    on_stage,
    palettes,
)

ONCE = {"Idempotency-Key": "once"}
NOWHERE = "01980000-0000-7000-8000-000000000000"
NORD = {"name": "nord", "colors": ["#000000", "#ffffff"]}


def submit(stage: Stage, key: str = "once", *, picture: bytes | None = None, **options):
    parts = multipart(("image", picture or a_png()), ("job", a_job_part(**options)))
    return stage.post("/v1/jobs", headers={"Idempotency-Key": key}, **parts)


def jobs_of(stage: Stage) -> list[str]:
    with stage.ledger.reading() as session:
        found = select(jobs.c.id).where(jobs.c.account_id == stage.account).order_by(jobs.c.id)
        return [str(job) for job in session.scalars(found)]


def test_the_same_submission_again_is_the_same_job(stage_on_each):
    stage = stage_on_each
    first = submit(stage)

    again = submit(stage)

    assert (first.status_code, again.status_code) == (202, 202)
    assert again.json == first.json
    assert "Idempotency-Replayed" not in first.headers
    assert again.headers["Idempotency-Replayed"] == "true"
    for name in ("Location", "ETag", "Retry-After", "Content-Type", "Cache-Control"):
        assert again.headers[name] == first.headers[name]
    assert jobs_of(stage) == [first.json["id"]]


def test_without_a_key_each_submission_is_a_job(stage):
    answers = [stage.post_parts(("image", a_png()), ("job", a_job_part())) for _ in range(2)]

    assert jobs_of(stage) == [answer.json["id"] for answer in answers]
    assert all("Idempotency-Replayed" not in answer.headers for answer in answers)


def test_a_repeated_submission_is_answered_with_the_job_as_it_is_now(stage):
    job = submit(stage).json["id"]
    cancelled = stage.post(f"/v1/jobs/{job}/cancel")

    again = submit(stage)

    assert (again.status_code, again.json) == (202, cancelled.json)
    assert (again.json["status"], again.json["done"]) == ("cancelled", True)
    assert again.headers["ETag"] == cancelled.headers["ETag"]
    assert again.headers["Retry-After"] == "2"


def test_how_a_submission_is_written_does_not_matter(stage):
    image = {"id": stage.an_image()}
    short = {
        "image": image,
        "palettes": [{"name": "Nord", "colors": ["#000", "#FFF"]}],
        "metadata": {"a": "1", "b": "2"},
    }
    long = {
        "metadata": {"b": "2", "a": "1"},
        "reuse": "cache",
        "priority": "normal",
        "output": {"quality": 90},
        "render": {"preserve_luminance": True, "strength": 1},
        "palettes": [{"colors": ["#000000", "#ffffff"], "key": "nord", "name": "Nord"}],
        "image": {"id": image["id"].upper()},
    }

    first = stage.post("/v1/jobs", headers=ONCE, json=short)
    written = {"data": json.dumps(long, indent=4), "content_type": "application/json"}
    again = stage.post("/v1/jobs", headers=ONCE, **written)

    assert (first.status_code, again.status_code) == (202, 202)
    assert again.headers["Idempotency-Replayed"] == "true"
    assert jobs_of(stage) == [first.json["id"]]


@pytest.mark.parametrize(
    "change",
    [
        {"palettes": palettes("nord", "ink")},
        {"palettes": [NORD | {"colors": ["#ffffff", "#000000"]}]},
        {"palettes": [NORD | {"name": "Nord"}]},
        {"palettes": [NORD | {"key": "mine"}]},
        {"render": {"strength": 0.5}},
        {"output": {"format": "webp"}},
        {"priority": "low"},
        {"on_error": "stop"},
        {"reuse": "force"},
        {"metadata": {"a": "b"}},
        {"picture": a_png(color=1)},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_key_is_for_one_request_only(stage, change):
    first = submit(stage)

    other = submit(stage, **change)

    assert (other.status_code, other.json["code"]) == (422, "idempotency-mismatch")
    assert other.json["retryable"] is False
    assert jobs_of(stage) == [first.json["id"]]


def test_the_order_of_palettes_and_the_image_that_is_named_matter(stage):
    images = [{"id": stage.an_image(a_png(color))} for color in (1, 2)]
    document = {"image": images[0], "palettes": palettes("nord", "ink")}
    stage.post("/v1/jobs", headers=ONCE, json=document)

    others = [
        stage.post("/v1/jobs", headers=ONCE, json=document | change)
        for change in ({"image": images[1]}, {"palettes": palettes("ink", "nord")})
    ]

    assert [other.json["code"] for other in others] == ["idempotency-mismatch"] * 2


def test_keys_are_the_accounts_own(stage, tmp_path, idle_queue):
    first = submit(stage)

    with on_stage(stage.ledger, tmp_path, idle_queue.grpc_address) as stranger:
        foreign, other_key = submit(stranger), submit(stage, "twice")

    assert [foreign.status_code, other_key.status_code] == [202, 202]
    assert len({answer.json["id"] for answer in (first, foreign, other_key)}) == 3


@pytest.mark.parametrize("key", ["", "x" * 256, "schlüssel", "a\tb", "a\x7f"])
def test_a_key_that_is_none_is_malformed(stage, key):
    answer = submit(stage, key)

    assert (answer.status_code, answer.json["code"]) == (400, "malformed")
    assert "1 to 255 characters of printable ASCII" in answer.json["detail"]
    assert jobs_of(stage) == []


@pytest.mark.parametrize("key", ["x", "x" * 255, '"quoted, with spaces" ~!'])
def test_a_key_is_any_printable_text(stage, key):
    first, again = submit(stage, key), submit(stage, key)

    assert first.json["id"] == again.json["id"]


def test_keys_differ_by_case(stage):
    assert submit(stage, "Once").json["id"] != submit(stage, "once").json["id"]


def test_what_is_not_valid_takes_no_key(stage):
    refused = submit(stage, priority="urgent")

    answer = submit(stage, priority="high")

    assert flaws_of(refused) == {"#/priority": "enum"}
    assert (answer.status_code, answer.json["priority"]) == (202, "high")


def test_what_is_not_valid_is_told_under_a_used_key_too(stage):
    submit(stage)

    assert flaws_of(submit(stage, priority="urgent")) == {"#/priority": "enum"}


def test_an_image_that_is_not_there_gives_the_key_back(stage_on_each):
    stage = stage_on_each
    unknown = {"image": {"id": NOWHERE}, "palettes": palettes("nord")}
    answers = [stage.post("/v1/jobs", headers=ONCE, json=unknown) for _ in range(2)]

    other = submit(stage)

    assert [answer.status_code for answer in answers] == [404, 404]
    assert other.status_code == 202


def test_a_repeated_submission_tells_the_queue_nothing(stage, tmp_path):
    with on_stage(stage.ledger, tmp_path, NOBODY.removeprefix("http://")) as without_queue:
        without_queue.headers = stage.headers
        job = submit(without_queue).json["id"]
    waiting = stage.undelivered()

    again = submit(stage)

    assert again.json["id"] == job
    assert len(waiting) == 1
    assert stage.undelivered() == waiting


@pytest.mark.parametrize("count", [2, 8])
def test_of_many_equal_submissions_at_once_one_makes_the_job(stage_on_each, count):
    stage = stage_on_each
    document = {"image": {"id": stage.an_image()}, "palettes": palettes("nord", "ink")}
    start = Barrier(count)

    def post(_: int):
        start.wait(timeout=10)
        client = stage.app.test_client()
        return client.post("/v1/jobs", headers=stage.headers | ONCE, json=document)

    with ThreadPoolExecutor(count) as pool:
        answers = list(pool.map(post, range(count)))

    accepted = [answer for answer in answers if answer.status_code == 202]
    refused = [answer for answer in answers if answer.status_code != 202]
    assert jobs_of(stage) == [accepted[0].json["id"]]
    assert {answer.json["id"] for answer in accepted} == {accepted[0].json["id"]}
    assert sum("Idempotency-Replayed" not in answer.headers for answer in accepted) == 1
    assert {answer.json["code"] for answer in refused} <= {"idempotency-in-progress"}
