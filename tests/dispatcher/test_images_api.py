"""/v1/images: a source uploaded once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256

import pytest

from tests.dispatcher.stage import Stage, a_picture, a_png, multipart, on_stage


@pytest.mark.parametrize("kind", ["png", "jpeg", "webp", "gif", "avif", "tiff"])
def test_each_format_is_taken_and_described(stage, kind):
    picture = a_picture(kind, (40, 30))

    answer = stage.post("/v1/images", data=picture, content_type="application/octet-stream")

    image = answer.json
    assert answer.status_code == 201
    assert answer.headers["Location"] == f"/v1/images/{image['id']}"
    assert (image["format"], image["width"], image["height"]) == (kind, 40, 30)
    assert (image["bytes"], image["sha256"]) == (len(picture), sha256(picture).hexdigest())
    assert stage.get(answer.headers["Location"]).json == image


def test_the_same_bytes_are_the_same_image(stage):
    first = stage.post("/v1/images", data=a_png(), content_type="image/png")
    second = stage.post("/v1/images", **multipart(("image", a_png())))

    assert (first.status_code, second.status_code) == (201, 200)
    assert first.json == second.json


def test_bytes_that_got_lost_in_the_store_are_stored_again(stage):
    stage.an_image()
    (key,) = stage.stored_keys()
    stage.store.delete(key)

    stage.an_image()

    assert stage.stored_keys() == [key]


def test_another_accounts_image_is_not_found(stage, tmp_path, idle_queue):
    with on_stage(stage.ledger, tmp_path, idle_queue.grpc_address) as stranger:
        image = stranger.an_image()

    answer = stage.get(f"/v1/images/{image}")

    assert (answer.status_code, answer.json["code"]) == (404, "not-found")


@pytest.mark.parametrize("media_type", ["application/jsonl", "text/html"])
def test_another_media_type_is_not_read(stage, media_type):
    answer = stage.post("/v1/images", data=a_png(), content_type=media_type)

    assert (answer.status_code, answer.json["code"]) == (415, "media-type")


def test_the_same_picture_sent_by_many_at_once_is_kept_once(stage):
    with ThreadPoolExecutor(4) as threads:
        ids = set(threads.map(lambda _: send(stage), range(8)))

    assert len(ids) == 1
    assert len(stage.stored_keys()) == 1


def send(stage: Stage) -> str:
    client = stage.app.test_client()
    answer = client.post(
        "/v1/images", data=a_png(), content_type="image/png", headers=stage.headers
    )
    return str(answer.json["id"])
