"""How long the door waits, to the byte; and what it says where the app cannot."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from datetime import timedelta
from time import monotonic
from types import SimpleNamespace
from typing import Any

import pytest
import structlog
from gunicorn.http.errors import InvalidHeader, InvalidResponseHeader

from colorway.errors import TooSlow
from dispatcher.door import Door, Incoming, Pace
from tests.dispatcher.wire import answers_in

Ends = tuple[socket.socket, socket.socket]


@pytest.fixture
def ends() -> Iterator[Ends]:
    """The client's end of a connection, and ours."""
    theirs, ours = socket.socketpair()
    with theirs, ours:
        yield theirs, ours


class Clock:
    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


class Parser:
    """As much of gunicorn's parser as `Incoming` knows."""

    def __init__(self) -> None:
        self.mesg: Any = None


def incoming_on(ours: socket.socket, clock: Clock, within_s: float = 10) -> Incoming:
    pace = Pace(timedelta(seconds=within_s), receive_rate=100, send_within=timedelta(seconds=10))
    return Incoming(SimpleNamespace(sock=ours, parser=Parser()), pace, clock)


def waited_s(incoming: Incoming) -> float:
    """Read where nothing comes, and return how long that was waited for."""
    began = monotonic()
    with pytest.raises(TooSlow):
        incoming.recv(8192)
    return monotonic() - began


def test_bytes_put_the_deadline_off_by_the_time_they_may_take(ends):
    (theirs, ours), clock = ends, Clock()
    incoming = incoming_on(ours, clock)
    theirs.sendall(b"x" * 500)  # 5 seconds' worth
    incoming.recv(500)
    clock.now_s = 14.8

    assert 0.2 <= waited_s(incoming) < 5


def test_a_byte_a_second_does_not(ends):
    (theirs, ours), clock = ends, Clock()
    incoming = incoming_on(ours, clock)
    for _ in range(11):
        theirs.sendall(b"x")
        incoming.recv(8192)
        clock.now_s += 1

    assert waited_s(incoming) < 5


def test_what_is_here_already_is_never_late(ends):
    (theirs, ours), clock = ends, Clock()
    incoming = incoming_on(ours, clock)
    theirs.sendall(b"x")
    clock.now_s = 1000  # it was us who were slow

    assert incoming.recv(1) == b"x"


def test_each_request_on_a_connection_has_its_own_time(ends):
    (_, ours), clock = ends, Clock()
    incoming = incoming_on(ours, clock, within_s=0.2)
    clock.now_s = 1000

    incoming.begin()

    assert waited_s(incoming) >= 0.2


@pytest.mark.parametrize(
    ("error", "status", "code", "reason"),
    [
        (InvalidHeader("Authorization Bearer topsecret"), 400, "malformed", "InvalidHeader"),
        (TooSlow("too late"), 408, "request-timeout", "TooSlow"),
        (InvalidResponseHeader("X"), 500, "internal", "InvalidResponseHeader"),
        (ZeroDivisionError(), 500, "internal", "ZeroDivisionError"),
    ],
)
def test_whose_fault_it_is_is_told_and_logged_without_their_words(
    ends, error, status, code, reason
):
    theirs, ours = ends

    with structlog.testing.capture_logs() as lines:
        Door.handle_error(Door.__new__(Door), None, ours, None, error)
    ours.close()

    (answer,) = answers_in(theirs.recv(1 << 16))
    assert (answer.status, answer.json["status"], answer.json["code"]) == (status, status, code)
    assert (lines[-1]["status"], lines[-1]["code"], lines[-1]["reason"]) == (status, code, reason)
    assert [line["log_level"] for line in lines] == (["error"] if status == 500 else []) + ["info"]
    assert "topsecret" not in f"{answer}{lines}"


def test_what_was_logged_of_the_request_before_is_not_said_again(ends):
    with structlog.contextvars.bound_contextvars(request_id="before", account="somebody"):
        Door.handle_error(Door.__new__(Door), None, ends[1], None, InvalidHeader("X"))
        said = structlog.contextvars.get_contextvars()

    (answer,) = answers_in(ends[0].recv(1 << 16))
    assert said == {"request_id": answer.headers["x-request-id"]}
