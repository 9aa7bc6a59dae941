"""A dispatcher under gunicorn, and what a client says to it and hears from it, byte by byte."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from demo.machine import Machine

CLOSE = "Connection: close"
HEALTH = b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
PATIENCE_S = 10  # of a client; the server must have answered, or hung up, long before


@contextmanager
def a_dispatcher(folder: Path, **settings: str) -> Iterator[Machine]:
    """Yield dispatcher and queue, running; there is no worker."""
    machine = Machine(folder, settings=settings)
    try:
        machine.queue.start()
        machine.dispatcher.start()
        machine.queue.wait_until_ready()
        machine.dispatcher.wait_until_ready()
        yield machine
    finally:
        machine.dispatcher.stop()
        machine.queue.stop()


@dataclass(frozen=True)
class Answer:
    """One answer as it came over the wire; the names of headers are in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def connect(machine: Machine) -> socket.socket:
    return socket.create_connection(("127.0.0.1", machine.ports.dispatcher), timeout=PATIENCE_S)


def request(machine: Machine, line: str, *headers: str, body: bytes = b"") -> bytes:
    """Return a request with a key; what its headers say of the body is the caller's affair."""
    lines = [f"{line} HTTP/1.1", "Host: x", f"Authorization: Bearer {machine.api_key}", *headers]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def heard(call: socket.socket) -> list[Answer]:
    """Return all answers that come until the server hangs up."""
    received = bytearray()
    while piece := call.recv(1 << 16):
        received += piece
    return answers_in(bytes(received))


def exchange(machine: Machine, *sent: bytes, hang_up: bool = False) -> list[Answer]:
    """Send these bytes, and return all answers that come until the server hangs up.

    `hang_up` says that nothing else will follow; otherwise more might.
    """
    with connect(machine) as call:
        for piece in sent:
            call.sendall(piece)
        if hang_up:
            call.shutdown(socket.SHUT_WR)
        return heard(call)


def answers_in(received: bytes) -> list[Answer]:
    """Take answers apart, each of which must say how long it is."""
    answers = []
    while received:
        head, _, received = received.partition(b"\r\n\r\n")
        line, *lines = head.decode("latin-1").split("\r\n")
        pairs = (line.partition(":") for line in lines)
        headers = {name.lower(): value.strip() for name, _, value in pairs}
        size = int(headers.get("content-length", 0))
        answers.append(Answer(int(line.split()[1]), headers, received[:size]))
        received = received[size:]
    return answers


def is_alive(machine: Machine) -> bool:
    """Whether the server answers the next one who asks."""
    return [answer.status for answer in exchange(machine, HEALTH)] == [200]
