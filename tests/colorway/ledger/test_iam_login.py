"""A login without a password that ends in `.iam` is a service account, and brings its token.

Google's own library finds the account, as it does everywhere: from a file, whose token endpoint is
here. Nothing but Cloud SQL could judge the token, so what matters is that it is sent.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from sqlalchemy import create_engine, event, make_url

from colorway.errors import TryLater
from colorway.ledger.connection import Ledger

LOGIN = "colorway-worker@a-project.iam"


class Issuer(ThreadingHTTPServer):
    """Issues tokens that live for so many seconds, or refuses to."""

    lifetime = 3600
    refuses = False
    issued = 0


class Handler(BaseHTTPRequestHandler):
    server: Issuer

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        if self.server.refuses:
            self._answer(400, {"error": "invalid_grant"})
            return
        self.server.issued += 1
        token = f"token-{self.server.issued}"
        self._answer(200, {"access_token": token, "expires_in": self.server.lifetime})

    def _answer(self, status: int, body: dict[str, object]) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())

    def log_message(self, *_args: object) -> None:
        pass


@pytest.fixture
def issuer(tmp_path, monkeypatch) -> Iterator[Issuer]:
    """Who issues the tokens of the account that we run as."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    with Issuer(("127.0.0.1", 0), Handler) as server:
        account = {
            "type": "service_account",
            "client_email": f"{LOGIN}.gserviceaccount.com",
            "private_key": key.decode(),
            "token_uri": f"http://127.0.0.1:{server.server_port}/token",
        }
        file = tmp_path / "account.json"
        file.write_text(json.dumps(account))
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(file))
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def login_url(postgres, migrated_postgres) -> Iterator[str]:
    """A ledger's URL with that login, and none of a password."""
    with postgres.database(copy_of=migrated_postgres) as url:
        owner = create_engine(url, isolation_level="AUTOCOMMIT")
        with owner.connect() as connection:
            connection.exec_driver_sql(f'CREATE ROLE "{LOGIN}" SUPERUSER LOGIN')
        yield make_url(url)._replace(username=LOGIN, password=None).render_as_string()
        with owner.connect() as connection:
            connection.exec_driver_sql(f'DROP ROLE "{LOGIN}"')
        owner.dispose()


def passwords_of(ledger: Ledger) -> list[str]:
    """Return what connections will log in with, as they do."""
    sent: list[str] = []

    @event.listens_for(ledger.engine, "do_connect")
    def note(_dialect, _record, _args, arguments):
        sent.append(arguments["password"])

    return sent


def test_a_connection_logs_in_by_a_token(issuer, login_url):
    ledger = Ledger(login_url)
    sent = passwords_of(ledger)

    ledger.check()
    ledger.dispose()

    assert sent == ["token-1"]


def test_a_token_that_is_fresh_is_used_again(issuer, login_url):
    ledger = Ledger(login_url)
    sent = passwords_of(ledger)

    for _ in range(2):
        ledger.check()
        ledger.dispose()

    assert sent == ["token-1", "token-1"]


def test_one_that_soon_expires_is_replaced(issuer, login_url):
    issuer.lifetime = 60
    ledger = Ledger(login_url)
    sent = passwords_of(ledger)

    for _ in range(2):
        ledger.check()
        ledger.dispose()

    assert sent == ["token-1", "token-2"]


def test_without_a_token_it_is_tried_again_later(issuer, login_url):
    issuer.refuses = True
    ledger = Ledger(login_url)

    with pytest.raises(TryLater, match="no token to log in"):
        ledger.check()


def test_who_has_a_password_needs_no_token(issuer, login_url):
    url = make_url(login_url).set(password="a")  # noqa: S106 - which nobody asks for
    ledger = Ledger(url.render_as_string(hide_password=False))

    ledger.check()
    ledger.dispose()

    assert issuer.issued == 0
