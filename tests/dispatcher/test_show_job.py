"""What polls get: the job, its colorways, and pictures by redirect."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from io import BytesIO
from uuid import UUID

import pytest
from sqlalchemy import update

from colorway.image_keys import thumbnail_key
from colorway.ledger.lease import Claim, claim, fail, give_back
from colorway.ledger.tables import jobs, renditions
from colorway.render_task import RenderTask
from tests.builders import MINUTE, finish_it
from tests.dispatcher.stage import Stage, flaws_of, many_palettes, on_stage, palettes

NOWHERE = "01980000-0000-7000-8000-000000000000"
ERROR = {"code": "timed-out", "detail": "it took too long", "phase": "render", "attempt": 1}


def claimed(stage: Stage, job: str, index: int = 0) -> Claim:
    now = datetime.now(UTC)
    with stage.ledger.transaction() as session:
        held = claim(session, RenderTask(stage.rows(job)[index].id, 0), now=now, lease_for=MINUTE)
    assert isinstance(held, Claim)
    return held


def completed(stage: Stage, job: str, index: int = 0) -> None:
    held = claimed(stage, job, index)
    with stage.ledger.transaction() as session:
        finish_it(session, held, now=datetime.now(UTC))


def test_a_job_shows_how_far_it_is(stage_on_each):
    stage = stage_on_each
    job = stage.a_job("nord", "spring", "ink", "rose")["id"]
    completed(stage, job, 0)
    claimed(stage, job, 1)
    failing, waiting = claimed(stage, job, 2), claimed(stage, job, 3)
    with stage.ledger.transaction() as session:
        fail(session, failing, ERROR, now=datetime.now(UTC))
        give_back(session, waiting, ERROR, counts=True, now=datetime.now(UTC))

    body = stage.get(f"/v1/jobs/{job}").json

    assert body["counts"] == {
        "total": 4,
        "pending": 1,
        "processing": 1,
        "completed": 1,
        "failed": 1,
        "cancelled": 0,
    }
    assert (body["status"], body["done"], body["progress_percent"]) == ("processing", False, 50)
    assert body["eta_seconds"] is not None
    nord, spring, ink, rose = body["colorways"]
    assert nord["result"]["path"].endswith(".png")
    assert nord["timings_ms"]["render"] == 30
    assert (spring["status"], spring["result"], spring["error"]) == ("processing", None, None)
    assert (ink["status"], ink["error"]) == ("failed", ERROR)
    assert (rose["status"], rose["attempts"], rose["error"]) == ("pending", 1, ERROR)


def test_a_job_that_is_done_says_so_and_asks_for_no_more_polls(stage):
    job = stage.a_job("nord")["id"]
    completed(stage, job)

    answer = stage.get(f"/v1/jobs/{job}")

    assert (answer.json["status"], answer.json["done"]) == ("completed", True)
    assert answer.json["progress_percent"] == 100
    assert "Retry-After" not in answer.headers


def test_an_unchanged_job_is_not_sent_again(stage):
    job = stage.a_job("nord")["id"]
    first = stage.get(f"/v1/jobs/{job}")
    known = {"If-None-Match": first.headers["ETag"]}

    same = stage.get(f"/v1/jobs/{job}", headers=known)
    claimed(stage, job)
    changed = stage.get(f"/v1/jobs/{job}", headers=known)

    assert (same.status_code, same.data) == (304, b"")
    assert same.headers["ETag"] == first.headers["ETag"]
    assert changed.status_code == 200
    assert changed.json["version"] > first.json["version"]


def test_an_etag_opens_no_other_accounts_job(stage, tmp_path, idle_queue):
    with on_stage(stage.ledger, tmp_path, idle_queue.grpc_address) as stranger:
        job = stranger.a_job("nord")

    answer = stage.get(f"/v1/jobs/{job['id']}", headers={"If-None-Match": 'W/"1"'})

    assert answer.status_code == 404


@pytest.mark.parametrize(
    ("age", "seconds"),
    [(timedelta(0), "2"), (timedelta(minutes=2), "5"), (timedelta(minutes=11), "10")],
)
def test_the_older_the_job_the_rarer_the_polls(stage, age, seconds):
    job = stage.a_job("nord")["id"]
    with stage.ledger.transaction() as session:
        session.execute(
            update(jobs).where(jobs.c.id == UUID(job)).values(created_at=datetime.now(UTC) - age)
        )

    assert stage.get(f"/v1/jobs/{job}").headers["Retry-After"] == seconds


@pytest.mark.parametrize("rest", ["", "/colorways", "/colorways/nord", "/colorways/nord/image"])
def test_another_accounts_job_is_not_found(stage, tmp_path, idle_queue, rest):
    with on_stage(stage.ledger, tmp_path, idle_queue.grpc_address) as stranger:
        job = stranger.a_job("nord")["id"]

    answer = stage.get(f"/v1/jobs/{job}{rest}")

    assert (answer.status_code, answer.json["code"]) == (404, "not-found")


def test_colorways_are_listed_page_by_page_in_the_order_of_submission(stage):
    image = {"id": stage.an_image()}
    job = stage.post_json({"image": image, "palettes": many_palettes(7)}).json
    pages, url = [], f"{job['links']['colorways']}?limit=3"

    while url:
        page = stage.get(url).json
        pages.append([each["index"] for each in page["data"]])
        url = page["next"]

    assert pages == [[0, 1, 2], [3, 4, 5], [6]]


def test_a_list_by_status_stays_by_status_on_its_next_page(stage):
    image = {"id": stage.an_image()}
    job = stage.post_json({"image": image, "palettes": many_palettes(6)}).json["id"]
    for index in (1, 3, 4):
        completed(stage, job, index)

    first = stage.get(f"/v1/jobs/{job}/colorways?status=completed&limit=2").json
    second = stage.get(first["next"]).json

    assert [each["index"] for each in first["data"]] == [1, 3]
    assert [each["index"] for each in second["data"]] == [4]
    assert second["next"] is None


def test_a_query_that_is_not_valid_names_its_parameters(stage):
    job = stage.a_job("nord")["id"]

    answer = stage.get(f"/v1/jobs/{job}/colorways?limit=0&cursor=x&status=done&page=2")

    assert set(flaws_of(answer)) == {"limit", "cursor", "status", "page"}
    assert "pointer" not in answer.json["errors"][0]


@pytest.mark.parametrize("limit", ["-1", "501", "1.5", "", "٣", "9" * 5000])
def test_a_limit_is_a_number_within_bounds(stage, limit):
    job = stage.a_job("nord")["id"]

    answer = stage.get(f"/v1/jobs/{job}/colorways", query_string={"limit": limit})

    assert flaws_of(answer) == {"limit": "range"}


def test_one_colorway_is_shown_by_its_key(stage):
    job = stage.a_job("nord", "spring")

    answer = stage.get(f"/v1/jobs/{job['id']}/colorways/spring")

    assert answer.json == job["colorways"][1]


@pytest.mark.parametrize("key", ["other", "NORD", "a%00b", "%ff", "k" * 3000, "a%0a"])
@pytest.mark.parametrize("rest", ["", "/image"])
def test_a_key_that_is_not_there_is_not_found(stage_on_each, key, rest):
    job = stage_on_each.a_job("nord")["id"]

    answer = stage_on_each.get(f"/v1/jobs/{job}/colorways/{key}{rest}")

    assert answer.status_code == 404


def test_a_finished_picture_is_a_redirect_to_a_link_that_works(stage):
    job = stage.a_job("nord")["id"]
    completed(stage, job)
    key = "account/colorways/fingerprint/nord-1.png"
    with stage.ledger.transaction() as session:
        session.execute(update(renditions).values(key=key))
    store(stage, key, b"picture")
    store(stage, thumbnail_key(key), b"thumbnail")

    answer = stage.get(f"/v1/jobs/{job}/colorways/nord/image")
    small = stage.get(f"/v1/jobs/{job}/colorways/nord/image?thumbnail=1")

    assert (answer.status_code, small.status_code) == (307, 307)
    assert answer.headers["Cache-Control"] == "private, no-cache"
    assert stage.follow(answer).data == b"picture"
    assert stage.follow(small).data == b"thumbnail"


def store(stage: Stage, key: str, data: bytes) -> None:
    stage.store.put(key, BytesIO(data), size=len(data), sha256="", media_type="image/png")


@pytest.mark.parametrize("wanted", ["", "?thumbnail=1"])
def test_a_picture_that_was_lost_is_no_redirect_to_nothing_and_is_rendered_again(stage, wanted):
    job = stage.a_job("nord")["id"]
    completed(stage, job)

    lost = stage.get(f"/v1/jobs/{job}/colorways/nord/image{wanted}")
    stage.machinery.reconciler.reconcile(now=datetime.now(UTC))
    reopened = stage.get(f"/v1/jobs/{job}").json

    assert (lost.status_code, lost.json["code"], lost.json["retryable"]) == (409, "not-ready", True)
    assert lost.headers["Retry-After"] == "2"
    assert (reopened["done"], reopened["counts"]["pending"]) == (False, 1)
    assert reopened["colorways"][0]["error"]["code"] == "object-missing"


def test_a_picture_that_is_not_there_yet_is_worth_another_try(stage):
    job = stage.a_job("nord")["id"]

    answer = stage.get(f"/v1/jobs/{job}/colorways/nord/image")

    assert (answer.status_code, answer.json["code"]) == (409, "not-ready")
    assert answer.json["retryable"] is True
    assert answer.headers["Retry-After"] == "2"


def test_a_thumbnail_is_asked_for_by_one(stage):
    job = stage.a_job("nord")["id"]

    answer = stage.get(f"/v1/jobs/{job}/colorways/nord/image?thumbnail=yes")

    assert flaws_of(answer) == {"thumbnail": "enum"}


def test_reading_takes_the_read_scope_and_submitting_the_other(stage):
    job = stage.a_job("nord")["id"]
    document = {"image": {"id": stage.an_image()}, "palettes": palettes("nord")}
    reader, submitter = stage.a_key("read"), stage.a_key("submit")

    assert stage.get(f"/v1/jobs/{job}", headers=reader).status_code == 200
    assert stage.post("/v1/jobs", json=document, headers=submitter).status_code == 202
    for refused in (
        stage.post("/v1/jobs", json=document, headers=reader),
        stage.get(f"/v1/jobs/{job}", headers=submitter),
    ):
        assert (refused.status_code, refused.json["code"]) == (403, "forbidden")


def test_who_has_no_valid_key_is_nobody(stage):
    path = stage.a_job("nord")["links"]["self"]
    over = stage.a_key("read", expires_at=datetime.now(UTC) - MINUTE)["Authorization"]

    for authorization in ("", "Bearer", "Bearer ", "Bearer cw_wrong", "Basic eDp5", over, "ä"):
        answer = stage.client.get(path, headers={"Authorization": authorization})

        assert (answer.status_code, answer.json["code"]) == (401, "unauthenticated")
        assert answer.headers["WWW-Authenticate"] == "Bearer"
