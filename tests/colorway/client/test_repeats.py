"""What the client sends again, when, and what it leaves alone."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from colorway.client import ApiProblem, Client, ConnectionFailed
from colorway.client.wire import LONGEST_PAUSE_S
from tests.colorway.client.scripted_server import (
    NO_ANSWER,
    Hours,
    Reply,
    ScriptedServer,
    a_client,
    a_job,
    a_json,
    a_problem,
    away,
    scripted_server,
)

PALETTES = [{"name": "Nord", "colors": ["#2e3440", "#eceff4"]}]
IMAGE = {"id": "0198-image", "sha256": "", "width": 1, "height": 1, "format": "png", "bytes": 1}
A_JOB, AN_IMAGE = a_json(a_job()), a_json(IMAGE | {"frames": None}, 201)

HARMLESS: dict[str, tuple[Callable[[Client], Any], Reply]] = {
    "job": (lambda client: client.job("one"), A_JOB),
    "submit": (lambda client: client.submit({"id": "one"}, PALETTES), A_JOB),
    "cancel": (lambda client: client.cancel("one"), A_JOB),
    "upload": (lambda client: client.upload(b"picture"), AN_IMAGE),
    "delete_job": (lambda client: client.delete_job("one"), Reply(204)),
}


@pytest.mark.parametrize("call", HARMLESS)
@pytest.mark.parametrize(
    "trouble",
    [NO_ANSWER, Reply(502), Reply(504), away(1)],
    ids=["no answer", "bad gateway", "gateway timeout", "unavailable"],
)
def test_what_does_no_harm_is_sent_again_until_it_is_answered(call: str, trouble: Reply) -> None:
    ask, answer = HARMLESS[call]
    with scripted_server(trouble, trouble, answer) as server:
        ask(a_client(server, Hours()))

        assert len(server.asked) == 3


def test_half_an_answer_is_none() -> None:
    with scripted_server(replace(A_JOB, cut_after=20), A_JOB) as server:
        assert a_client(server, Hours()).job("one").id == "0198-job"

        assert len(server.asked) == 2


@pytest.mark.parametrize("trouble", [NO_ANSWER, Reply(502)], ids=["no answer", "bad gateway"])
def test_a_retry_of_colorways_is_not_sent_again_where_it_may_have_been_done(trouble: Reply) -> None:
    with scripted_server(trouble, A_JOB) as server:
        client = a_client(server, Hours())

        with pytest.raises((ConnectionFailed, ApiProblem)):
            client.retry("one")

        assert len(server.asked) == 1


def test_a_retry_of_colorways_that_was_put_off_is_sent_again() -> None:
    with scripted_server(away(1), A_JOB) as server:
        a_client(server, Hours()).retry("one", ["nord"])

        assert [asked.body for asked in server.asked] == [b'{"keys": ["nord"]}'] * 2


@pytest.mark.parametrize(("status", "code"), [(429, "rate-limited"), (503, "unavailable")])
def test_the_time_that_the_service_asks_for_is_kept(status: int, code: str) -> None:
    hours = Hours()
    put_off = a_problem(status, code, retryable=True, retry_after="7")
    with scripted_server(put_off, A_JOB) as server:
        a_client(server, hours).job("one")

    [nap] = hours.naps
    assert 7 <= nap <= 7 + LONGEST_PAUSE_S


def test_pauses_grow_at_random_up_to_a_limit() -> None:
    hours = Hours()
    with scripted_server(*[NO_ANSWER] * 60, A_JOB) as server:
        a_client(server, hours, patience_s=1e6).job("one")

    windows = [min(LONGEST_PAUSE_S, 0.5 * 2**tries) for tries in range(60)]
    assert all(nap <= window for nap, window in zip(hours.naps, windows, strict=True))
    assert len(set(hours.naps)) == 60
    assert max(hours.naps) > LONGEST_PAUSE_S / 2


def test_patience_ends() -> None:
    hours = Hours()
    with scripted_server(away(2)) as server:
        client = a_client(server, hours, patience_s=30)

        with pytest.raises(ApiProblem, match="503 unavailable") as caught:
            client.job("one")

    assert caught.value.retry_after_s == 2
    assert 30 - 2 - LONGEST_PAUSE_S < hours.now <= 30


def test_a_time_beyond_all_patience_is_not_slept() -> None:
    hours = Hours()
    with scripted_server(away(3600)) as server:
        client = a_client(server, hours)

        with pytest.raises(ApiProblem) as caught:
            client.job("one")

        assert (len(server.asked), hours.naps, caught.value.retry_after_s) == (1, [], 3600)


@pytest.mark.parametrize(
    "refusal",
    [
        a_problem(400, "malformed"),
        a_problem(401, "unauthenticated"),
        a_problem(404, "not-found"),
        a_problem(409, "not-ready", retryable=True, retry_after="2"),
        a_problem(422, "validation"),
        a_problem(429, "quota-exceeded", retryable=False),
        a_problem(500, "internal"),
    ],
    ids=lambda reply: str(reply.status),
)
def test_a_refusal_is_told_at_once(refusal: Reply) -> None:
    with scripted_server(refusal) as server:
        client = a_client(server, Hours())

        with pytest.raises(ApiProblem) as caught:
            client.job("one")

        assert (caught.value.status, len(server.asked)) == (refusal.status, 1)


def test_a_submission_is_repeated_whole_and_under_one_key(tmp_path: Path) -> None:
    picture = tmp_path / "photo.png"
    picture.write_bytes(b"a picture" * 50_000)
    in_progress = a_problem(409, "idempotency-in-progress", retryable=True, retry_after="2")
    with scripted_server(NO_ANSWER, in_progress, A_JOB) as server:
        a_client(server, Hours()).submit(picture, PALETTES)

        first, *repeats = server.asked
        assert len(repeats) == 2
        assert picture.read_bytes() in first.body
        for repeat in repeats:
            assert repeat.body == first.body
            assert repeat.headers["Idempotency-Key"] == first.headers["Idempotency-Key"]
            assert repeat.headers["Content-Length"] == str(len(first.body))


def test_each_submission_has_a_key_of_its_own_unless_it_is_given_one() -> None:
    with scripted_server(A_JOB) as server:
        client = a_client(server, Hours())
        client.submit(b"picture", PALETTES)
        client.submit(b"picture", PALETTES)
        client.submit(b"picture", PALETTES, idempotency_key="spring-42")

        first, second, third = (asked.headers["Idempotency-Key"] for asked in server.asked)
        assert first != second
        assert len(first) == 36
        assert third == "spring-42"


def test_an_open_file_is_sent_from_where_it_stands_each_time() -> None:
    file = BytesIO(b"frontpicture")
    file.seek(len("front"))
    with scripted_server(NO_ANSWER, AN_IMAGE) as server:
        a_client(server, Hours()).upload(file)

        assert [asked.body for asked in server.asked] == [b"picture"] * 2


def test_what_an_unanswered_try_has_deleted_is_gone() -> None:
    with scripted_server(NO_ANSWER, a_problem(404, "not-found")) as server:
        a_client(server, Hours()).delete_job("one")

        assert [asked.method for asked in server.asked] == ["DELETE"] * 2


def test_what_never_was_cannot_be_deleted() -> None:
    with scripted_server(a_problem(404, "not-found")) as server:
        client = a_client(server, Hours())

        with pytest.raises(ApiProblem, match="404"):
            client.delete_image("one")


def a_slot(server: ScriptedServer) -> Reply:
    how = {"method": "PUT", "url": f"{server.url}/slot?signature=1", "headers": {"X-Only": "once"}}
    upload = how | {"expires_at": "2030-01-01T12:00:00Z"}
    return a_json({"id": "0198-slot", "upload": upload}, 201)


@pytest.mark.parametrize("filled", [409, 412])
def test_a_slot_that_an_unanswered_try_has_filled_is_confirmed(tmp_path: Path, filled: int) -> None:
    (tmp_path / "photo.png").write_bytes(b"a picture")
    with scripted_server() as server:
        server.script += [a_slot(server), NO_ANSWER, Reply(filled), replace(AN_IMAGE, status=200)]

        a_client(server, Hours()).upload_by_slot(tmp_path / "photo.png")

        announced, *puts, confirmed = server.asked
    assert json.loads(announced.body) == {
        "filename": "photo.png",
        "bytes": 9,
        "sha256": hashlib.sha256(b"a picture").hexdigest(),
        "content_type": "image/png",
    }
    told = [(put.method, put.path, put.headers["X-Only"], put.body) for put in puts]
    assert told == [("PUT", "/slot?signature=1", "once", b"a picture")] * 2
    assert [put.headers["Authorization"] for put in puts] == [None] * 2
    assert confirmed.path == "/v1/images/0198-slot/confirm"


def test_a_slot_that_refuses_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "photo.png").write_bytes(b"a picture")
    with scripted_server() as server:
        server.script += [a_slot(server), Reply(403)]
        client = a_client(server, Hours())

        with pytest.raises(ApiProblem, match="403"):
            client.upload_by_slot(tmp_path / "photo.png")


def test_health_is_asked_for_once() -> None:
    with scripted_server(away(1)) as server:
        client = a_client(server, Hours())

        with pytest.raises(ApiProblem):
            client.health()

        assert len(server.asked) == 1
