"""The dispatcher under gunicorn, on real sockets: bodies that are refused before they end."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from demo.machine import Machine
from tests.dispatcher.stage import a_job_part, a_png


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """Dispatcher and queue, without a worker."""
    machine = Machine(tmp_path_factory.mktemp("machine"))
    try:
        machine.queue.start()
        machine.dispatcher.start()
        machine.queue.wait_until_ready()
        machine.dispatcher.wait_until_ready()
        yield machine
    finally:
        machine.dispatcher.stop()
        machine.queue.stop()


def exchange(machine: Machine, *sent: bytes) -> bytes:
    """Send these bytes, and return all that comes back until the server closes."""
    with socket.create_connection(("127.0.0.1", machine.ports.dispatcher), timeout=10) as call:
        for piece in sent:
            call.sendall(piece)
        received = b""
        while piece := call.recv(1 << 16):
            received += piece
    return received


def head(machine: Machine, *headers: str) -> bytes:
    lines = ["POST /v1/images HTTP/1.1", "Host: x", "Content-Type: image/png"]
    lines += [f"Authorization: Bearer {machine.api_key}", *headers]
    return "\r\n".join([*lines, "", ""]).encode()


def test_a_picture_too_large_is_refused_by_its_length_alone(machine):
    answer = exchange(machine, head(machine, "Content-Length: 900000000", "Connection: close"))

    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b'"code":"too-large"' in answer


def test_a_picture_of_unknown_length_is_refused_where_it_passes_the_limit(machine):
    def chunks() -> Iterator[bytes]:
        for _ in range(1000):
            yield b"x" * 100_000

    try:
        answer = requests.post(
            f"{machine.dispatcher_url}/v1/images",
            data=chunks(),
            headers={"Authorization": f"Bearer {machine.api_key}", "Content-Type": "image/png"},
            timeout=20,
        )
    except requests.ConnectionError:
        pass  # refused while still sending: how that looks is the client's affair
    else:
        assert answer.status_code == 413
    assert requests.get(f"{machine.dispatcher_url}/health", timeout=5).ok


def test_a_connection_may_go_on_after_a_small_refusal(machine):
    with requests.Session() as calls:
        calls.headers["Authorization"] = f"Bearer {machine.api_key}"
        url = f"{machine.dispatcher_url}/v1/jobs"

        refused = calls.post(url, data=b"x" * 1000, headers={"Content-Type": "text/plain"})
        accepted = calls.post(url, files={"image": ("a.png", a_png()), "job": (None, a_job_part())})

    assert (refused.status_code, accepted.status_code) == (415, 202)


def test_a_body_that_ends_early_is_the_clients_fault(machine):
    with socket.create_connection(("127.0.0.1", machine.ports.dispatcher), timeout=10) as call:
        call.sendall(head(machine, "Content-Length: 1000", "Connection: close") + b"x" * 10)
        call.shutdown(socket.SHUT_WR)
        received = b""
        while piece := call.recv(1 << 16):
            received += piece

    assert received.startswith(b"HTTP/1.1 400 ")


def announced(machine: Machine, picture: bytes) -> dict[str, Any]:
    """Return the slot for this picture."""
    told = {"filename": "a.png", "bytes": len(picture), "content_type": "image/png"}
    answer = requests.post(
        f"{machine.dispatcher_url}/v1/images",
        json=told | {"sha256": sha256(picture).hexdigest()},
        headers={"Authorization": f"Bearer {machine.api_key}"},
        timeout=20,
    )
    assert answer.status_code == 201, answer.text
    slot: dict[str, Any] = answer.json()
    return slot


def confirmed(machine: Machine, slot: dict[str, Any]) -> requests.Response:
    return requests.post(
        f"{machine.dispatcher_url}/v1/images/{slot['id']}/confirm",
        headers={"Authorization": f"Bearer {machine.api_key}"},
        timeout=20,
    )


def test_a_slot_is_used_by_any_client_that_does_as_it_says(machine):
    picture = a_png(7)
    slot = announced(machine, picture)
    how = slot["upload"]

    put = requests.request(
        how["method"], how["url"], headers=how["headers"], data=picture, timeout=20
    )
    image = confirmed(machine, slot)

    assert (put.status_code, put.content) == (204, b"")
    assert (image.status_code, image.json()["id"]) == (200, slot["id"])


def test_a_body_that_ends_early_leaves_a_slot_empty(machine):
    picture = a_png(8)
    slot = announced(machine, picture)
    url = urlsplit(slot["upload"]["url"])
    lines = [f"PUT {url.path}?{url.query} HTTP/1.1", "Host: x", "Content-Type: image/png"]
    lines += [f"Content-Length: {len(picture)}", "Connection: close", "", ""]

    with socket.create_connection((url.hostname, url.port), timeout=10) as call:
        call.sendall("\r\n".join(lines).encode() + picture[:-1])
        call.shutdown(socket.SHUT_WR)
        received = call.recv(1 << 16)

    assert received.startswith(b"HTTP/1.1 400 ")
    assert confirmed(machine, slot).json()["code"] == "not-ready"


def test_its_log_is_json_and_holds_no_key(machine):
    log: Path = machine.logs / "dispatcher.log"

    lines = [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]

    assert any(line["message"] == "request answered" for line in lines)
    assert machine.api_key not in log.read_text()
    assert "signature=" not in log.read_text()
