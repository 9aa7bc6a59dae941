"""The dispatcher's door: gunicorn's threaded worker, made to wait for nobody for ever.

By itself it gives a client all the time in the world, and a thread of its own, to send a head or a
body or to take an answer; and its main loop stands still for two seconds whenever a client that
should hang up does not. Here a request must come in, and an answer be taken, at some pace; nobody
is waited for in the main loop; and what is not HTTP is told so in problem+json, as all else is.

    silent             in the main loop, no thread, until gunicorn's `keepalive` is over
    sending slowly     a thread, until `Pace.receive_within` and no longer; then 408, or hung up on
    reading slowly     a thread, until `Pace.send_within`; then cut off
    not hanging up     a thread, for two seconds
"""

from __future__ import annotations

import select
import socket
import struct
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from time import monotonic
from typing import Any

import structlog
from gunicorn.http.errors import (
    ExpectationFailed,
    InvalidResponseHeader,
    InvalidResponseHeaderName,
    LimitRequestHeaders,
    LimitRequestLine,
    ParseException,
)
from gunicorn.workers.gthread import _DEFER, ThreadWorker
from structlog.contextvars import bind_contextvars, clear_contextvars
from uuid_utils.compat import uuid7
from werkzeug.http import HTTP_STATUS_CODES

from colorway.errors import TooSlow
from dispatcher.api.problems import MEDIA_TYPE, problem_body

log = structlog.get_logger()

_FIRST_BYTE_S = 0.02  # most clients speak at once; the way through the main loop takes half a ms
_LINGER_S = 2  # for a client to read its last answer and hang up, RFC 9112 section 9.6
_UNREAD_BYTES = 1 << 16  # of a refused body, read so that the connection can be used again
_AT_ONCE = struct.pack("ii", 1, 0)  # SO_LINGER: closing forgets what was not taken
_REFUSALS = {LimitRequestLine: 414, LimitRequestHeaders: 431, ExpectationFailed: 417}
_OUR_FAULT = (InvalidResponseHeader, InvalidResponseHeaderName)


@dataclass(frozen=True, slots=True)
class Pace:
    """How slow a client may be.

    A request is whole `receive_within` its first byte, and a second later for every `receive_rate`
    bytes of it; each piece of an answer is taken `send_within`.
    """

    receive_within: timedelta
    receive_rate: int
    send_within: timedelta


class Incoming:
    """A connection as gunicorn's parser reads it, with a deadline that bytes put off.

    A deadline for each read would not do: a byte a second meets any.
    """

    def __init__(self, conn: Any, pace: Pace, clock: Callable[[], float] = monotonic) -> None:
        self._conn = conn
        self._pace = pace
        self._clock = clock
        self._readable = select.poll()
        self._readable.register(conn.sock, select.POLLIN)
        self.begin()

    def begin(self) -> None:
        """Start the time of the next request."""
        self._due = self._clock() + self._pace.receive_within.total_seconds()

    def recv(self, most: int) -> bytes:
        """Return what has come, as a socket does, or raise TooSlow."""
        left = max(0.0, self._due - self._clock())  # what is here already is not late
        if not self._readable.poll(left * 1000):
            if (request := self._conn.parser.mesg) is not None:
                request.force_close()
            raise TooSlow("the request came too slowly, and was not waited for any longer")
        chunk: bytes = self._conn.sock.recv(most)
        self._due += len(chunk) / self._pace.receive_rate
        return chunk


class Door(ThreadWorker):  # type: ignore[misc] # gunicorn has no types
    """The worker class; its pace is the app's, at `app.extensions["pace"]`."""

    def handle(self, conn: Any) -> Any:
        """Handle one request, and see to it that closing the connection is the work of a moment."""
        if not conn.initialized:
            if not conn.wait_for_data(_FIRST_BYTE_S):
                return _DEFER
            conn.init()
            conn.parser.unreader.sock = Incoming(conn, self._pace)
        conn.parser.unreader.sock.begin()
        keeps = super().handle(conn)
        if not keeps:
            _hang_up(conn.sock)
        return keeps

    def handle_request(self, req: Any, conn: Any) -> bool:
        """Let the app answer; return whether another request may follow."""
        conn.sock.settimeout(self._pace.send_within.total_seconds())
        try:
            keeps = super().handle_request(req, conn)
        except TimeoutError as error:
            log.warning("answer broken off", reason=str(error))
            conn.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
            return False
        try:  # an error from here on must not become a second answer to the same request
            return bool(keeps and conn.parser.finish_body(max_bytes=_UNREAD_BYTES))
        except (ParseException, TooSlow, OSError):
            return False

    def handle_error(self, req: Any, client: socket.socket, addr: Any, exc: Exception) -> None:
        """Answer what is not HTTP; the log says what it lacks, and not a word of what it says."""
        request_id = str(uuid7())
        clear_contextvars()
        bind_contextvars(request_id=request_id)
        if isinstance(exc, TooSlow):
            status, code, detail = exc.status, exc.code, exc.detail
        elif isinstance(exc, ParseException) and not isinstance(exc, _OUR_FAULT):
            status = _REFUSALS.get(type(exc), 400)
            code, detail = "malformed", "this is not HTTP as it is spoken here"
        else:
            status, code, detail = 500, "internal", "this is our fault"
            log.error("request broke", exc_info=exc)
        reason = type(exc).__name__
        log.info("request answered", route="unknown", status=status, code=code, reason=reason)
        body = problem_body(status, code, detail, instance="*", request_id=request_id)
        answer = (
            f"HTTP/1.1 {status} {HTTP_STATUS_CODES[status]}\r\n"
            "Connection: close\r\n"
            f"X-Request-Id: {request_id}\r\n"
            f"Content-Type: {MEDIA_TYPE}\r\n"
            f"Content-Length: {len(body)}\r\n\r\n{body}"
        )
        with suppress(OSError):
            client.setblocking(False)
            client.sendall(answer.encode())

    @property
    def _pace(self) -> Pace:
        pace: Pace = self.wsgi.extensions["pace"]
        return pace


def _hang_up(client: socket.socket) -> None:
    """Let the client read its last answer and hang up; what it sends from now on is a reset.

    gunicorn does so in its main loop, and keeps everyone waiting. Now it has nothing to do there.
    """
    until = monotonic() + _LINGER_S
    with suppress(OSError):
        client.shutdown(socket.SHUT_WR)
        while (left := until - monotonic()) > 0:
            client.settimeout(left)
            if not client.recv(1 << 16):
                break
    with suppress(OSError):
        client.shutdown(socket.SHUT_RD)
