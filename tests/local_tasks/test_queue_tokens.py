"""The OIDC tokens: judged by the libraries that judge Google's own."""

import json
import urllib.request
from pathlib import Path

import google.auth.transport.requests
import jwt
import pytest
import requests
from google.auth.exceptions import GoogleAuthError
from google.oauth2 import id_token

from local_tasks.clock import ManualClock
from local_tasks.oidc import TokenMint
from tests.local_tasks.stage import LocalQueue, StartQueue, Target

ACCOUNT = "invoker@p.iam.gserviceaccount.com"
AUDIENCE = "https://worker.example"


def test_google_auth_accepts_a_dispatched_token(queue: LocalQueue, target: Target):
    token = dispatched_token(queue, target, audience=AUDIENCE)

    claims = judged_by_google_auth(token, queue)

    assert claims["iss"] == queue.server.http_url
    assert (claims["email"], claims["email_verified"]) == (ACCOUNT, True)
    assert claims["sub"] == claims["azp"]
    assert claims["sub"].isdecimal()
    assert claims["exp"] - claims["iat"] == 3600


def test_google_auth_refuses_it_after_tampering(queue: LocalQueue, target: Target):
    header, payload, signature = dispatched_token(queue, target, audience=AUDIENCE).split(".")
    forged = jwt.utils.base64url_decode(payload).replace(b"invoker", b"another")
    token = ".".join((header, jwt.utils.base64url_encode(forged).decode(), signature))

    with pytest.raises((GoogleAuthError, jwt.InvalidSignatureError)):
        judged_by_google_auth(token, queue)


def test_pyjwt_finds_the_key_and_accepts_the_token(queue: LocalQueue, target: Target):
    token = dispatched_token(queue, target, audience=AUDIENCE)
    keys = jwt.PyJWKClient(f"{queue.server.http_url}/certs")

    key = keys.get_signing_key_from_jwt(token)
    claims = jwt.decode(
        token, key, algorithms=["RS256"], audience=AUDIENCE, issuer=queue.server.issuer
    )

    assert claims["email"] == ACCOUNT


def test_the_audience_is_the_whole_url_unless_given(queue: LocalQueue, target: Target):
    token = dispatched_token(queue, target)

    assert unchecked(token)["aud"] == target.url


def test_a_token_replaces_the_tasks_own_authorization(queue: LocalQueue, target: Target):
    token = {"service_account_email": ACCOUNT}
    headers = {"authorization": "Bearer mine"}

    queue.create(target.url, http_request={"oidc_token": token, "headers": headers})
    (request,) = target.wait_for(1)

    sent = [value for key, value in request.headers.items() if key.lower() == "authorization"]
    assert len(sent) == 1
    assert sent[0] != "Bearer mine"


def test_the_issuer_can_be_chosen(start_queue: StartQueue, target: Target):
    queue = start_queue(issuer="https://accounts.google.com")

    token = dispatched_token(queue, target)

    assert unchecked(token)["iss"] == "https://accounts.google.com"


def test_the_key_outlives_a_restart(start_queue: StartQueue):
    first = start_queue()
    before = certificates_of(first)
    first.server.stop()

    assert certificates_of(start_queue()) == before


def test_a_file_that_was_deleted_is_begun_anew_with_another_key(
    start_queue: StartQueue, tmp_path: Path
):
    first = start_queue()
    before = certificates_of(first)
    first.server.stop()
    (tmp_path / "queue.db").unlink()

    assert certificates_of(start_queue()) != before


def test_the_file_with_the_key_is_nobody_elses_business(start_queue: StartQueue, tmp_path: Path):
    start_queue()

    modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.glob("queue.db*")}

    assert set(modes.values()) == {0o600}


def test_the_discovery_document_leads_to_the_keys(queue: LocalQueue):
    document = page(f"{queue.server.http_url}/.well-known/openid-configuration")

    assert document["issuer"] == queue.server.issuer
    assert page(document["jwks_uri"]) == certificates_of(queue)


def test_a_token_is_kept_until_five_minutes_before_its_end(key_pem: str):
    clock = ManualClock()
    mint = TokenMint(key_pem, issuer="https://issuer", clock=clock)
    first = mint.token(ACCOUNT, AUDIENCE)

    clock.advance(3299)
    kept = mint.token(ACCOUNT, AUDIENCE)
    clock.advance(1)
    renewed = mint.token(ACCOUNT, AUDIENCE)

    assert kept == first
    assert unchecked(renewed)["exp"] == unchecked(first)["exp"] + 3300


def test_tokens_of_others_are_not_mixed_up(key_pem: str):
    mint = TokenMint(key_pem, issuer="https://issuer", clock=ManualClock())

    claims = [
        unchecked(mint.token(account, audience))
        for account in ("a@x", "b@x")
        for audience in ("https://1", "https://2")
    ]

    assert [(claim["email"], claim["aud"]) for claim in claims] == [
        ("a@x", "https://1"),
        ("a@x", "https://2"),
        ("b@x", "https://1"),
        ("b@x", "https://2"),
    ]


def dispatched_token(queue: LocalQueue, target: Target, **oidc: str) -> str:
    token = {"service_account_email": ACCOUNT, **oidc}
    queue.create(target.url, http_request={"oidc_token": token})
    (request,) = target.wait_for(1)
    return request.headers["Authorization"].removeprefix("Bearer ")


def judged_by_google_auth(token: str, queue: LocalQueue) -> dict[str, object]:
    with requests.Session() as session:
        return id_token.verify_token(
            token,
            google.auth.transport.requests.Request(session),
            audience=AUDIENCE,
            certs_url=f"{queue.server.http_url}/certs",
        )


def unchecked(token: str) -> dict[str, object]:
    return jwt.decode(token, options={"verify_signature": False})


def certificates_of(queue: LocalQueue) -> dict[str, object]:
    return page(f"{queue.server.http_url}/certs")


def page(url: str) -> dict[str, object]:
    with urllib.request.urlopen(url, timeout=10) as response:  # noqa: S310 - our own
        return json.load(response)
