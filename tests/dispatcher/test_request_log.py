"""One JSON line for each request, refused or not, by which it is found; and no secret in any."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import select

from colorway.ledger.accounts import issue_key
from colorway.ledger.connection import Ledger
from colorway.ledger.tables import Account
from demo.machine import Machine
from tests.dispatcher.stage import a_job_part, a_png, multipart
from tests.dispatcher.wire import CLOSE, Answer, exchange, request

NOWHERE = "01980000-0000-7000-8000-000000000000"
JSON = "Content-Type: application/json"


def lines_of(machine: Machine) -> list[dict[str, Any]]:
    """Return everything the process has written; each line must be JSON."""
    return [json.loads(line) for line in (machine.logs / "dispatcher.log").read_text().splitlines()]


def line_about(machine: Machine, answer: Answer) -> dict[str, Any]:
    """Return the one line that tells how this request was answered."""
    (line,) = (
        line
        for line in lines_of(machine)
        if line.get("request_id") == answer.headers["x-request-id"]
        and line["message"] == "request answered"
    )
    return line


@pytest.mark.parametrize(
    ("line", "body", "route", "status", "code"),
    [
        ("GET /nowhere", b"", "unknown", 404, "not-found"),
        (f"GET /v1/jobs/{NOWHERE}", b"", "/v1/jobs/<uuid:job>", 404, "not-found"),
        ("GET /v1/jobs?cursor=x", b"", "/v1/jobs", 422, "validation"),
        ("POST /v1/jobs", b"{", "/v1/jobs", 400, "malformed"),
        ("POST /v1/jobs", b"x" * 1_000_001, "/v1/jobs", 413, "too-large"),
        ("DELETE /health", b"", "unknown", 405, "method"),
    ],
)
def test_a_refusal_leaves_a_line_by_which_it_is_found(machine, line, body, route, status, code):
    sent = request(machine, line, JSON, f"Content-Length: {len(body)}", CLOSE, body=body)

    (answer,) = exchange(machine, sent)

    said = line_about(machine, answer)
    assert (said["method"], said["route"]) == (line.split()[0], route)
    assert (said["status"], said["code"]) == (answer.status, answer.json["code"]) == (status, code)
    assert said["severity"] == "INFO"


def test_it_says_whose_request_it_was(machine):
    ledger = Ledger(machine.database_url, pool_size=1)
    with ledger.transaction() as session:
        account = session.scalars(select(Account.id)).one()
        key = issue_key(session, account, now=datetime.now(UTC), scopes=("submit",))
    ledger.dispose()
    reading = f"GET /v1/jobs HTTP/1.1\r\nHost: x\r\n{CLOSE}\r\nAuthorization: Bearer {{}}\r\n\r\n"

    answers = [
        *exchange(machine, request(machine, f"GET /v1/jobs/{NOWHERE}", CLOSE)),
        *exchange(machine, reading.format(key).encode()),
        *exchange(machine, reading.format("nobody").encode()),
    ]

    found, lacking_scope, unknown = [line_about(machine, answer) for answer in answers]
    assert (found["code"], found["account"]) == ("not-found", str(account))
    assert (lacking_scope["code"], lacking_scope["account"]) == ("forbidden", str(account))
    assert unknown["code"] == "unauthenticated"
    assert "account" not in unknown


def test_a_success_has_no_code(machine):
    (answer,) = exchange(machine, request(machine, "GET /v1/jobs", CLOSE))

    assert "code" not in line_about(machine, answer)


def test_what_never_was_a_request_leaves_a_line_too(machine):
    (answer,) = exchange(machine, b"GET /health HTTP/1.1\r\nAuthorization Bearer x\r\n\r\n")

    said = line_about(machine, answer)
    assert (said["status"], said["code"], said["reason"]) == (400, "malformed", "InvalidHeader")


def test_no_line_holds_a_secret_or_what_a_client_said(machine):
    secret = "topsecret"  # noqa: S105 - that is the point
    form = multipart(("image", a_png()), ("job", a_job_part(metadata={secret: secret})))
    unknown = multipart((secret, secret))
    document = json.dumps({secret: secret, "image": secret}).encode()
    size = "Content-Length: {}".format

    def head(line: str, *headers: str, body: bytes = b"") -> bytes:
        return request(machine, line, *headers, size(len(body)), CLOSE, body=body)

    answers = [
        answer
        for sent in (
            head(
                "POST /v1/jobs",
                f"Content-Type: {form['content_type']}",
                f"Idempotency-Key: {secret}",
                body=form["data"],
            ),
            head("POST /v1/jobs", f"Content-Type: {unknown['content_type']}", body=unknown["data"]),
            head("POST /v1/jobs", JSON, body=document),
            head("POST /v1/jobs", JSON, body=secret.encode()),
            head("POST /v1/jobs", f"Content-Type: {secret}/{secret}", body=document),
            head(f"GET /v1/jobs?{secret}={secret}"),
            head(f"GET /{secret}", f"Cookie: {secret}", f"X-Request-Id: {secret}!"),
            head(f"GET /files/a/b.png?name=a&expires=9999999999&signature={secret}"),
            head(f"PUT /files/a?expires=9999999999&signature={secret}"),
            f"{secret}\r\n\r\n".encode(),
            f"{secret} / HTTP/1.1\r\n\r\n".encode(),
            f"GET /health HTTP/1.1\r\nAuthorization Bearer {secret}\r\n\r\n".encode(),
            f"GET /health HTTP/1.1\r\n{secret} : a\r\n\r\n".encode(),
            f"GET /health HTTP/1.1\r\nExpect: {secret}\r\n\r\n".encode(),
            f"GET /v1/jobs HTTP/1.1\r\nHost: {secret}\r\nAuthorization: Bearer {secret}\r\n"
            f"{CLOSE}\r\n\r\n".encode(),
        )
        for answer in exchange(machine, sent)
    ]

    assert [answer.status for answer in answers] == [
        *[202, 422, 422, 400, 415, 422, 404, 404, 404],
        *[400, 400, 400, 400, 417, 401],
    ]
    written = [str(line) for line in lines_of(machine)]
    assert len(written) > len(answers)
    for kept in (secret, machine.api_key, (machine.data / "link_signing_key").read_text().strip()):
        assert not any(kept in line for line in written)
