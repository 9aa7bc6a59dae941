"""/v1/images: a source uploaded once; and the links to finished pictures."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from hashlib import sha256
from io import BytesIO

import pytest

from tests.dispatcher.stage import Stage, a_picture, a_png, multipart, on_stage

KEY = "account/colorways/fingerprint/nord-1.png"
HOUR = timedelta(hours=1)


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


@pytest.mark.parametrize("media_type", ["application/json", "text/html"])
def test_another_media_type_is_not_read(stage, media_type):
    answer = stage.post("/v1/images", data=a_png(), content_type=media_type)

    assert (answer.status_code, answer.json["code"]) == (415, "media-type")


def a_link(stage: Stage, key: str = KEY, *, lasts: timedelta = HOUR, data: bytes = b"pic") -> str:
    stage.store.put(key, BytesIO(data), size=len(data), sha256="", media_type="image/png")
    return stage.store.signed_url(key, expires_in=lasts, download_name="nord.png")


def test_a_link_gives_the_picture_to_whoever_has_it(stage):
    answer = stage.client.get(a_link(stage), buffered=True)

    assert (answer.status_code, answer.data) == (200, b"pic")
    assert answer.headers["Content-Type"] == "image/png"
    assert answer.headers["Content-Length"] == "3"
    assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert answer.headers["Content-Disposition"] == "inline; filename=nord.png"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_a_link_can_be_asked_for_its_size_alone(stage):
    answer = stage.client.head(a_link(stage), buffered=True)

    assert (answer.status_code, answer.data) == (200, b"")
    assert answer.headers["Content-Length"] == "3"


@pytest.mark.parametrize(
    ("part", "instead"),
    [
        ("nord-1.png", "nord-2.png"),
        ("account/", "../account/"),
        ("account/", "%2e%2e/account/"),
        ("name=nord.png", "name=evil.html"),
        ("name=nord.png", "name=a%0Ab"),
        ("expires=", "expires=9"),
        ("expires=", "expires=x"),
        ("expires=", "other="),
        ("signature=", "signature=0"),
        ("signature=", "signature=%ff"),
        ("signature=", "other="),
    ],
)
def test_a_link_tampered_with_leads_nowhere(stage, part, instead):
    link = a_link(stage)

    answer = stage.client.get(link.replace(part, instead))

    assert part in link
    assert (answer.status_code, answer.json["code"]) == (404, "not-found")


def test_a_link_leads_nowhere_once_it_has_expired(stage):
    answer = stage.client.get(a_link(stage, lasts=timedelta(seconds=-1)))

    assert answer.status_code == 404


def test_a_link_to_a_source_leads_nowhere(stage):
    stage.an_image()
    (source,) = stage.stored_keys()

    answer = stage.client.get(
        stage.store.signed_url(source, expires_in=HOUR, download_name="source.png")
    )

    assert answer.status_code == 404


def test_a_link_to_a_picture_that_is_gone_leads_nowhere(stage):
    link = a_link(stage)
    stage.store.delete(KEY)

    answer = stage.client.get(link)

    assert answer.status_code == 404


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
