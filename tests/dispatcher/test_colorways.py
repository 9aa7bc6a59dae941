"""A job's colorways: the list, each of them, and their pictures."""

from __future__ import annotations

from datetime import UTC, datetime
from io import BytesIO

import pytest
from sqlalchemy import update

from colorway.image_keys import thumbnail_key
from colorway.ledger.tables import jobs, renditions
from tests.dispatcher.stage import Stage, flaws_of, many_palettes
from tests.dispatcher.test_show_job import completed


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


def test_a_picture_that_will_not_come_by_itself_is_not_worth_another_try(stage):
    job = stage.a_job("nord")["id"]
    stage.post(f"/v1/jobs/{job}/cancel")

    answer = stage.get(f"/v1/jobs/{job}/colorways/nord/image")

    assert (answer.status_code, answer.json["code"]) == (409, "not-ready")
    assert answer.json["retryable"] is False
    assert "Retry-After" not in answer.headers


def test_the_pictures_of_an_expired_job_are_gone(stage):
    job = stage.a_job("nord")["id"]
    completed(stage, job)
    with stage.ledger.transaction() as session:
        session.execute(update(jobs).values(expires_at=datetime.now(UTC)))

    answer = stage.get(f"/v1/jobs/{job}/colorways/nord/image")

    assert (answer.status_code, answer.json["code"]) == (410, "expired")
    assert answer.json["retryable"] is False


def test_a_thumbnail_is_asked_for_by_one(stage):
    job = stage.a_job("nord")["id"]

    answer = stage.get(f"/v1/jobs/{job}/colorways/nord/image?thumbnail=yes")

    assert flaws_of(answer) == {"thumbnail": "enum"}
