"""`duplicates` of an image: a hint about what else the account has."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from colorway.ledger.images import note_hashes
from colorway.perceptual_hashes import PerceptualHashes
from tests.dispatcher.stage import Stage, a_png, on_stage

ITS = PerceptualHashes(phash=-3, ahash=7, dhash=1 << 40, whash=99)
ALIKE = ITS._replace(phash=-4, dhash=(1 << 40) + 3, whash=96)


def seen(stage: Stage, color: int, hashes: PerceptualHashes) -> str:
    """Upload a picture, and let a worker say what it looks like."""
    image = stage.an_image(a_png(color))
    with stage.ledger.transaction() as session:
        note_hashes(session, UUID(image), hashes)
    return image


def duplicates(stage: Stage, image: str) -> Any:
    return stage.get(f"/v1/images/{image}").json["duplicates"]


def test_nothing_is_said_of_what_no_worker_has_seen(stage_on_each):
    seen(stage_on_each, 1, ITS)

    answer = stage_on_each.post("/v1/images", data=a_png(2), content_type="image/png")

    assert answer.status_code == 201
    assert answer.json["duplicates"] == {"exact": [], "near": None}


def test_an_image_names_those_that_look_like_it(stage_on_each):
    stage = stage_on_each
    mine, same, alike = (seen(stage, *it) for it in ((1, ITS), (2, ITS), (3, ALIKE)))
    seen(stage, 4, PerceptualHashes(*[1 << 62 | 0xFFFF] * 4))

    assert duplicates(stage, mine) == {"exact": [same], "near": [{"id": alike, "distance": 2}]}
    assert duplicates(stage, alike)["exact"] == []


def test_whoever_sends_the_same_bytes_again_is_told_too(stage):
    mine, same = seen(stage, 1, ITS), seen(stage, 2, ITS)

    uploaded = stage.post("/v1/images", data=a_png(1), content_type="image/png")
    announced = stage.announce(a_png(1))

    assert (uploaded.status_code, announced.status_code) == (200, 200)
    assert uploaded.json == announced.json == stage.get(f"/v1/images/{mine}").json
    assert uploaded.json["duplicates"]["exact"] == [same]


def test_a_slot_of_bytes_that_are_known_meanwhile_tells_of_them(stage):
    slot = stage.a_slot(a_png(1))
    seen(stage, 1, ITS)
    same = seen(stage, 2, ITS)

    confirmed = stage.confirm(slot)

    assert confirmed.json["duplicates"] == {"exact": [same], "near": []}


def test_another_accounts_images_are_never_named(stage, tmp_path, idle_queue):
    with on_stage(stage.ledger, tmp_path, idle_queue.grpc_address) as stranger:
        seen(stranger, 1, ITS)
        seen(stranger, 2, ALIKE)

    assert duplicates(stage, seen(stage, 1, ITS)) == {"exact": [], "near": []}


def test_a_deleted_image_is_named_no_longer(stage):
    mine, same, alike = (seen(stage, *it) for it in ((1, ITS), (2, ITS), (3, ALIKE)))

    for image in (same, alike):
        stage.client.delete(f"/v1/images/{image}", headers=stage.headers)

    assert duplicates(stage, mine) == {"exact": [], "near": []}


def test_a_job_tells_of_its_source_and_of_no_other(stage):
    image = seen(stage, 1, ITS)
    seen(stage, 2, ITS)

    job = stage.post_json({"image": {"id": image}, "palettes": [NORD]}).json

    assert job["image"]["id"] == image
    assert "duplicates" not in job["image"]


NORD = {"name": "Nord", "colors": ["#2e3440", "#eceff4"]}
