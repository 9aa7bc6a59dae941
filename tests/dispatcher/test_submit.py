"""A job is accepted: what is answered, what is recorded, and what that costs."""

from __future__ import annotations

import json
from typing import Any

import pytest
from sqlalchemy import event, func, select

from colorway.fingerprint import ENGINE_VERSION
from colorway.ledger.tables import images, jobs
from tests.dispatcher.stage import (
    Stage,
    a_job_part,
    a_picture,
    a_png,
    many_palettes,
    on_stage,
    palettes,
)


def test_a_job_with_its_picture_is_accepted(stage_on_each):
    stage = stage_on_each
    part = a_job_part(palettes=palettes("Nord", "Spring"), metadata={"campaign": "spring"})

    answer = stage.post_parts(("image", a_png()), ("job", part))

    job = answer.json
    assert answer.status_code == 202
    assert answer.headers["Location"] == f"/v1/jobs/{job['id']}"
    assert answer.headers["Retry-After"] == "2"
    assert answer.headers["ETag"] == f'W/"{job["version"]}"'
    assert (job["status"], job["done"], job["progress_percent"]) == ("pending", False, 0)
    assert job["counts"]["total"] == job["counts"]["pending"] == 2
    assert [each["key"] for each in job["colorways"]] == ["nord", "spring"]
    assert (job["image"]["width"], job["image"]["height"], job["image"]["format"]) == (8, 6, "png")
    assert job["metadata"] == {"campaign": "spring"}
    assert stage.get(answer.headers["Location"]).json == job


def test_a_job_may_name_an_image_that_was_uploaded_before(stage):
    image = stage.an_image()

    answer = stage.post_json({"image": {"id": image}, "palettes": palettes("nord")})

    assert answer.status_code == 202
    assert answer.json["image"]["id"] == image


def test_the_job_part_may_be_a_file_or_a_field_and_stand_first(stage):
    as_file = stage.post_parts(("job", a_job_part().encode()), ("image", a_png()))
    as_field = stage.post_parts(("job", a_job_part()), ("image", a_png()))

    assert (as_file.status_code, as_field.status_code) == (202, 202)


def test_a_part_may_be_larger_than_what_is_kept_in_memory(stage):
    picture = a_png() + b"\r\n--limi" * 300_000  # and look like a boundary, almost

    answer = stage.post_parts(("image", picture), ("job", a_job_part()))

    assert answer.status_code == 202
    assert answer.json["image"]["bytes"] == len(picture)
    with stage.store.open(stage.stored_keys()[0]) as stored:
        assert stored.read() == picture


def test_every_option_is_recorded_and_told_as_resolved(stage):
    job = stage.a_job(
        "nord",
        render={"strength": 0.5},
        output={"format": "webp", "max_edge": 100},
        priority="high",
        on_error="stop",
        reuse="force",
    )

    assert job["render"] == {
        "strength": 0.5,
        "preserve_luminance": True,
        "engine_version": ENGINE_VERSION,
    }
    assert job["output"]["format"] == "webp"
    assert job["output"]["max_edge"] == 100
    assert job["output"]["thumbnail_edge"] == 320
    assert (job["priority"], job["on_error"], job["reuse"]) == ("high", "stop", "force")


def test_keys_default_to_a_slug_of_the_name_and_colours_are_spelt_out(stage):
    image = stage.an_image()
    long = "A" * 100
    wanted = [
        {"name": "Früh & Spät", "colors": ["#abc", "#FFFFFF"]},
        {"name": "春", "colors": ["#000000", "#ffffff"]},
        {"name": long, "colors": ["#000000", "#ffffff"]},
        {"key": "k" * 63, "name": "Given", "colors": ["#000000", "#ffffff"]},
        {"key": None, "name": "None given", "colors": ["#000000", "#ffffff"]},
    ]

    job = stage.post_json({"image": {"id": image}, "palettes": wanted}).json

    keys = [each["key"] for each in job["colorways"]]
    assert keys[0] == "fruh-spat"
    assert len(keys[1]) == 16
    assert keys[2:] == ["a" * 63, "k" * 63, "none-given"]
    assert job["colorways"][0]["colors"] == ["#aabbcc", "#ffffff"]


def test_only_the_first_hundred_colorways_come_with_the_job(stage):
    image = stage.an_image()

    job = stage.post_json({"image": {"id": image}, "palettes": many_palettes(101)}).json

    assert len(job["colorways"]) == 100
    following = stage.get(job["colorways_next"]).json
    assert [each["index"] for each in following["data"]] == [100]
    assert following["next"] is None


def test_the_same_picture_is_stored_once(stage):
    first = stage.post_parts(("image", a_png()), ("job", a_job_part())).json
    second = stage.post_parts(("image", a_png()), ("job", a_job_part())).json

    assert first["image"]["id"] == second["image"]["id"]
    assert first["id"] != second["id"]
    assert len(stage.stored_keys()) == 1


def test_a_job_that_is_not_valid_records_nothing(stage):
    answer = stage.post_parts(("image", a_png()), ("job", a_job_part(palettes=[])))

    with stage.ledger.reading() as session:
        count = session.scalar(select(func.count()).select_from(jobs))
        pictures = session.scalar(select(func.count()).select_from(images))
    assert answer.status_code == 422
    assert (count, pictures) == (0, 0)
    assert stage.stored_keys() == []


def test_an_unknown_image_is_not_found_and_another_accounts_neither(stage, tmp_path, idle_queue):
    document: dict[str, Any] = {"palettes": palettes("nord")}
    unknown = "01980000-0000-7000-8000-000000000000"
    with on_stage(stage.ledger, tmp_path, idle_queue.grpc_address) as stranger:
        foreign = stranger.an_image(a_picture(color=7))

        answers = [
            stage.post_json(document | {"image": {"id": image}}) for image in (unknown, foreign)
        ]

    assert [answer.status_code for answer in answers] == [404, 404]
    assert {answer.json["code"] for answer in answers} == {"not-found"}


@pytest.mark.parametrize("names", ["text in quotes", "half a 😀, ü and ﷽", "\\ / ~ \u0001"])
def test_odd_names_come_back_as_they_were_sent(stage_on_each, names):
    job = stage_on_each.a_job(names, metadata={names: names})

    assert job["colorways"][0]["name"] == names
    assert job["metadata"] == {names: names}


def test_the_number_of_statements_does_not_grow_with_the_palettes(stage):
    few, many = statements_of(stage, 1), statements_of(stage, 500)

    assert few == many
    assert few > 5


def statements_of(stage: Stage, count: int) -> int:
    part = json.dumps({"palettes": many_palettes(count)})
    statements: list[str] = []

    def note(*details: Any) -> None:
        statements.append(details[2])

    event.listen(stage.machinery.ledger.engine, "before_cursor_execute", note)
    try:
        answer = stage.post_parts(("image", a_png(color=count)), ("job", part))
    finally:
        event.remove(stage.machinery.ledger.engine, "before_cursor_execute", note)
    assert answer.status_code == 202
    return len(statements)
