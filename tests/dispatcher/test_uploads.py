"""Bodies that carry a picture: in parts or alone, broken, too large, or too many at once."""

from __future__ import annotations

from datetime import timedelta

import pytest
from flask import Request, g
from werkzeug.test import EnvironBuilder

from colorway.errors import TooLarge, TryLater
from colorway.ledger.accounts import issue_key, open_account
from dispatcher.api.uploads import Uploads
from dispatcher.places import Places
from tests.builders import NOON
from tests.dispatcher.stage import (
    Stage,
    a_job_part,
    a_picture,
    a_png,
    flaws_of,
    multipart,
    on_stage,
)

LARGE = a_png() + b"x" * 2_000_000
PART = b'--limit\r\nContent-Disposition: form-data; name="job"\r\n\r\n{}'


@pytest.mark.parametrize(
    ("parts", "code"),
    [
        ((), "missing-part"),
        ((("image", b"x"),), "missing-part"),
        ((("job", "{}"),), "missing-part"),
        ((("image", b"x"), ("image", b"y"), ("job", "{}")), "part-twice"),
        ((("image", b"x"), ("job", "{}"), ("job", b"{}")), "part-twice"),
        ((("image", b"x"), ("job", "{}"), ("jobs", "{}")), "unknown-part"),
        (tuple((f"part {number}", "") for number in range(10_000)), "unknown-part"),
        ((("image", b"x"),) * 10_000, "part-twice"),
        ((("image", b"x"), ("job[]", "{}")), "unknown-part"),
        ((("image", b"x"), ("JOB", "{}")), "unknown-part"),
        ((("image", b"x"), ("job\0", "{}")), "unknown-part"),
    ],
)
def test_the_parts_are_one_image_and_one_job(stage, parts, code):
    answer = stage.post_parts(*parts)

    assert {flaw["code"] for flaw in answer.json["errors"]} == {code}
    assert answer.status_code == 422


@pytest.mark.parametrize(
    ("body", "media_type"),
    [
        (PART + b"\r\n--limit--\r\n", "multipart/form-data"),
        (PART + b"\r\n--limit--\r\n", "multipart/form-data; boundary="),
        (PART, "multipart/form-data; boundary=limit"),
        (b"\r\n", "multipart/form-data; boundary=limit"),
        (b"no parts at all", "multipart/form-data; boundary=limit"),
        (b"--limit\r\nno header\r\n\r\n{}\r\n--limit--", "multipart/form-data; boundary=limit"),
        (b"--limit\r\n\xff\xfe: x\r\n\r\n{}\r\n--limit--", "multipart/form-data; boundary=limit"),
        (b"--limit\r\nContent-Disp", "multipart/form-data; boundary=limit"),
        (PART + b"\r\n--limit--\r\n", "multipart/form-data; boundary=other"),
        (PART + b"\r\n--limit--\r\n", "multipart/form-data; boundary*=utf-8''%ff%00"),
        (PART + b"\r\n--limit--\r\n", "multipart/form-data; boundary*=utf-16''%d8%00"),
        (PART + b"\r\n--limit-", "multipart/form-data; boundary=limit"),
    ],
)
def test_a_body_that_is_not_multipart_is_malformed(stage, body, media_type):
    answer = stage.post("/v1/jobs", data=body, content_type=media_type)

    assert (answer.status_code, answer.json["code"]) == (400, "malformed")


def test_a_part_without_a_name_is_none_we_know(stage):
    body = b"--limit\r\nContent-Disposition: form-data\r\n\r\n{}\r\n--limit--\r\n"

    answer = stage.post("/v1/jobs", data=body, content_type="multipart/form-data; boundary=limit")

    assert flaws_of(answer) == {"#": "unknown-part"}


@pytest.mark.parametrize(
    "named", ["name*=utf-8''%ff%fe", "name*=utf-16''%d8%00", 'name="\xff"', "name=job; name=image"]
)
def test_a_part_with_an_odd_name_is_none_we_know(stage, named):
    part = f"--limit\r\nContent-Disposition: form-data; {named}\r\n\r\n{{}}\r\n--limit--\r\n"

    answer = stage.post(
        "/v1/jobs", data=part.encode(), content_type="multipart/form-data; boundary=limit"
    )

    assert answer.status_code == 422


def test_parts_within_a_part_are_not_looked_for(stage):
    inner = multipart(("image", a_png()), ("job", a_job_part()))["data"].decode("latin-1")

    answer = stage.post_parts(("image", a_png()), ("job", inner.replace("limit", "inner")))

    assert (answer.status_code, answer.json["code"]) == (400, "malformed")


def test_headers_of_a_part_may_not_go_on_for_ever(stage):
    body = b"--limit\r\n" + b"x: y\r\n" * 200_000

    answer = stage.post("/v1/jobs", data=body, content_type="multipart/form-data; boundary=limit")

    assert answer.status_code == 413


@pytest.mark.parametrize("media_type", ["text/plain", "application/x-www-form-urlencoded", ""])
def test_another_media_type_is_not_read(stage, media_type):
    answer = stage.post("/v1/jobs", data=b"{}", content_type=media_type)

    assert (answer.status_code, answer.json["code"]) == (415, "media-type")


@pytest.mark.parametrize("body", [b"", b"GIF", b"hello", b"<svg xmlns='x'/>", b"\0" * 100])
def test_bytes_that_are_no_picture_are_refused(stage, body):
    answer = stage.post_parts(("image", body), ("job", a_job_part()))

    assert (answer.status_code, answer.json["code"]) == (422, "image-undecodable")
    assert stage.stored_keys() == []


@pytest.fixture
def small_stage(sqlite_ledger, tmp_path, idle_queue):
    """A dispatcher that takes pictures of 1,000 bytes and 1,000 pixels, one at a time."""
    limits = {"max_upload_bytes": 1000, "max_pixels": 1000, "parallel_uploads": 1}
    with on_stage(sqlite_ledger, tmp_path, idle_queue.grpc_address, **limits) as stage:
        yield stage


def test_a_picture_may_have_just_so_many_bytes(small_stage):
    fits = a_png() + b"x" * (1000 - len(a_png()))

    answers = [
        small_stage.post_parts(("image", fits), ("job", a_job_part())),
        small_stage.post("/v1/images", data=fits, content_type="image/png"),
        small_stage.post("/v1/images", **multipart(("image", fits))),
        small_stage.post_parts(("image", fits + b"x"), ("job", a_job_part())),
        small_stage.post("/v1/images", data=fits + b"x", content_type="image/png"),
        small_stage.post("/v1/images", **multipart(("image", fits + b"x"))),
        small_stage.post_parts(("image", b"x" * 2_000_000), ("job", a_job_part())),
    ]

    assert [answer.status_code for answer in answers] == [202, 200, 200, 413, 413, 413, 413]
    for refused in answers[3:]:
        assert refused.json["code"] == "too-large"
        assert "1000 bytes, through an upload slot" in refused.json["detail"]


def test_a_picture_may_have_just_so_many_pixels(small_stage):
    fits, too_large = a_picture("gif", (40, 25)), a_picture("gif", (40, 26))

    taken = small_stage.post("/v1/images", data=fits, content_type="image/gif")
    refused = small_stage.post("/v1/images", data=too_large, content_type="image/gif")

    assert taken.status_code == 201
    assert (refused.status_code, refused.json["code"]) == (422, "image-too-many-pixels")


def test_a_body_of_unknown_length_ends_at_the_limit(small_stage):
    class Endless:
        sent = 0

        def read(self, size: int = -1) -> bytes:
            self.sent += size
            return b"x" * size

    body = Endless()

    answer = small_stage.post(
        "/v1/images",
        content_type="image/png",
        environ_overrides={"wsgi.input": body, "wsgi.input_terminated": True},
    )

    assert answer.status_code == 413
    assert "1000 bytes, through an upload slot" in answer.json["detail"]
    assert body.sent < 200_000


@pytest.fixture
def one_at_a_time() -> Uploads:
    """Room for one large picture."""
    return Uploads(
        max_bytes=3_000_000,
        max_pixels=1000,
        places=Places(1, full="full", wait_for=timedelta(milliseconds=10)),
    )


def test_while_others_send_large_pictures_one_is_asked_to_come_back(one_at_a_time):
    with (
        one_at_a_time.picture(a_request(LARGE)),
        pytest.raises(TryLater) as refusal,
        one_at_a_time.picture(a_request(LARGE)),
    ):
        pytest.fail("there was a second place")
    with one_at_a_time.picture(a_request(LARGE)) as picture:
        free_again = picture.facts.width

    assert refusal.value.retry_after == 2
    assert free_again == 8


def test_a_small_picture_needs_no_place(one_at_a_time):
    with (
        one_at_a_time.picture(a_request(LARGE)),
        one_at_a_time.picture(a_request(a_png())) as picture,
    ):
        assert picture.facts.width == 8


def test_a_large_picture_that_is_refused_gives_its_place_back(one_at_a_time):
    endless = a_request(b"x" * 3_000_001, of_known_length=False)
    with pytest.raises(TooLarge), one_at_a_time.picture(endless):
        pytest.fail("it was taken")

    with one_at_a_time.picture(a_request(LARGE)) as picture:
        assert picture.facts.bytes == len(LARGE)


def a_request(body: bytes, *, of_known_length: bool = True) -> Request:
    environ = EnvironBuilder(method="POST", data=body, content_type="image/png").get_environ()
    if not of_known_length:
        del environ["CONTENT_LENGTH"]
        environ["wsgi.input_terminated"] = True
    return Request(environ)


def test_one_account_leaves_a_place_for_large_pictures_to_the_others(stage: Stage) -> None:
    places = stage.app.extensions["machinery"].uploads.places
    with stage.app.test_request_context():
        g.account = stage.account
        held = [places.take() for _ in range(3)]
    large = a_png() + bytes(2_000_000)

    own = stage.post("/v1/images", data=large, content_type="image/png")
    with stage.ledger.transaction() as session:
        other = issue_key(session, open_account(session, "agency", now=NOON), now=NOON)
    others = stage.client.post(
        "/v1/images",
        data=large,
        content_type="image/png",
        headers={"Authorization": f"Bearer {other}"},
    )
    for place in held:
        place.close()

    assert (own.status_code, own.json["code"]) == (503, "unavailable")
    assert others.status_code == 201
