"""The dispatcher under gunicorn, on real sockets: bodies that are refused before they end."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from typing import Any
from urllib.parse import urlsplit

import requests

from demo.machine import Machine
from tests.dispatcher.stage import a_job_part, a_png
from tests.dispatcher.wire import CLOSE, exchange, is_alive, request

UPLOAD = "POST /v1/images"
PNG = "Content-Type: image/png"


def test_a_picture_too_large_is_refused_by_its_length_alone(machine):
    (answer,) = exchange(machine, request(machine, UPLOAD, PNG, "Content-Length: 900000000", CLOSE))

    assert (answer.status, answer.json["code"]) == (413, "too-large")


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
    assert is_alive(machine)


def test_a_connection_may_go_on_after_a_small_refusal(machine):
    with requests.Session() as calls:
        calls.headers["Authorization"] = f"Bearer {machine.api_key}"
        url = f"{machine.dispatcher_url}/v1/jobs"

        refused = calls.post(url, data=b"x" * 1000, headers={"Content-Type": "text/plain"})
        accepted = calls.post(url, files={"image": ("a.png", a_png()), "job": (None, a_job_part())})

    assert (refused.status_code, accepted.status_code) == (415, 202)


def test_a_body_that_ends_early_is_the_clients_fault(machine):
    parts = b'--limit\r\nContent-Disposition: form-data; name="job"\r\n\r\n{}'
    cut_off = {
        "/v1/images": (PNG, a_png()),
        "/v1/jobs": ("Content-Type: application/json", b"{}"),  # whole, for all that JSON knows
        "/v1/jobs?": ("Content-Type: multipart/form-data; boundary=limit", parts),
    }

    answers = [
        answer
        for path, (media_type, body) in cut_off.items()
        for answer in exchange(
            machine,
            request(machine, f"POST {path}", media_type, "Content-Length: 1000", CLOSE, body=body),
            hang_up=True,
        )
    ]

    assert [(answer.status, answer.json["code"]) for answer in answers] == [(400, "malformed")] * 3


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
    size = f"Content-Length: {len(picture)}"
    sent = request(machine, f"PUT {url.path}?{url.query}", PNG, size, CLOSE, body=picture[:-1])

    (answer,) = exchange(machine, sent, hang_up=True)

    assert answer.status == 400
    assert confirmed(machine, slot).json()["code"] == "not-ready"
