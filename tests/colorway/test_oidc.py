"""Who may call the worker and the internal routes: one issuer's tokens, for us, of few callers."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Iterator
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from colorway.errors import Forbidden, TryLater, Unauthenticated
from colorway.oidc import CallerCheck
from demo.supervisor import free_port
from tests.key_server import KeyServer

US = "https://service.example"
CALLER = "tasks@example.com"


@pytest.fixture
def keys() -> Iterator[KeyServer]:
    with KeyServer() as keys:
        yield keys


def check_of(
    issuer: str, certs_url: str, *, keys_rest_for: timedelta = timedelta(0)
) -> CallerCheck:
    return CallerCheck(
        audience=US,
        issuer=issuer,
        certs_url=certs_url,
        emails=[CALLER],
        keys_rest_for=keys_rest_for,
    )


@pytest.fixture
def check(keys: KeyServer) -> CallerCheck:
    return check_of(keys.url, f"{keys.url}/certs")


def test_the_right_token_names_its_caller(check, keys):
    assert check.require_caller(f"Bearer {keys.token()}") == CALLER
    assert (
        check.require_caller(f"bearer {keys.token(audience=['https://x.example', US])}") == CALLER
    )


@pytest.mark.parametrize(
    "claims",
    [
        {"audience": "https://other.example"},
        {"audience": f"{US}/"},
        {"audience": None},
        {"iss": "https://accounts.example"},
        {"iss": None},
        {"exp": int(time.time()) - 60},
        {"exp": None},
        {"exp": "soon"},
        {"iat": int(time.time()) + 3600},
        {"nbf": int(time.time()) + 3600},
        {"email": None},
    ],
)
def test_a_token_that_says_something_else_is_not_believed(check, keys, claims):
    with pytest.raises(Unauthenticated):
        check.require_caller(f"Bearer {keys.token(**claims)}")


@pytest.mark.parametrize(
    "claims",
    [
        {"email": "somebody@example.com"},
        {"email": "TASKS@example.com"},
        {"email": ""},
        {"email": [CALLER]},
        {"email": {"is": CALLER}},
        {"email_verified": False},
        {"email_verified": "true"},
        {"email_verified": 1},
        {"email_verified": None},
    ],
)
def test_somebody_else_is_forbidden(check, keys, claims):
    with pytest.raises(Forbidden):
        check.require_caller(f"Bearer {keys.token(**claims)}")


@pytest.mark.parametrize("text", [None, "", "Bearer", "Bearer ", "Basic eDp5", "token"])
def test_without_a_token_nobody_is_believed(check, text):
    with pytest.raises(Unauthenticated, match="send an OIDC token"):
        check.require_caller(text)


@pytest.mark.parametrize(
    "token", ["x", "a.b.c", "..", "ä.ö.ü", "\ud800", "e30.e30.e30", "e30.." * 9]
)
def test_what_is_no_token_is_not_believed(check, token):
    with pytest.raises(Unauthenticated):
        check.require_caller(f"Bearer {token}")


def test_an_unsigned_token_is_not_believed(check, keys):
    header, claims, _ = keys.token().split(".")
    unsigned = part({"alg": "none", "kid": keys.key_id})

    for token in (f"{unsigned}.{claims}.", f"{header}.{claims}."):
        with pytest.raises(Unauthenticated):
            check.require_caller(f"Bearer {token}")


def test_a_token_signed_with_the_public_key_as_a_secret_is_not_believed(check, keys):
    public = keys.key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    _, claims, _ = keys.token().split(".")
    said = f"{part({'alg': 'HS256', 'typ': 'JWT', 'kid': keys.key_id})}.{claims}"
    signature = encoded(hmac.new(public, said.encode(), hashlib.sha256).digest())

    with pytest.raises(Unauthenticated):
        check.require_caller(f"Bearer {said}.{signature}")


def test_a_token_tampered_with_is_not_believed(check, keys):
    header, _, signature = keys.token(email="somebody@example.com").split(".")
    _, claims, _ = keys.token().split(".")

    with pytest.raises(Unauthenticated):
        check.require_caller(f"Bearer {header}.{claims}.{signature}")


def test_another_key_under_the_same_name_is_not_believed(check, keys):
    other = rsa.generate_private_key(public_exponent=65537, key_size=2048)

    with pytest.raises(Unauthenticated):
        check.require_caller(f"Bearer {keys.token(key=other)}")


@pytest.mark.parametrize("kid", ["other", ""])
def test_a_key_that_nobody_published_is_not_believed(check, keys, kid):
    with pytest.raises(Unauthenticated):
        check.require_caller(f"Bearer {keys.token(kid=kid)}")


def test_keys_are_fetched_once_for_many_tokens(check, keys):
    for _ in range(3):
        check.require_caller(f"Bearer {keys.token()}")

    assert keys.fetches == 1


def test_a_rotated_key_is_followed(check, keys):
    check.require_caller(f"Bearer {keys.token()}")
    before = keys.token()

    keys.rotate()

    assert check.require_caller(f"Bearer {keys.token()}") == CALLER
    with pytest.raises(Unauthenticated):
        check.require_caller(f"Bearer {before}")


def test_unknown_keys_do_not_make_us_fetch_all_the_time(keys):
    check = check_of(keys.url, f"{keys.url}/certs", keys_rest_for=timedelta(hours=1))

    for number in range(5):
        with pytest.raises(Unauthenticated):
            check.require_caller(f"Bearer {keys.token(kid=str(number))}")

    assert keys.fetches == 1


def test_while_the_issuer_is_gone_callers_come_back_later(keys):
    check = check_of(keys.url, f"http://127.0.0.1:{free_port()}/certs")

    with pytest.raises(TryLater):
        check.require_caller(f"Bearer {keys.token()}")


@pytest.mark.parametrize(
    "answer",
    [
        (500, b""),
        (404, b"{}"),
        (200, b"<html>"),
        (200, b"[]"),
        (200, b'{"keys": []}'),
        (200, b"\xff"),
    ],
)
def test_while_the_issuer_is_confused_callers_come_back_later(check, keys, answer):
    keys.answer = answer
    with pytest.raises(TryLater):
        check.require_caller(f"Bearer {keys.token()}")

    keys.answer = None

    assert check.require_caller(f"Bearer {keys.token()}") == CALLER


def part(value: object) -> str:
    return encoded(json.dumps(value).encode())


def encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
