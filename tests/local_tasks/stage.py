"""A real HTTP target, and the vendor's unmodified client of a local queue."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import grpc
from google.cloud.tasks_v2 import CloudTasksClient
from google.cloud.tasks_v2.services.cloud_tasks.transports import CloudTasksGrpcTransport

from local_tasks.server import LocalTasks

PARENT = "projects/p/locations/l"
QUEUE = f"{PARENT}/queues/normal"
SOON = 20.0  # seconds of real time after which a test gives up waiting


@dataclass(frozen=True)
class Received:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def task_id(self) -> str:
        return self.headers["X-CloudTasks-TaskName"]


@dataclass
class Target:
    """Answers with its list of statuses, then 204 for ever; hold() keeps callers waiting.

    hold(only=1) keeps only the first delivery of each task waiting.
    """

    url: str = ""
    statuses: list[int] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    received: list[Received] = field(default_factory=list)
    busy: int = 0
    busiest: int = 0
    held: int | None = None
    is_open: threading.Event = field(default_factory=threading.Event)
    changed: threading.Condition = field(default_factory=threading.Condition)

    def hold(self, *, only: int | None = None) -> None:
        self.held = only
        self.is_open.clear()

    def release(self) -> None:
        self.is_open.set()

    def wait_for(self, count: int) -> list[Received]:
        return self.wait_until(lambda: len(self.received) >= count)

    def wait_until(self, is_so: Callable[[], bool]) -> list[Received]:
        with self.changed:
            assert self.changed.wait_for(is_so, SOON), f"only {len(self.received)} came"
            return list(self.received)

    def take(self, request: Received) -> int:
        with self.changed:
            self.received.append(request)
            self.busy += 1
            self.busiest = max(self.busiest, self.busy)
            status = self.statuses.pop(0) if self.statuses else 204
            is_held = self.held is None or self.held == self._deliveries_of(request.task_id)
            self.changed.notify_all()
        if is_held:
            self.is_open.wait(SOON)
        with self.changed:
            self.busy -= 1
        return status

    def _deliveries_of(self, task_id: str) -> int:
        return sum(request.task_id == task_id for request in self.received)


def handler_of(target: Target) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            status = target.take(Received(self.command, self.path, dict(self.headers), body))
            self.send_response_only(status)
            for key, value in target.headers.items():
                self.send_header(key, value)
            if status != 204:
                self.send_header("Content-Length", "0")
            self.end_headers()

        do_GET = do_PUT = do_HEAD = do_DELETE = do_PATCH = do_OPTIONS = do_POST  # noqa: N815

        def log_message(self, format: str, *args: Any) -> None:
            pass

    return Handler


class QuietServer(ThreadingHTTPServer):
    request_queue_size = 100

    def handle_error(self, *_: Any) -> None:
        """A caller that hung up is what some tests are about."""


@dataclass
class LocalQueue:
    """A started server and a client of it."""

    server: LocalTasks
    client: CloudTasksClient

    def create(self, url: str, **task: Any) -> Any:
        """Create a task in QUEUE; `name` is its short id, http_request's parts are merged."""
        if "name" in task:
            task["name"] = f"{QUEUE}/tasks/{task['name']}"
        task["http_request"] = {"url": url, **task.get("http_request", {})}
        return self.client.create_task(parent=QUEUE, task=task)


StartQueue = Callable[..., LocalQueue]


def client_at(address: str) -> CloudTasksClient:
    """The unmodified client; leaving its `with` block closes the channel."""
    channel = grpc.insecure_channel(address)
    return CloudTasksClient(transport=CloudTasksGrpcTransport(channel=channel))
