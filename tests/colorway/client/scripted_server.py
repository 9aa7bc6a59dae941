"""A server that answers by script, whatever it is asked, and remembers what that was."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from colorway.client import Client

KEY = "cw_a-key-of-the-test"


@dataclass(frozen=True)
class Reply:
    """One answer; `cut_after` so many bytes of its body the connection breaks, 0 before it all."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    cut_after: int | None = None


@dataclass(frozen=True)
class Asked:
    """One request as it came in; of a body there is the size alone, unless the server keeps it."""

    method: str
    path: str
    headers: HTTPMessage
    body: bytes
    size: int


NO_ANSWER = Reply(cut_after=0)


def a_json(document: Any, status: int = 200, **headers: str) -> Reply:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply(status, json.dumps(document).encode(), named)


def a_problem(status: int, code: str, *, retryable: bool = False, **matters: Any) -> Reply:
    headers = {"Retry_After": matters.pop("retry_after")} if "retry_after" in matters else {}
    problem = {"status": status, "code": code, "detail": f"it is {code}", "retryable": retryable}
    return a_json(problem | matters, status, **headers)


def away(seconds: int) -> Reply:
    """Say as the service does that it is away, and for how long."""
    return a_problem(503, "unavailable", retryable=True, retry_after=str(seconds))


class ScriptedServer(ThreadingHTTPServer):
    """Answers with the replies in turn, and goes on with the last one."""

    daemon_threads = True

    def __init__(self, *, keeps_bodies: bool = True) -> None:
        super().__init__(("127.0.0.1", 0), _Route)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.script: list[Reply] = []
        self.asked: list[Asked] = []
        self.keeps_bodies = keeps_bodies
        self.may_answer = threading.Event()
        self.may_answer.set()

    def next_reply(self) -> Reply:
        return self.script.pop(0) if len(self.script) > 1 else self.script[0]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients may leave as they like."""


class _Route(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: ScriptedServer

    def _answer(self) -> None:
        body, size = self._body()
        self.server.asked.append(Asked(self.command, self.path, self.headers, body, size))
        self.server.may_answer.wait()
        reply = self.server.next_reply()
        if reply.cut_after == 0:
            self.close_connection = True
            return
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        if reply.status not in {204, 304}:
            self.send_header("Content-Length", str(len(reply.body)))
        self.end_headers()
        self.wfile.write(reply.body[: reply.cut_after])
        self.close_connection = reply.cut_after is not None

    def _body(self) -> tuple[bytes, int]:
        left, kept = int(self.headers.get("Content-Length", 0)), bytearray()
        size = left
        while left:
            piece = self.rfile.read(min(left, 1 << 16))
            left -= len(piece)
            if self.server.keeps_bodies:
                kept += piece
        return bytes(kept), size

    do_GET = do_POST = do_PUT = do_DELETE = _answer  # noqa: N815 - http.server's own names

    def log_message(self, format: str, *args: object) -> None:
        """Tests are quiet."""


@contextmanager
def scripted_server(*replies: Reply, keeps_bodies: bool = True) -> Iterator[ScriptedServer]:
    """Yield a running server with this script."""
    with ScriptedServer(keeps_bodies=keeps_bodies) as server:
        server.script += replies
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server
        finally:
            server.may_answer.set()
            server.shutdown()
            thread.join()


class Hours:
    """Time that passes while the client sleeps, and at no other time."""

    def __init__(self) -> None:
        self.now = 0.0
        self.naps: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.naps.append(seconds)
        self.now += seconds

    def clock(self) -> float:
        return self.now


def a_client(server: ScriptedServer, hours: Hours, **matters: Any) -> Client:
    return Client(server.url, KEY, sleep=hours.sleep, clock=hours.clock, **matters)


def a_job(*, version: int = 1, done: bool = False, **matters: Any) -> dict[str, Any]:
    """Return the body of a job without colorways; what matters replaces the rest."""
    image = {"id": "0198-image", "sha256": "5" * 64, "width": 8, "height": 6, "format": "png"}
    return {
        "id": "0198-job",
        "object": "job",
        "version": version,
        "status": "completed" if done else "processing",
        "done": done,
        "progress_percent": 100 if done else 50,
        "eta_seconds": None,
        "counts": dict.fromkeys(
            ("total", "pending", "processing", "completed", "failed", "cancelled"), 0
        ),
        "stats": dict.fromkeys(
            ("cached", "attempts", "retries", "render_seconds", "upload_seconds", "bytes"), 0
        ),
        "image": image | {"frames": 1, "bytes": 99},
        "render": {},
        "output": {},
        "priority": "normal",
        "on_error": "continue",
        "reuse": "cache",
        "metadata": {},
        "created_at": "2030-01-01T12:00:00Z",
        "started_at": None,
        "finished_at": None,
        "expires_at": "2030-01-31T12:00:00Z",
        "colorways": [],
        "colorways_next": None,
        "links": {},
    } | matters
