"""A token issuer on loopback: signs tokens, publishes its keys, and can rotate or fail."""

from __future__ import annotations

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm


class KeyServer(ThreadingHTTPServer):
    """Serves until the end of its `with` block; `answer` replaces the key set where it is set."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Route)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.fetches = 0
        self.answer: tuple[int, bytes] | None = None
        self._number = 0
        self.rotate()

    def rotate(self) -> None:
        """Sign with a new key from now on, and publish only that."""
        self._number += 1
        self.key_id = f"key-{self._number}"
        self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)

    def key_set(self) -> bytes:
        key = json.loads(RSAAlgorithm.to_jwk(self.key.public_key()))
        return json.dumps({"keys": [key | {"kid": self.key_id, "use": "sig"}]}).encode()

    def token(
        self, *, key: Any = None, algorithm: str = "RS256", kid: Any = None, **claims: Any
    ) -> str:
        """Return a token good for an hour; a claim of None is left out."""
        now = int(time.time())
        said = {
            "iss": self.url,
            "aud": claims.pop("audience", "https://service.example"),
            "email": "tasks@example.com",
            "email_verified": True,
            "iat": now,
            "exp": now + 3600,
        } | claims
        given = {name: value for name, value in said.items() if value is not None}
        headers = {"kid": self.key_id if kid is None else kid}
        return jwt.encode(given, key or self.key, algorithm=algorithm, headers=headers)

    def __enter__(self) -> KeyServer:
        self._thread = threading.Thread(target=self.serve_forever, args=(0.01,))
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.shutdown()
        self._thread.join()
        self.server_close()


class _Route(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        server = self.server
        assert isinstance(server, KeyServer)
        server.fetches += 1
        status, body = server.answer or (200, server.key_set())
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Tests are quiet."""
