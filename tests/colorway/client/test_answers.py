"""What the client makes of answers, good and strange, and whom it tells its key."""

from __future__ import annotations

import json
import socket
import tracemalloc
from pathlib import Path
from time import perf_counter
from typing import Any

import pytest

from colorway.client import ApiProblem, Client, ConnectionFailed, ImageUrl, UnexpectedAnswer
from tests.colorway.client.scripted_server import (
    KEY,
    NO_ANSWER,
    Hours,
    Reply,
    a_client,
    a_job,
    a_json,
    a_problem,
    scripted_server,
)

PICTURE = b"\x89PNG" + b"pixels" * 100_000


def test_fields_that_are_not_known_yet_are_passed_over() -> None:
    newer = a_job(mood="hopeful", counts=a_job()["counts"] | {"dreaming": 3, "completed": 2})
    with scripted_server(a_json(newer)) as server:
        job = a_client(server, Hours()).job("one")

    assert (job.status, job.counts.completed, job.created_at.year) == ("processing", 2, 2030)


def test_a_problem_says_where_what_and_why() -> None:
    flaws = [
        {"pointer": "#/palettes/3/colors/1", "code": "color-syntax", "detail": "'#12' is no colour"}
    ]
    refusal = a_problem(422, "validation", errors=flaws, request_id="0198-request")
    with scripted_server(refusal) as server, pytest.raises(ApiProblem) as caught:
        a_client(server, Hours()).job("one")

    problem = caught.value
    assert (problem.status, problem.code, problem.retryable) == (422, "validation", False)
    assert problem.request_id == "0198-request"
    assert [flaw.pointer for flaw in problem.errors] == ["#/palettes/3/colors/1"]
    assert str(problem) == (
        "422 validation: it is validation; #/palettes/3/colors/1: '#12' is no colour"
    )


def test_of_very_many_flaws_the_message_tells_some() -> None:
    flaws = [{"parameter": f"p{n}", "code": "unknown", "detail": "no such"} for n in range(500)]
    refusal = a_problem(422, "validation", errors=flaws)
    with scripted_server(refusal) as server, pytest.raises(ApiProblem) as caught:
        a_client(server, Hours()).job("one")

    assert len(caught.value.errors) == 500
    assert str(caught.value).endswith("p9: no such; and 490 more")


def test_a_fault_of_the_service_names_the_request_to_look_for() -> None:
    fault = a_problem(500, "internal", request_id="0198-request")
    with scripted_server(fault) as server, pytest.raises(ApiProblem, match="was 0198-request"):
        a_client(server, Hours()).job("one")


@pytest.mark.parametrize(
    "answer",
    [
        Reply(200, b"<html>Welcome to the router</html>"),
        a_json({"id": "a job of something else"}),
        a_json([1, 2]),
        Reply(301, headers={"Location": "https://elsewhere.example/"}),
        Reply(204),
    ],
    ids=["a page", "other JSON", "a list", "a redirect", "nothing"],
)
def test_another_kind_of_server_is_noticed(answer: Reply) -> None:
    with scripted_server(answer) as server:
        client = a_client(server, Hours())

        with pytest.raises(UnexpectedAnswer, match=server.url):
            client.job("one")
        with pytest.raises(UnexpectedAnswer):
            client.upload(PICTURE)


def test_a_redirect_deletes_nothing() -> None:
    elsewhere = Reply(301, headers={"Location": "https://elsewhere.example/"})
    with scripted_server(elsewhere) as server, pytest.raises(UnexpectedAnswer, match="elsewhere"):
        a_client(server, Hours()).delete_job("one")


def test_a_refusal_in_other_words_is_a_problem_too() -> None:
    page = Reply(413, b"<html>Request Entity Too Large</html>")
    with scripted_server(page) as server, pytest.raises(ApiProblem) as caught:
        a_client(server, Hours()).upload(PICTURE)

    assert (caught.value.status, caught.value.code) == (413, "unknown")
    assert "<html>" not in str(caught.value)


def test_nobody_there_is_said_in_a_sentence() -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # and does not listen
        address = f"127.0.0.1:{nobody.getsockname()[1]}"
        client = Client(f"http://{address}", KEY, patience_s=0)

        with client, pytest.raises(ConnectionFailed) as caught:
            client.job("one")

    assert str(caught.value) == f"no whole answer from {address}: [Errno 111] Connection refused"


def test_a_server_that_says_nothing_is_given_up() -> None:
    with scripted_server(a_json(a_job())) as server:
        server.may_answer.clear()
        client = a_client(server, Hours(), silence_s=0.05, patience_s=0)
        began = perf_counter()

        with pytest.raises(ConnectionFailed, match="timed out"):
            client.job("one")

    assert perf_counter() - began < 2


def test_a_server_that_cannot_prove_who_it_is_is_not_asked_again() -> None:
    hours = Hours()
    with scripted_server(a_json(a_job())) as server:
        plain = server.url.replace("http://", "https://")
        client = Client(plain, KEY, sleep=hours.sleep, clock=hours.clock)

        with pytest.raises(ConnectionFailed, match="SSL"):
            client.job("one")

    assert hours.naps == []


@pytest.mark.parametrize("address", ["colorway.example", "", "ftp://colorway.example"])
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(ValueError, match="begins with https://"):
        Client(address, KEY)


@pytest.mark.parametrize("key", ["", " ", "cw_a\r\nX-Evil: 1", "cw_ä"])
def test_what_cannot_be_a_key_is_refused_and_not_told(key: str) -> None:
    with pytest.raises(ValueError, match="no API key") as caught:
        Client("https://colorway.example", key)

    assert "cw_" not in str(caught.value)


def test_an_address_of_a_picture_is_for_the_service_to_fetch() -> None:
    with scripted_server(a_json(a_job(), 202)) as server:
        picture: ImageUrl = {"url": "https://cdn.example/base.png"}
        a_client(server, Hours()).submit(picture, [{"name": "Ink"}], priority="low")

        [asked] = server.asked
    assert asked.headers["Content-Type"] == "application/json"
    assert json.loads(asked.body) == {
        "image": picture,
        "palettes": [{"name": "Ink"}],
        "priority": "low",
    }


def test_names_cannot_lead_to_other_paths() -> None:
    with scripted_server(a_json(a_job())) as server:
        a_client(server, Hours()).job("../accounts?all=1")

        assert [asked.path for asked in server.asked] == ["/v1/jobs/..%2Faccounts%3Fall%3D1"]


def test_a_service_may_live_below_a_path() -> None:
    with scripted_server(a_json(a_job())) as server:
        Client(f"{server.url}/colorway/", KEY).job("one")

        assert [asked.path for asked in server.asked] == ["/colorway/v1/jobs/one"]


def test_the_key_goes_to_the_service_and_to_nobody_else(tmp_path: Path) -> None:
    with scripted_server(Reply(200, PICTURE)) as store:
        link = Reply(307, headers={"Location": f"{store.url}/nord.png?signature=1"})
        with scripted_server(link) as server:
            a_client(server, Hours()).fetch_image("one", "nord", tmp_path / "nord.png")

            assert [asked.headers["Authorization"] for asked in server.asked] == [f"Bearer {KEY}"]
        assert [asked.path for asked in store.asked] == ["/nord.png?signature=1"]
        assert [asked.headers["Authorization"] for asked in store.asked] == [None]
    assert (tmp_path / "nord.png").read_bytes() == PICTURE


def test_a_netrc_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login someone password else\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    link = Reply(307, headers={"Location": "/links/nord.png"})
    with scripted_server(link, Reply(200, PICTURE)) as server:
        a_client(server, Hours()).fetch_image("one", "nord", tmp_path / "nord.png")

        told = [asked.headers["Authorization"] for asked in server.asked]
        assert told == [f"Bearer {KEY}", None]


def test_a_thumbnail_is_asked_for_by_name(tmp_path: Path) -> None:
    link = Reply(307, headers={"Location": "/links/nord.webp"})
    with scripted_server(link, Reply(200, PICTURE)) as server:
        a_client(server, Hours()).fetch_thumbnail("one", "nord", tmp_path / "small")

        assert server.asked[0].path == "/v1/jobs/one/colorways/nord/image?thumbnail=1"


def test_a_download_that_breaks_off_begins_anew(tmp_path: Path) -> None:
    half = Reply(200, PICTURE, cut_after=len(PICTURE) // 2)
    with scripted_server(half, half, Reply(200, PICTURE)) as server:
        a_client(server, Hours()).fetch_archive("one", tmp_path / "all.zip")

    assert (tmp_path / "all.zip").read_bytes() == PICTURE
    assert [file.name for file in tmp_path.iterdir()] == ["all.zip"]


def test_a_download_that_fails_leaves_what_was_there(tmp_path: Path) -> None:
    (tmp_path / "all.zip").write_bytes(b"of yesterday")
    half = Reply(200, PICTURE, cut_after=len(PICTURE) // 2)
    with scripted_server(half) as server:
        client = a_client(server, Hours())

        with pytest.raises(ConnectionFailed):
            client.fetch_archive("one", tmp_path / "all.zip")

    assert (tmp_path / "all.zip").read_bytes() == b"of yesterday"
    assert [file.name for file in tmp_path.iterdir()] == ["all.zip"]


def test_who_reads_the_old_file_sees_no_half_of_the_new(tmp_path: Path) -> None:
    (tmp_path / "all.zip").write_bytes(b"of yesterday")
    with scripted_server(Reply(200, PICTURE)) as server, (tmp_path / "all.zip").open("rb") as old:
        a_client(server, Hours()).fetch_archive("one", tmp_path / "all.zip")

        assert old.read() == b"of yesterday"


SIZE = 40_000_000
LITTLE = 4_000_000


def test_a_large_picture_is_never_held_in_memory(tmp_path: Path) -> None:
    picture = tmp_path / "large.png"
    with picture.open("wb") as file:
        file.truncate(SIZE)
    replies: list[Any] = [NO_ANSWER, a_json(a_job())]
    with scripted_server(*replies, keeps_bodies=False) as server:
        tracemalloc.start()
        try:
            a_client(server, Hours()).submit(picture, [])
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()

        assert [asked.size > SIZE for asked in server.asked] == [True, True]
    assert peak < LITTLE
