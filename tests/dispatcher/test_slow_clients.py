"""Clients that send slowly, read slowly, or do neither: others are answered, and they are ended."""

from __future__ import annotations

import select
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from http.client import HTTPResponse
from time import monotonic
from typing import Any

import pytest
import requests

from demo.machine import Machine
from tests.dispatcher.stage import a_job_part, a_png, palettes
from tests.dispatcher.wire import (
    HEALTH,
    PATIENCE_S,
    Answer,
    a_dispatcher,
    connect,
    exchange,
    heard,
    is_alive,
    request,
)

AT_ONCE_S = 2
"""Far above what any of these requests takes, far below what one slow client may."""

LARGE = a_png() + b"x" * 2_000_000
"""A picture that goes to disk."""

MULTIPART = "Content-Type: multipart/form-data; boundary=limit"
PART = b'--limit\r\nContent-Disposition: form-data; name="image"; filename="a.png"\r\n\r\n'


@pytest.fixture(scope="module")
def impatient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """A dispatcher that waits a second for anybody, with four threads and one place for uploads."""
    settings = {
        "THREADS": "4",
        "PARALLEL_UPLOADS": "1",
        "RECEIVE_WITHIN": "1",
        "RECEIVE_RATE": "10000000",
        "SEND_WITHIN": "1",
    }
    with a_dispatcher(tmp_path_factory.mktemp("impatient"), **settings) as machine:
        yield machine


@pytest.fixture
def clients() -> Iterator[Callable[[Machine, bytes], socket.socket]]:
    """Connect a client that sends these bytes, and stays."""
    with ExitStack() as stay:

        def client(machine: Machine, sent: bytes) -> socket.socket:
            call = stay.enter_context(connect(machine))
            call.sendall(sent)
            return call

        yield client


def beginnings(machine: Machine) -> list[bytes]:
    """Return thirty requests, none of which has all its head, or all its body."""
    length = "Content-Length: 1000"
    return [
        *[b"GET /he"] * 5,
        *[b"POST /v1/jobs HTTP/1.1\r\nHost: x\r\nX-"] * 5,
        *[request(machine, "POST /v1/jobs", "Content-Type: application/json", length)] * 10,
        *[request(machine, "POST /v1/images", "Content-Type: image/png", length)] * 5,
        *[request(machine, "POST /v1/jobs", MULTIPART, length, body=PART)] * 5,
    ]


def is_any_heard(calls: list[socket.socket], *, within_s: float) -> bool:
    """Whether the server says something to any of these, or hangs up."""
    return bool(select.select(calls, [], [], within_s)[0])


def trickle(call: socket.socket) -> list[Answer]:
    """Send byte after byte, ten a second, until the server has had enough; return what it says."""
    while not is_any_heard([call], within_s=0.1):
        call.sendall(b"x")
    return heard(call)


def test_thirty_who_send_a_byte_a_second_and_thirty_who_are_silent_let_others_be(machine, clients):
    with requests.Session() as session:
        session.headers["Authorization"] = f"Bearer {machine.api_key}"
        jobs, images = f"{machine.dispatcher_url}/v1/jobs", f"{machine.dispatcher_url}/v1/images"
        image = session.post(images, data=a_png(), headers={"Content-Type": "image/png"}).json()
        document = {"image": {"id": image["id"]}, "palettes": palettes("nord")}
        slow = [clients(machine, beginning) for beginning in beginnings(machine)]
        silent = [clients(machine, b"") for _ in range(30)]
        took_s = []

        def ask(method: str, url: str, **options: Any) -> int:
            for call in slow:  # between two requests each has come a byte further
                call.sendall(b"x")
            began = monotonic()
            answer = requests.request(
                method, url, headers=session.headers, timeout=PATIENCE_S, **options
            )
            took_s.append(monotonic() - began)
            return answer.status_code

        statuses = [
            status
            for _ in range(5)
            for status in (
                ask("GET", f"{machine.dispatcher_url}/health"),
                ask("GET", jobs),
                ask("POST", jobs, json=document),
                ask("POST", jobs, files={"image": a_png(), "job": (None, a_job_part())}),
                ask("POST", images, data=LARGE),
            )
        ]

    assert statuses == [200, 200, 202, 202, 201] + [200, 200, 202, 202, 200] * 4
    assert max(took_s) < AT_ONCE_S
    assert not is_any_heard([*slow, *silent], within_s=0)  # they are still there


def test_who_sends_nonsense_and_stays_keeps_nobody_waiting(machine, clients):
    calls = [clients(machine, b"GARBAGE\r\n\r\n") for _ in range(10)]
    began = monotonic()

    others_are_answered = is_alive(machine)

    assert others_are_answered
    assert monotonic() - began < AT_ONCE_S
    assert [answer.status for call in calls for answer in heard(call)] == [400] * 10


def test_who_says_nothing_takes_no_thread(impatient, clients):
    silent = [clients(impatient, b"") for _ in range(12)]
    began = monotonic()

    others_are_answered = is_alive(impatient)

    assert others_are_answered
    assert monotonic() - began < AT_ONCE_S
    assert not is_any_heard(silent, within_s=0)


def test_a_head_that_comes_too_slowly_is_ended(impatient, clients):
    calls = [clients(impatient, b"GET /health HTTP/1.1\r\nX-") for _ in range(4)]

    answers = [answer for call in calls for answer in trickle(call)]

    assert [(answer.status, answer.json["code"]) for answer in answers] == [
        (408, "request-timeout")
    ] * 4
    assert all(answer.headers["connection"] == "close" for answer in answers)
    assert is_alive(impatient)


def test_a_body_that_comes_too_slowly_is_ended(impatient, clients):
    length = "Content-Length: 1000"
    for kind in ("Content-Type: application/json", "Content-Type: image/png", MULTIPART):
        path = "/v1/images" if "png" in kind else "/v1/jobs"
        call = clients(impatient, request(impatient, f"POST {path}", kind, length))

        (answer,) = trickle(call)

        assert answer.headers["content-type"] == "application/problem+json"
        assert (answer.status, answer.json["code"]) == (408, "request-timeout")
        assert answer.headers["connection"] == "close"


def test_a_second_request_on_a_connection_is_waited_for_no_longer(impatient, clients):
    call = clients(impatient, b"GET /health HTTP/1.1\r\nHost: x\r\n\r\nGET /he")

    answers = trickle(call)

    assert [answer.status for answer in answers] == [200, 408]


def test_time_begins_anew_with_each_request(impatient, clients):
    call = clients(impatient, b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
    first = HTTPResponse(call)
    first.begin()
    first.read()
    assert not is_any_heard([call], within_s=1.2)  # as long as the pause is: nobody hangs up

    call.sendall(HEALTH[:20])
    assert not is_any_heard([call], within_s=0.2)
    call.sendall(HEALTH[20:])

    assert [first.status, *(answer.status for answer in heard(call))] == [200, 200]


def test_an_upload_that_comes_too_slowly_gives_its_place_back(impatient, clients):
    head = request(impatient, "POST /v1/jobs", MULTIPART, "Content-Length: 3000000")
    call = clients(impatient, head + PART + LARGE)

    (answer,) = trickle(call)

    assert answer.status == 408
    assert uploaded(impatient, LARGE) == 201


def test_who_announces_much_and_sends_little_has_no_place(impatient, clients):
    head = request(
        impatient, "POST /v1/images", "Content-Type: image/png", "Content-Length: 40000000"
    )
    call = clients(impatient, head + b"x")

    meanwhile = uploaded(impatient, a_png(5) + LARGE)

    assert meanwhile == 201
    assert [answer.status for answer in trickle(call)] == [408]


def test_who_does_not_take_the_answer_is_cut_off(impatient, clients):
    sent = request(impatient, "GET /openapi.json") * 1000  # tens of megabytes in return
    calls = [clients(impatient, sent) for _ in range(4)]

    assert all(is_reset(call) for call in calls)
    assert is_alive(impatient)


def is_reset(call: socket.socket) -> bool:
    """Wait for the end of a connection without reading; return whether it was a reset."""
    end = select.poll()
    end.register(call, select.POLLRDHUP)
    return any(how & select.POLLERR for _, how in end.poll(10_000))


def uploaded(machine: Machine, picture: bytes) -> int:
    """Upload this picture, and return the status."""
    kind, size = "Content-Type: image/png", f"Content-Length: {len(picture)}"
    head = request(machine, "POST /v1/images", kind, size, "Connection: close")
    (answer,) = exchange(machine, head + picture)
    return answer.status
