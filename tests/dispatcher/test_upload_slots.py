"""An upload slot as a client meets it: announce a source, put it into the store, confirm it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from hashlib import sha256
from io import BytesIO
from typing import get_args
from uuid import UUID

import pytest
from sqlalchemy import select, update

from colorway.ledger.tables import images, upload_slots
from dispatcher.api.upload_slots import SlotIn
from dispatcher.picture_header import FORMATS
from tests.builders import MINUTE, NOON
from tests.dispatcher.stage import Stage, a_picture, a_png, flaws_of, on_stage, palettes

NOWHERE = "01980000-0000-7000-8000-000000000000"
PNG = a_png()


def expire(stage: Stage, slot: str) -> None:
    with stage.ledger.transaction() as session:
        row = upload_slots.c.id == UUID(slot)
        session.execute(update(upload_slots).where(row).values(expires_at=NOON.replace(year=2020)))


def test_a_picture_put_into_a_slot_becomes_an_image_when_it_is_confirmed(stage_on_each):
    stage = stage_on_each

    slot = stage.announce(PNG)
    put = stage.put(slot.json, PNG)
    before = stage.get(f"/v1/images/{slot.json['id']}")
    image = stage.confirm(slot.json["id"])

    assert (slot.status_code, put.status_code, image.status_code) == (201, 204, 200)
    assert before.status_code == 404
    assert image.json["id"] == slot.json["id"]
    assert (image.json["format"], image.json["width"], image.json["height"]) == ("png", 8, 6)
    assert (image.json["bytes"], image.json["sha256"]) == (len(PNG), sha256(PNG).hexdigest())
    assert stage.get(image.headers["Location"]).json == image.json


def test_a_slot_says_how_to_use_it_and_until_when(stage):
    slot = stage.announce(PNG).json

    how = slot.pop("upload")
    assert set(slot) == {"id", "object"}
    assert slot["object"] == "upload_slot"
    assert (how["method"], how["headers"]) == ("PUT", {"Content-Type": "image/png"})
    expires_in = datetime.fromisoformat(how["expires_at"]) - datetime.now(UTC)
    assert timedelta(minutes=59) < expires_in <= timedelta(hours=1)


def test_a_slots_url_begins_with_the_address_that_the_client_has_used(stage):
    slot = stage.post(
        "/v1/images",
        base_url="https://colorway.example:8443",
        json={"filename": "a", "bytes": 1, "sha256": "0" * 64, "content_type": "image/png"},
    )

    place = f"https://colorway.example:8443/files/{stage.account}/uploads/{slot.json['id']}?"
    assert slot.json["upload"]["url"].startswith(place)


def test_nothing_stays_of_a_slot_but_its_image(stage):
    slot = stage.a_slot(PNG)

    stage.confirm(slot)

    [key] = stage.stored_keys()
    assert key.startswith(f"{stage.account}/sources/{sha256(PNG).hexdigest()}-")
    with stage.store.open(key) as source:
        assert source.read() == PNG


def test_confirming_twice_is_confirming_once(stage_on_each):
    slot = stage_on_each.a_slot(PNG)

    first, second = stage_on_each.confirm(slot), stage_on_each.confirm(slot)
    expire(stage_on_each, slot)
    later = stage_on_each.confirm(slot)

    assert [answer.status_code for answer in (first, second, later)] == [200, 200, 200]
    assert first.json == second.json == later.json


def test_a_confirmed_image_is_one_like_any_other(stage):
    slot = stage.a_slot(PNG)
    stage.confirm(slot)

    sent_again = stage.an_image(PNG)
    job = stage.post_json({"image": {"id": slot}, "palettes": palettes("nord")})

    assert sent_again == slot
    assert (job.status_code, job.json["image"]["id"]) == (202, slot)


def test_a_confirmed_image_is_deleted_with_its_slot(stage_on_each):
    stage = stage_on_each
    slot = stage.a_slot(PNG)
    stage.confirm(slot)

    deleted = stage.client.delete(f"/v1/images/{slot}", headers=stage.headers)

    assert deleted.status_code == 204
    assert stage.stored_keys() == []
    assert stage.confirm(slot).status_code == 404
    assert stage.announce(PNG).status_code == 201


def test_bytes_that_are_here_already_need_no_slot(stage):
    image = stage.an_image(PNG)

    answer = stage.announce(PNG)

    assert (answer.status_code, answer.json["id"]) == (200, image)
    assert answer.headers["Location"] == f"/v1/images/{image}"
    assert answer.json == stage.get(f"/v1/images/{image}").json


def test_a_source_that_is_sent_or_announced_again_is_wanted_again(stage_on_each):
    stage, long_ago = stage_on_each, datetime(2020, 1, 1, tzinfo=UTC)
    slot = stage.a_slot(a_png())
    ways = (
        lambda: stage.an_image(a_png()),
        lambda: stage.announce(a_png()),
        lambda: stage.confirm(slot),
    )
    stage.an_image(a_png())

    for send_again in ways:
        with stage.ledger.transaction() as session:
            session.execute(update(images).values(wanted_at=long_ago))
        send_again()

        with stage.ledger.reading() as session:
            wanted_at = session.scalars(select(images.c.wanted_at)).one()
        assert datetime.now(UTC) - wanted_at < MINUTE


def test_bytes_that_another_account_has_tell_nothing_to_this_one(stage, tmp_path, idle_queue):
    with on_stage(stage.ledger, tmp_path, idle_queue.grpc_address) as other:
        other.an_image(PNG)

    assert stage.announce(PNG).status_code == 201


def test_bytes_that_got_lost_in_the_store_come_back_through_a_slot(stage):
    image = stage.an_image(PNG)
    [key] = stage.stored_keys()
    stage.store.delete(key)

    slot = stage.a_slot(PNG)
    answer = stage.confirm(slot)

    assert (answer.status_code, answer.json["id"]) == (200, image)
    assert stage.stored_keys() == [key]


def test_the_same_bytes_that_came_in_meanwhile_are_the_image(stage_on_each):
    stage = stage_on_each
    slot = stage.a_slot(PNG)
    image = stage.an_image(PNG)

    answers = [stage.confirm(slot), stage.confirm(slot)]

    assert [(answer.status_code, answer.json["id"]) for answer in answers] == [(200, image)] * 2
    assert stage.get(f"/v1/images/{slot}").status_code == 404
    assert len(stage.stored_keys()) == 1


def test_nothing_put_yet_is_not_ready(stage):
    slot = stage.announce(PNG).json["id"]

    answer = stage.confirm(slot)

    assert (answer.status_code, answer.json["code"]) == (409, "not-ready")
    assert (answer.headers["Retry-After"], answer.json["retryable"]) == ("2", True)


def test_a_slot_that_has_expired_is_of_no_use(stage):
    slot = stage.a_slot(PNG)
    expire(stage, slot)

    answer = stage.confirm(slot)

    assert (answer.status_code, answer.json["code"]) == (410, "expired")
    assert "2020-01-01 12:00:00 UTC" in answer.json["detail"]
    assert stage.get(f"/v1/images/{slot}").status_code == 404


def test_a_slot_works_as_long_as_the_settings_say(sqlite_ledger, tmp_path, idle_queue):
    hardly = {"slots_work_for": timedelta(microseconds=1)}
    with on_stage(sqlite_ledger, tmp_path, idle_queue.grpc_address, **hardly) as stage:
        slot = stage.announce(PNG).json
        answers = [stage.put(slot, PNG), stage.confirm(slot["id"])]

    assert [answer.status_code for answer in answers] == [410, 410]


@pytest.mark.parametrize(
    ("put", "told", "flaws"),
    [
        (PNG, {"sha256": "0" * 64}, {"#/sha256": "differs"}),
        (b"x" * len(PNG), {}, {"#/sha256": "differs"}),
        (PNG + b"x", {}, {"#/bytes": "differs"}),
        (PNG[:-1], {}, {"#/bytes": "differs"}),
        (b"", {}, {"#/bytes": "differs"}),
    ],
    ids=["other hash", "other bytes", "too large", "too small", "nothing"],
)
def test_what_is_not_what_was_announced_does_not_become_an_image(stage, put, told, flaws):
    slot = stage.announce(PNG, **told).json["id"]
    key = f"{stage.account}/uploads/{slot}"
    stage.store.fill_slot(key, BytesIO(put), size=len(put))  # as a store that checks no size

    answer = stage.confirm(slot)

    assert answer.json["code"] == "validation"
    assert flaws_of(answer) == flaws
    assert stage.stored_keys() == [key]
    assert stage.get(f"/v1/images/{slot}").status_code == 404


@pytest.mark.parametrize(
    ("picture", "code"),
    [
        (b"no picture", "image-undecodable"),
        (a_picture("gif", (40, 26)), "image-too-many-pixels"),
    ],
)
def test_what_is_no_picture_that_we_take_does_not_become_an_image(
    sqlite_ledger, tmp_path, idle_queue, picture, code
):
    with on_stage(sqlite_ledger, tmp_path, idle_queue.grpc_address, max_pixels=1000) as stage:
        slot = stage.a_slot(picture)

        answer = stage.confirm(slot)

        assert (answer.status_code, answer.json["code"]) == (422, code)
        assert stage.stored_keys() == [f"{stage.account}/uploads/{slot}"]


@pytest.mark.parametrize("kind", FORMATS)
def test_each_format_is_taken_whatever_it_was_announced_as(stage, kind):
    picture = a_picture(kind, (40, 30))

    answer = stage.confirm(stage.a_slot(picture))

    assert (answer.json["format"], answer.json["width"]) == (kind, 40)
    assert get_args(SlotIn.model_fields["content_type"].annotation) == tuple(
        f"image/{name}" for name in FORMATS
    )


def test_a_slot_of_another_account_is_not_found(stage, tmp_path, idle_queue):
    with on_stage(stage.ledger, tmp_path, idle_queue.grpc_address) as other:
        slot = other.a_slot(PNG)

    answers = [stage.confirm(slot), stage.confirm(NOWHERE)]

    assert [answer.json["code"] for answer in answers] == ["not-found"] * 2


@pytest.mark.parametrize(
    ("differs", "flaws"),
    [
        ({"bytes": 0}, {"#/bytes": "greater-than-equal"}),
        ({"bytes": "10"}, {"#/bytes": "int-type"}),
        ({"bytes": 1.5}, {"#/bytes": "int-type"}),
        ({"bytes": True}, {"#/bytes": "int-type"}),
        ({"sha256": "A" * 64}, {"#/sha256": "string-pattern-mismatch"}),
        ({"sha256": "a" * 65}, {"#/sha256": "string-pattern-mismatch"}),
        ({"sha256": "a" * 64 + "\n"}, {"#/sha256": "string-pattern-mismatch"}),
        ({"content_type": "image/bmp"}, {"#/content_type": "literal-error"}),
        ({"content_type": "image/PNG"}, {"#/content_type": "literal-error"}),
        ({"filename": ""}, {"#/filename": "string-too-short"}),
        ({"filename": "x" * 256}, {"#/filename": "string-too-long"}),
        ({"filename": "a\nb.png"}, {"#/filename": "string-pattern-mismatch"}),
        ({"file_name": "a"}, {"#/file_name": "extra-forbidden"}),
        (
            {"bytes": None, "sha256": 1, "content_type": "", "x": 1},
            {
                "#/bytes": "int-type",
                "#/sha256": "string-type",
                "#/content_type": "literal-error",
                "#/x": "extra-forbidden",
            },
        ),
    ],
    ids=str,
)
def test_all_that_is_wrong_with_an_announcement_is_told_at_once(stage, differs, flaws):
    answer = stage.announce(PNG, **differs)

    assert flaws_of(answer) == flaws


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"bytes": 1, "bytes": 2}', b'{"bytes": NaN}'])
def test_what_is_no_announcement_is_refused(stage, body):
    answer = stage.post("/v1/images", data=body, content_type="application/json")

    assert answer.status_code == (422 if body == b"[]" else 400)


def test_a_slot_takes_as_many_bytes_as_a_request_and_no_more(sqlite_ledger, tmp_path, idle_queue):
    limits = {"max_upload_bytes": 1000}
    with on_stage(sqlite_ledger, tmp_path, idle_queue.grpc_address, **limits) as stage:
        fits = stage.announce(PNG + b"x" * (1000 - len(PNG)))
        refused = [stage.announce(PNG, bytes=size) for size in (1001, 10**30)]

    assert fits.status_code == 201
    for answer in refused:
        assert (answer.status_code, answer.json["code"]) == (413, "too-large")
        assert "1000 bytes" in answer.json["detail"]


def test_a_confirmation_takes_neither_body_nor_parameters(stage):
    slot = stage.a_slot(PNG)

    answers = [
        stage.confirm(slot, json={"sha256": "0" * 64}),
        stage.confirm(slot, query_string={"force": "1"}),
    ]

    assert [answer.status_code for answer in answers] == [422, 422]
    assert stage.get(f"/v1/images/{slot}").status_code == 404


def test_a_key_that_only_reads_gets_no_slot_and_confirms_none(stage):
    slot, reader = stage.a_slot(PNG), stage.a_key("read")

    answers = [
        stage.post("/v1/images", json={}, headers=reader),
        stage.confirm(slot, headers=reader),
    ]

    assert [answer.status_code for answer in answers] == [403, 403]


def test_a_slot_used_again_after_it_was_confirmed_changes_nothing(stage):
    slot = stage.announce(PNG).json
    stage.put(slot, PNG)
    image = stage.confirm(slot["id"]).json
    [source] = stage.stored_keys()

    stage.put(slot, b"x" * len(PNG))

    assert stage.confirm(slot["id"]).json == image
    with stage.store.open(source) as stored:
        assert stored.read() == PNG
