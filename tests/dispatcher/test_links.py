"""/files: what the signed links of the local folder allow, and nothing else."""

from __future__ import annotations

from datetime import timedelta
from io import BytesIO

import pytest

from tests.dispatcher.stage import Stage

KEY = "account/colorways/fingerprint/nord-1.png"
SLOT = "account/uploads/slot"
HOUR = timedelta(hours=1)
CHUNKED = {"wsgi.input_terminated": True, "HTTP_TRANSFER_ENCODING": "chunked"}
EXPIRED = timedelta(seconds=-1)


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


def test_a_link_promises_no_ranges_for_it_gives_none(stage):
    answer = stage.client.get(a_link(stage), headers={"Range": "bytes=0-1"}, buffered=True)

    assert (answer.status_code, answer.data) == (200, b"pic")
    assert "Accept-Ranges" not in answer.headers


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


def test_a_link_says_that_it_has_expired(stage):
    answer = stage.client.get(a_link(stage, lasts=EXPIRED))

    assert (answer.status_code, answer.json["code"]) == (410, "expired")


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


class Endless:
    """A body that goes on for as long as it is read."""

    def __init__(self) -> None:
        self.sent = 0

    def read(self, size: int = -1) -> bytes:
        self.sent += size
        return b"x" * size


def fill(stage: Stage, body: bytes = b"123456789", *, lasts: timedelta = HOUR, **options):
    """Use a slot for nine bytes of PNG with this body; `change` two parts of its link."""
    slot = stage.store.upload_slot(SLOT, size=9, media_type="image/png", expires_in=lasts)
    part, instead = options.pop("change", ("", ""))
    asked = {"headers": slot.headers, "data": body} | options
    return stage.client.open(slot.url.replace(part, instead), **{"method": slot.method} | asked)


def test_a_slot_takes_what_it_was_made_for_from_whoever_has_its_link(stage):
    answer = fill(stage)

    assert (answer.status_code, answer.data) == (204, b"")
    with stage.store.open(SLOT) as stored:
        assert stored.read() == b"123456789"


@pytest.mark.parametrize(
    ("part", "instead"),
    [
        ("uploads/slot", "uploads/another"),
        ("account/", "../account/"),
        ("bytes=9", "bytes=8"),
        ("bytes=", "other="),
        ("image%2Fpng", "text%2Fhtml"),
        ("expires=", "expires=9"),
        ("expires=", "expires=x"),
        ("expires=", "other="),
        ("signature=", "signature=0"),
        ("signature=", "other="),
    ],
)
def test_a_slots_link_tampered_with_leads_nowhere(stage, part, instead):
    answer = fill(stage, change=(part, instead))

    assert (answer.status_code, answer.json["code"]) == (404, "not-found")
    assert stage.stored_keys() == []


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "DELETE"])
def test_a_slots_link_is_for_its_method_alone(stage, method):
    fill(stage)

    answer = fill(stage, method=method)

    assert answer.status_code == (404 if method in {"GET", "HEAD"} else 405)
    assert stage.stored_keys() == [SLOT]


def test_a_slots_link_reads_nothing_even_where_its_key_is_a_pictures(stage):
    a_link(stage)
    slot = stage.store.upload_slot(KEY, size=9, media_type="image/png", expires_in=HOUR)

    names = ("", "nord.png", "9", "9%0Aimage/png")  # the last is what the signature goes on with
    answers = [stage.client.get(f"{slot.url}&name={name}") for name in names]

    assert [answer.status_code for answer in answers] == [404] * 4


def test_a_link_to_a_picture_takes_none(stage):
    link = a_link(stage)

    answer = stage.client.put(f"{link}&bytes=3&type=image/png", data=b"new")

    assert answer.status_code == 404
    assert stage.client.get(link, buffered=True).data == b"pic"


def test_a_slot_says_that_it_has_expired(stage):
    answer = fill(stage, lasts=EXPIRED)

    assert (answer.status_code, answer.json["code"]) == (410, "expired")
    assert stage.stored_keys() == []


@pytest.mark.parametrize(
    ("body", "status", "detail"),
    [
        (b"12345678", 422, "too small: 8 of the 9 bytes"),
        (b"", 422, "too small: 0 of the 9 bytes"),
        (b"1234567890", 413, "the limit is 9 bytes, as was announced"),
    ],
)
@pytest.mark.parametrize("is_chunked", [False, True])
def test_a_slot_takes_no_other_size(stage, body, status, detail, is_chunked):
    answer = fill(stage, body, environ_overrides=CHUNKED if is_chunked else {})

    assert answer.status_code == status
    assert detail in answer.json["detail"]
    assert stage.stored_keys() == []


def test_a_body_that_breaks_off_stores_nothing(stage):
    answer = fill(stage, b"1234", environ_overrides={"CONTENT_LENGTH": "9"})

    assert (answer.status_code, answer.json["code"]) == (400, "malformed")
    assert stage.stored_keys() == []


def test_a_body_without_an_end_is_not_read_to_it(stage):
    body = Endless()

    answer = fill(stage, environ_overrides=CHUNKED | {"wsgi.input": body})

    assert answer.status_code == 413
    assert body.sent < 200_000


def test_a_body_for_a_slot_that_is_filled_is_not_read_at_all(stage):
    fill(stage)
    body = Endless()

    answer = fill(stage, environ_overrides=CHUNKED | {"wsgi.input": body})

    assert answer.status_code == 409
    assert body.sent == 0


@pytest.mark.parametrize("media_type", ["image/jpeg", "text/html", ""])
def test_a_slot_takes_no_other_media_type(stage, media_type):
    answer = fill(stage, headers={"Content-Type": media_type})

    assert (answer.status_code, answer.json["code"]) == (415, "media-type")
    assert "image/png" in answer.json["detail"]
    assert stage.stored_keys() == []


@pytest.mark.parametrize("body", [b"123456789", b"987654321"])
def test_what_lies_in_a_slot_is_not_overwritten(stage, body):
    fill(stage)

    answer = fill(stage, body)

    assert (answer.status_code, answer.json["code"]) == (409, "slot-filled")
    assert answer.json["retryable"] is False
    with stage.store.open(SLOT) as stored:
        assert stored.read() == b"123456789"
