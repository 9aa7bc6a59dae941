"""What an answer of Supabase Storage, or of whatever stands before it, is taken for."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from colorway.errors import Misconfigured, NotFound, TryLater
from colorway.image_store import ImageStore
from tests.colorway.image_store.supabase_stand import KEY, SupabaseStand, keys, put
from tests.faulty_front import Answer, CutAnswer

MINUTE = timedelta(minutes=1)
HTML = b"<html><body><h1>Bad Gateway</h1></body></html>"


@pytest.fixture
def stand(supabase: SupabaseStand) -> SupabaseStand:
    return supabase


@pytest.fixture
def store(stand: SupabaseStand) -> ImageStore:
    return stand.store


def an_error(status: object, message: str, **more: str) -> bytes:
    return json.dumps({"statusCode": status, "message": message, **more}).encode()


@pytest.mark.parametrize(
    ("answer", "error", "retry_after"),
    [
        (Answer(400, body=an_error("404", "Object not found", error="not_found")), NotFound, None),
        (Answer(400, body=an_error("404", "gone", code="NoSuchKey")), NotFound, None),
        (Answer(400, body=an_error("404", "The resource was not found")), NotFound, None),
        (Answer(400, body=an_error("404", "Bucket not found")), Misconfigured, 300),
        (Answer(404, body=an_error(404, "Route GET:/object not found")), Misconfigured, 300),
        (Answer(404, body=HTML), Misconfigured, 300),
        (Answer(200, body=HTML), Misconfigured, 300),
        (Answer(200, body=b'{"size": "large"}'), Misconfigured, 300),
        (Answer(301, {"Location": "https://elsewhere.example"}), Misconfigured, 300),
        (Answer(400, body=b'["odd"]'), Misconfigured, 300),
        (Answer(400, body=an_error("many", "odd")), Misconfigured, 300),
        (Answer(400, body=an_error("415", "mime type not supported")), Misconfigured, 300),
        (Answer(401, body=b'{"message": "Invalid API key"}'), Misconfigured, 300),
        (Answer(400, body=an_error("400", "jwt expired", error="InvalidJWT")), Misconfigured, 300),
        (Answer(400, body=an_error("423", "The resource is locked")), TryLater, 5),
        (Answer(400, body=an_error("409", "Transaction failed")), TryLater, 5),
        (Answer(400, body=an_error("503", "too many connections")), TryLater, 5),
        (Answer(544, body=an_error("544", "The database timed out")), TryLater, 5),
        (Answer(500, body=an_error("500", "Internal Server Error")), TryLater, 5),
        (Answer(502, {"Content-Type": "text/html"}, HTML), TryLater, 5),
        (Answer(429, {"Retry-After": "17"}, b"slow down"), TryLater, 17),
        (Answer(429, body=an_error("429", "too many", error="too_many_connections")), TryLater, 5),
    ],
)
def test_an_answer_is_taken_for_what_it_means(stand, store, answer, error, retry_after):
    put(store)
    stand.front.fail(answer, times=1)

    with pytest.raises((NotFound, TryLater)) as raised:
        store.stat(KEY)

    assert type(raised.value) is error
    assert raised.value.retry_after == retry_after
    assert store.stat(KEY).bytes == 7  # and the connection is in order


def test_a_missing_bucket_is_never_a_missing_picture(stand):
    store = stand.with_missing_bucket()

    for call in (
        lambda: put(store),
        lambda: store.open(KEY),
        lambda: store.stat(KEY),
        lambda: store.copy(KEY, "b"),
        lambda: store.signed_url(KEY, expires_in=MINUTE, download_name="a.png"),
        lambda: store.upload_slot(KEY, size=1, media_type="image/png", expires_in=MINUTE),
        lambda: list(store.list("")),
    ):
        with pytest.raises(Misconfigured, match="bucket is not there"):
            call()


def test_every_call_but_a_put_bears_with_a_connection_that_was_dead(stand, store):
    put(store)

    for call in (
        lambda: store.stat(KEY),
        lambda: store.open(KEY).close(),
        lambda: store.copy(KEY, "b"),
        lambda: keys(store),
        lambda: store.signed_url(KEY, expires_in=MINUTE, download_name="a.png"),
        lambda: store.upload_slot("c", size=1, media_type="image/png", expires_in=MINUTE),
        lambda: store.delete("b"),
    ):
        stand.front.fail(CutAnswer(None), times=1)
        call()

        stand.front.fail(CutAnswer(None), times=2)
        with pytest.raises(TryLater):
            call()

    stand.front.fail(CutAnswer(None), times=1)
    with pytest.raises(TryLater):
        put(store)


def test_a_copy_whose_answer_got_lost_may_be_made_again(store):
    put(store)

    store.copy(KEY, "b")
    store.copy(KEY, "b")

    assert store.stat("b").bytes == 7
