"""The list of jobs as a client pages through it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import update

from colorway.ledger.tables import jobs
from tests.dispatcher.stage import Stage, flaws_of, on_stage
from tests.dispatcher.test_show_job import NOWHERE, claimed, completed

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)


def created(stage: Stage, job: str, at: datetime) -> None:
    """Let the job be of this time."""
    with stage.ledger.transaction() as session:
        session.execute(update(jobs).where(jobs.c.id == UUID(job)).values(created_at=at))


def ids_of(page: dict) -> list[str]:
    return [job["id"] for job in page["data"]]


def test_jobs_are_listed_page_by_page_the_newest_first(stage_on_each):
    stage = stage_on_each
    made = [stage.a_job("nord")["id"] for _ in range(5)]
    pages, url = [], "/v1/jobs?limit=2"

    while url:
        page = stage.get(url).json
        pages.append(ids_of(page))
        url = page["next"]
        stage.a_job("meanwhile")

    assert pages == [[made[4], made[3]], [made[2], made[1]], [made[0]]]


def test_twenty_are_a_page_unless_asked_for_more(stage):
    for _ in range(21):
        stage.a_job("nord")

    pages = [stage.get(url).json for url in ("/v1/jobs", "/v1/jobs?limit=100", "/v1/jobs?limit=21")]

    assert [len(page["data"]) for page in pages] == [20, 21, 21]
    assert [page["next"] is None for page in pages] == [False, True, True]
    assert {page["object"] for page in pages} == {"list"}


def test_what_the_list_says_of_a_job_is_what_its_body_says(stage):
    job = stage.a_job("nord", "ink", metadata={"campaign": "spring"}, priority="high")["id"]
    completed(stage, job, 0)
    claimed(stage, job, 1)

    [listed] = stage.get("/v1/jobs").json["data"]

    body = stage.get(f"/v1/jobs/{job}").json
    assert body.keys() - listed.keys() == {"colorways", "colorways_next", "stats"}
    assert listed.pop("eta_seconds") is not None
    assert listed == {name: body[name] for name in listed}
    assert (listed["status"], listed["counts"]["completed"]) == ("processing", 1)


def test_a_list_by_status_and_time_stays_so_on_its_next_page(stage_on_each):
    stage = stage_on_each
    made = [stage.a_job("nord")["id"] for _ in range(5)]
    for job, minutes in zip(made, (0, 10, 20, 30, 40), strict=True):
        created(stage, job, NOON + timedelta(minutes=minutes))
    for job in (made[0], made[1], made[3], made[4]):
        completed(stage, job)
    question = {
        "status": "completed",
        "created_after": "2030-01-01T13:05:00+01:00",
        "created_before": "2030-01-01T12:40:00.5Z",
        "limit": "2",
    }

    first = stage.get("/v1/jobs", query_string=question).json
    second = stage.get(first["next"]).json

    assert (ids_of(first), ids_of(second)) == ([made[4], made[3]], [made[1]])
    assert second["next"] is None


def test_anothers_jobs_are_not_listed_whatever_the_cursor(stage, tmp_path, idle_queue):
    with on_stage(stage.ledger, tmp_path, idle_queue.grpc_address) as stranger:
        theirs = stranger.a_job("nord")["id"]
        mine = stage.a_job("nord")["id"]

        whole, older = stage.get("/v1/jobs").json, stage.get(f"/v1/jobs?cursor={theirs}").json
        seen_by_them = stranger.get(f"/v1/jobs?cursor={mine}").json

    assert (ids_of(whole), ids_of(older)) == ([mine], [])
    assert ids_of(seen_by_them) == [theirs]


def test_a_question_that_is_not_valid_names_all_its_flaws(stage):
    question = "limit=101&cursor=x&status=done&created_after=today&created_before=2030&page=2"

    answer = stage.get(f"/v1/jobs?{question}")

    assert flaws_of(answer) == {
        "limit": "range",
        "cursor": "cursor",
        "status": "enum",
        "created_after": "time",
        "created_before": "time",
        "page": "unknown",
    }
    assert {flaw.get("pointer") for flaw in answer.json["errors"]} == {None}


@pytest.mark.parametrize("limit", ["0", "-1", "101", "1.5", "", "٣", "9" * 5000])
def test_a_page_has_one_to_a_hundred_jobs(stage, limit):
    assert flaws_of(stage.get("/v1/jobs", query_string={"limit": limit})) == {"limit": "range"}


@pytest.mark.parametrize("cursor", ["", "0", NOWHERE.upper().replace("-", ""), f"{{{NOWHERE}}}"])
def test_a_cursor_is_one_of_ours(stage, cursor):
    answer = stage.get("/v1/jobs", query_string={"cursor": cursor})

    assert flaws_of(answer) == {"cursor": "cursor"}


@pytest.mark.parametrize(
    "time",
    [
        "2030-01-01T12:00:00Z",
        "2030-01-01t12:00:00z",
        "2030-01-01T12:00:00.123456789+05:30",
        "0001-01-01T00:00:00Z",
        "9999-12-31T23:59:59.999999Z",
    ],
)
def test_a_time_of_rfc_3339_is_taken(stage_on_each, time):
    question = {"created_after": time, "created_before": time}

    answer = stage_on_each.get("/v1/jobs", query_string=question)

    assert (answer.status_code, answer.json["data"]) == (200, [])


@pytest.mark.parametrize(
    "time",
    [
        "",
        "1893499200",
        "2030-01-01",
        "2030-01-01T12:00:00",  # whose noon?
        "2030-01-01T12:00Z",
        "20300101T120000Z",
        "2030-W01-1T12:00:00Z",
        "2030-02-30T12:00:00Z",
        "2030-01-01T12:00:00+24:00",
        "2030-01-01T12:00:00 01:00",  # what becomes of a plus that is not written as %2B
        "0001-01-01T00:00:00+01:00",  # in UTC, before any year
        "9999-12-31T23:00:00-02:00",
        "٢030-01-01T12:00:00Z",
    ],
)
def test_what_is_no_time_of_rfc_3339_is_refused(stage, time):
    answer = stage.get("/v1/jobs", query_string={"created_after": time})

    assert flaws_of(answer) == {"created_after": "time"}


def test_listing_takes_the_read_scope(stage):
    assert stage.get("/v1/jobs", headers=stage.a_key("read")).status_code == 200
    assert stage.get("/v1/jobs", headers=stage.a_key("submit")).status_code == 403
    assert stage.client.get("/v1/jobs").status_code == 401
