"""An HTTP server on loopback that passes everything on to another, and can be made to fail.

It stands between an adapter and the store it talks to: `front.fail(Answer(503), times=2)`. It keeps
the heads of the requests that it got. Bodies are passed on as they come, in small pieces.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException, HTTPMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

_PIECE = 1 << 14
_GIVE_UP_S = 30


@dataclass(frozen=True, slots=True)
class Answer:
    """Read the request to its end, pass nothing on, and answer this."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Hang:
    """Read the request to its end and answer nothing, until the front is healed."""


@dataclass(frozen=True, slots=True)
class CutRequest:
    """Pass on so many bytes of the request's body, and break both connections."""

    after: int


@dataclass(frozen=True, slots=True)
class CutAnswer:
    """Pass on the request, but only so many bytes of the answer's body; None: nothing at all."""

    after: int | None


@dataclass(frozen=True, slots=True)
class HangAnswer:
    """Pass on the request, but only so many bytes of the answer's body, until healed."""

    after: int


Fault = Answer | Hang | CutRequest | CutAnswer | HangAnswer


@dataclass(frozen=True, slots=True)
class Seen:
    """The head of a request that came; `body` reads what has not been passed on."""

    method: str
    path: str
    headers: HTTPMessage
    body: Callable[[], bytes]


Gate = Callable[[Seen], Answer | Mapping[str, str]]
"""Answers a request, or lets it through and returns headers to be added to the answer."""


def open_gate(request: Seen) -> Answer | Mapping[str, str]:
    """Let everything through."""
    return {}


class FaultyFront:
    """Listens until closed; sound until told to `fail`."""

    def __init__(self, host: str, port: int, gate: Gate = open_gate) -> None:
        """Stand before the server at this address, which gets what the gate lets through."""
        self.backend = host, port
        self.gate = gate
        self.seen: list[Seen] = []
        self.healed = threading.Event()
        self._guard = threading.Lock()
        self._fault: Fault | None = None
        self._times = 0.0
        self._open: set[socket.socket] = set()
        self._server = _Server(self)
        self._thread = threading.Thread(target=self._server.serve_forever, args=[0.05])
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def fail(self, fault: Fault, *, times: float = float("inf")) -> None:
        """Do this to so many requests, from the next one on."""
        with self._guard:
            self._fault, self._times = fault, times
            self.healed.clear()

    def heal(self) -> None:
        with self._guard:
            self._times = 0
            self.healed.set()

    def drop_connections(self) -> None:
        """Close every connection, as a server does with those that were idle for long."""
        with self._guard:
            for connection in self._open:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self.heal()
        self._server.shutdown()
        self._thread.join()
        self.drop_connections()
        self._server.server_close()

    def next_fault(self) -> Fault | None:
        with self._guard:
            if self._times <= 0:
                return None
            self._times -= 1
            return self._fault

    @contextmanager
    def connected(self, connection: socket.socket) -> Iterator[None]:
        with self._guard:
            self._open.add(connection)
        try:
            yield
        finally:
            with self._guard:
                self._open.discard(connection)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, front: FaultyFront) -> None:
        self.front = front
        super().__init__(("127.0.0.1", 0), _Passage)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a connection that broke: that is what the front is for."""


class _Passage(BaseHTTPRequestHandler):
    """One connection of a client, and one to the backend."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1  # a head leaves in one packet
    server: _Server

    def handle(self) -> None:
        self._backend = HTTPConnection(*self.server.front.backend, timeout=_GIVE_UP_S)
        try:
            with self.server.front.connected(self.connection), suppress(OSError, HTTPException):
                super().handle()
        finally:
            self._backend.close()

    def _pass_on(self) -> None:
        front = self.server.front
        self._left = int(self.headers.get("Content-Length", 0))
        request = Seen(self.command, self.path, self.headers, lambda: b"".join(self._body()))
        front.seen.append(request)
        fault = front.next_fault()
        added: Mapping[str, str] = {}
        if fault is None or isinstance(fault, CutAnswer | HangAnswer):
            said = front.gate(request)
            if isinstance(said, Answer):
                fault = said
            else:
                added = said
        if isinstance(fault, Answer | Hang):
            for _ in self._body():
                pass
            if isinstance(fault, Hang):
                front.healed.wait(_GIVE_UP_S)
                self._break_off()
                return
            self._answer(fault.status, {**fault.headers, "Content-Length": str(len(fault.body))})
            self.wfile.write(fault.body)
            return
        self._request(fault.after if isinstance(fault, CutRequest) else None)
        if isinstance(fault, CutRequest):
            self._backend.close()
            self._break_off()
            return
        answer = self._backend.getresponse()
        with answer:
            if isinstance(fault, CutAnswer) and fault.after is None:
                answer.read()
                self._break_off()
                return
            headers = {name: value for name, value in answer.getheaders() if name not in _BY_HOP}
            headers |= added
            has_length = answer.length is not None
            self._answer(answer.status, headers if has_length else {**headers, **_CHUNKED})
            left = fault.after if isinstance(fault, CutAnswer | HangAnswer) else None
            while piece := answer.read(_PIECE if left is None else min(_PIECE, left)):
                self.wfile.write(piece if has_length else b"%x\r\n%b\r\n" % (len(piece), piece))
                left = None if left is None else left - len(piece)
            if isinstance(fault, CutAnswer | HangAnswer):
                self.wfile.flush()
                if isinstance(fault, HangAnswer):
                    front.healed.wait(_GIVE_UP_S)
                self._break_off()
            elif not has_length:
                self.wfile.write(b"0\r\n\r\n")

    do_GET = do_HEAD = do_PUT = do_POST = do_PATCH = do_DELETE = do_OPTIONS = _pass_on  # noqa: N815

    def _request(self, most: int | None) -> None:
        self._backend.putrequest(self.command, self.path, skip_accept_encoding=True)
        for name, value in self.headers.items():
            if name not in _BY_HOP:
                self._backend.putheader(name, value)
        self._backend.endheaders()
        sent = 0
        for piece in self._body():
            allowed = piece if most is None else piece[: most - sent]
            self._backend.send(allowed)
            sent += len(allowed)
            if sent == most:
                return

    def _body(self) -> Iterator[bytes]:
        """Yield what the client sends; where it goes away before its end, break off."""
        while self._left:
            piece = self.rfile.read1(min(_PIECE, self._left))  # type: ignore[attr-defined]
            if not piece:
                raise ConnectionResetError("the client went away")
            self._left -= len(piece)
            yield piece

    def _answer(self, status: int, headers: Mapping[str, str]) -> None:
        self.send_response_only(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def _break_off(self) -> None:
        self.close_connection = True
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)

    def log_message(self, format: str, *args: Any) -> None:
        """Keep quiet."""


_BY_HOP = {"Host", "Connection", "Transfer-Encoding", "Keep-Alive"}
_CHUNKED = {"Transfer-Encoding": "chunked"}
