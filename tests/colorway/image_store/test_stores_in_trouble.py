"""What every store over a network promises while that network, or the store, is in trouble.

Its adapter asks once: whoever called it knows how long to wait before asking again.
"""

from __future__ import annotations

import hashlib
import socket
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from io import BytesIO
from time import monotonic

import pytest
import structlog

from colorway.errors import Misconfigured, TryLater
from colorway.image_store import ImageStore
from tests.colorway.image_store.stands import FarStand
from tests.faulty_front import Answer, CutAnswer, CutRequest, Hang, HangAnswer

KEY = "account/colorways/fingerprint/nord-1.png"
BODY = bytes(range(256)) * 4096  # a MiB
BRIEFLY = 4  # seconds; a stand's adapter waits one for a connection, and one for an answer


def put(store: ImageStore, key: str = KEY, body: bytes = BODY) -> None:
    digest = hashlib.sha256(body).hexdigest()
    store.put(key, BytesIO(body), size=len(body), sha256=digest, media_type="image/png")


def read(store: ImageStore) -> bytes:
    with store.open(KEY) as body:
        return body.read()


Call = Callable[[ImageStore], object]
CALLS: dict[str, Call] = {
    "put": lambda store: put(store, "another"),
    "open": read,
    "stat": lambda store: store.stat(KEY),
    "copy": lambda store: store.copy(KEY, "another"),
    "delete": lambda store: store.delete(KEY),
    "list": lambda store: list(store.list("account/")),
}
each_call = pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)


@pytest.fixture
def far(far: FarStand) -> FarStand:
    """Each store over a network, with a picture in it."""
    put(far.store)
    far.front.seen.clear()
    return far


@pytest.mark.parametrize("tenth", range(10))
def test_an_upload_cut_at_any_tenth_of_its_body_stores_nothing(far, tenth):
    far.front.fail(CutRequest(after=len(BODY) * tenth // 10), times=1)

    with pytest.raises(TryLater):
        put(far.store, "another")

    assert [found.key for found in far.store.list("")] == [KEY]
    put(far.store, "another")
    assert far.store.stat("another").bytes == len(BODY)


def test_an_upload_whose_answer_got_lost_may_be_repeated(far):
    far.front.fail(CutAnswer(None), times=1)
    with pytest.raises(TryLater):
        put(far.store, "another")

    put(far.store, "another")

    assert far.store.stat("another").bytes == len(BODY)


def test_an_upload_says_how_long_it_is(far):
    put(far.store, "another")

    [upload] = [seen for seen in far.front.seen if seen.method in ("POST", "PUT")]
    assert int(upload.headers["Content-Length"]) >= len(BODY)
    assert upload.headers["Transfer-Encoding"] is None


@each_call
def test_a_busy_store_says_how_long_to_wait_and_is_asked_once(far, call):
    far.front.fail(Answer(429, {"Retry-After": "7"}))

    with pytest.raises(TryLater) as error:
        call(far.store)

    assert error.value.retry_after == 7
    assert len(far.front.seen) == 1


def test_a_busy_store_may_say_it_by_a_date(far):
    until = format_datetime(datetime.now(UTC) + timedelta(seconds=20), usegmt=True)
    far.front.fail(Answer(503, {"Retry-After": until}))

    with pytest.raises(TryLater) as error:
        far.store.stat(KEY)

    assert 15 <= error.value.retry_after <= 21


@pytest.mark.parametrize("said", ["", "soon", "-3", "1e9", "99999999"])
def test_an_odd_retry_after_does_no_harm(far, said):
    far.front.fail(Answer(429, {"Retry-After": said}))

    with pytest.raises(TryLater) as error:
        far.store.stat(KEY)

    assert 1 <= error.value.retry_after <= 600


@each_call
@pytest.mark.parametrize("status", [500, 503])
def test_what_a_store_answers_in_trouble_passes(far, call, status):
    far.front.fail(Answer(status, body=b"<html>an error page</html>"), times=1)

    with pytest.raises(TryLater):
        call(far.store)
    assert len(far.front.seen) == 1

    call(far.store)


@each_call
def test_a_store_that_does_not_answer_is_not_waited_for_long(far, call):
    far.front.fail(Hang())
    began = monotonic()

    with pytest.raises(TryLater):
        call(far.store)

    assert monotonic() - began < BRIEFLY
    assert len(far.front.seen) == 1


@pytest.fixture
def deaf() -> Iterator[str]:
    """The URL of a server whose queue of connections is full: nobody gets one."""
    with closing(socket.socket()) as server, closing(socket.socket()) as first:
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        first.connect(server.getsockname())
        with closing(socket.socket()) as second:
            second.setblocking(False)
            second.connect_ex(server.getsockname())
            yield f"http://127.0.0.1:{server.getsockname()[1]}"


@each_call
def test_a_store_that_takes_no_connection_is_not_waited_for_long(far, call, deaf):
    began = monotonic()

    with pytest.raises(TryLater):
        call(far.at(deaf))

    assert monotonic() - began < BRIEFLY


@each_call
def test_a_store_that_is_not_there_is_away(far, call):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        store = far.at(f"http://127.0.0.1:{unused.getsockname()[1]}")

        with pytest.raises(TryLater):
            call(store)


@pytest.mark.parametrize("fault", [CutAnswer(len(BODY) // 2), HangAnswer(len(BODY) // 2)], ids=repr)
def test_a_stream_that_breaks_while_it_is_read_is_trouble_of_the_store(far, fault):
    far.front.fail(fault)

    with far.store.open(KEY) as body, pytest.raises(TryLater):
        body.read()

    far.front.heal()
    assert read(far.store) == BODY


@pytest.mark.parametrize("call", ["open", "stat", "delete"])
def test_a_connection_that_died_meanwhile_is_no_trouble(far, call):
    far.front.fail(CutAnswer(None), times=1)

    CALLS[call](far.store)

    assert len(far.front.seen) == 2


@each_call
def test_connections_that_were_closed_meanwhile_are_no_trouble(far, call):
    read(far.store)
    far.front.drop_connections()

    call(far.store)


@each_call
def test_a_store_that_refuses_us_needs_an_operator_who_is_told_what_to_do(far, call):
    store = far.with_wrong_credentials()

    with structlog.testing.capture_logs() as logs, pytest.raises(Misconfigured) as error:
        call(store)

    [line] = [line for line in logs if line["event"] == "image store is misconfigured"]
    assert line["log_level"] == "error"
    assert line["advice"]
    assert error.value.retry_after >= 60


@pytest.mark.parametrize("call", ["put", "list"])
def test_a_bucket_that_is_not_there_needs_an_operator(far, call):
    with pytest.raises(Misconfigured, match="bucket"):
        CALLS[call](far.with_missing_bucket())
