"""A web server on loopback that says just what a test lets it say, to the byte."""

from __future__ import annotations

import socket
import socketserver
import ssl
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta
from ipaddress import ip_address
from typing import Any

import pytest

from colorway.errors import Refused
from dispatcher.places import Places
from dispatcher.remote_image import IPAddress, Limits, RemoteImages, UrlRules
from tests.dispatcher.stage import a_png

TRUSTS_NOBODY = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # loads nothing, so it is quickly made
LOOPBACK = ip_address("127.0.0.1")
HOST = "cdn.example"

Answer = bytes | Callable[[socket.socket], None]


class SourceHost:
    """Answers each path with these bytes, or lets a function talk; keeps the heads of requests."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.answers: dict[str, Answer] = {}
        self.requests: list[str] = []
        self.connections = 0
        self.greeting = b""
        self.is_over = threading.Event()
        self._tls = tls
        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), self._handle)
        self.port: int = self._server.server_address[1]

    def url(self, path: str = "/a.png", host: str = HOST) -> str:
        return f"{'https' if self._tls else 'http'}://{host}:{self.port}{path}"

    def has(self, path: str = "/a.png", body: bytes | None = None) -> str:
        """Let there be a picture, and return its URL."""
        self.answers[path] = answer(body or a_png())
        return self.url(path)

    def redirects(self, path: str, to: str, status: int = 302) -> str:
        self.answers[path] = said(f"HTTP/1.1 {status} Elsewhere", f"Location: {to}")
        return self.url(path)

    def paths(self) -> list[str]:
        return [request.split(" ")[1] for request in self.requests]

    def _handle(self, connection: socket.socket, *_: Any) -> None:
        self.connections += 1
        with suppress(OSError):  # whoever fetches may leave at any time
            if self._tls is None:
                self._answer(connection)
                return
            with self._tls.wrap_socket(connection, server_side=True) as secured:
                self._answer(secured)

    def _answer(self, connection: socket.socket) -> None:
        head = b""
        connection.sendall(self.greeting)
        while not head.endswith(b"\r\n\r\n"):
            chunk = connection.recv(1000)
            if not chunk:
                return
            head += chunk
        request = head.decode("ascii")
        self.requests.append(request)
        saying = self.answers[request.split(" ")[1]]
        if isinstance(saying, bytes):
            connection.sendall(saying)
        else:
            saying(connection)

    @contextmanager
    def serving(self) -> Iterator[SourceHost]:
        thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield self
        finally:
            self.is_over.set()
            self._server.shutdown()
            self._server.server_close()
            thread.join()


class Names:
    """A resolver whose answers a test knows, one after the other; the last one stays."""

    def __init__(self, *answers: Sequence[str], host: str = HOST) -> None:
        self.asked: list[str] = []
        self._answers = list(answers) or [["127.0.0.1"]]
        self._host = host

    def __call__(self, host: str) -> Sequence[IPAddress]:
        self.asked.append(host)
        if host != self._host:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        found = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        return [ip_address(address) for address in found]


def remote_images(host: SourceHost | None = None, **matters: Any) -> RemoteImages:
    """Return what fetches from this host, if any: loopback, and no other address, may be called."""
    limits = {
        "max_bytes": 100_000,
        "max_pixels": 1_000,
        "fetch_for": timedelta(seconds=20),
        "connect_for": timedelta(seconds=10),
        "silence_for": timedelta(seconds=10),
    }
    limits |= {name: matters.pop(name) for name in limits if name in matters}
    rules = UrlRules(allow_http=True, ports=frozenset({80, 443, host.port if host else 443}))
    settled = {
        "rules": rules,
        "places": Places(2, full="too many"),
        "resolve": Names(),
        "tls": TRUSTS_NOBODY,
        "may_connect": lambda address: address == LOOPBACK,
    }
    return RemoteImages(Limits(**limits), **(settled | matters))


def fetched(images: RemoteImages, url: str) -> bytes:
    with images.picture_at(url) as picture:
        picture.file.seek(0)
        return picture.file.read()


def refusal(images: RemoteImages, url: str) -> Refused:
    """Return why nothing is fetched; it must say that it is the URL's."""
    with pytest.raises(Refused) as refused:
        fetched(images, url)
    error = refused.value
    assert [(flaw.pointer, flaw.code) for flaw in error.flaws] == [("#/image/url", error.code)]
    return error


def said(*head: str, body: bytes = b"") -> bytes:
    return "".join(f"{line}\r\n" for line in (*head, "")).encode("latin-1") + body


def answer(body: bytes, *headers: str, kind: str | None = "image/png") -> bytes:
    """Return a whole and honest answer, but for these headers."""
    kinds = [f"Content-Type: {kind}"] if kind is not None else []
    lengths = [f"Content-Length: {len(body)}"]
    return said("HTTP/1.1 200 OK", *kinds, *lengths, *headers, body=body)
