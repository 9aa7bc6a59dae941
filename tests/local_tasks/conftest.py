"""A local queue in process, on a clock moved by hand, and a target for its tasks."""

import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from local_tasks.clock import ManualClock
from local_tasks.oidc import new_key_pem
from local_tasks.queue_settings import QueueSettings
from local_tasks.server import LocalTasks
from local_tasks.store import Store
from tests.local_tasks.stage import (
    QUEUE,
    LocalQueue,
    QuietServer,
    StartQueue,
    Target,
    client_at,
    handler_of,
)


@pytest.fixture
def target() -> Iterator[Target]:
    target = Target()
    target.release()
    server = QuietServer(("127.0.0.1", 0), handler_of(target))
    server.daemon_threads = True
    target.url = f"http://127.0.0.1:{server.server_address[1]}/render"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield target
    target.release()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture(scope="session")
def key_pem() -> str:
    return new_key_pem()


@pytest.fixture
def start_queue(tmp_path: Path, clock: ManualClock, key_pem: str) -> Iterator[StartQueue]:
    """start_queue(settings, **options of LocalTasks); all are stopped after the test."""
    # Making a key takes longer than most tests: the first file of each gets the session's.
    store = Store(tmp_path / "queue.db")
    store.put_fact("signing_key", key_pem)
    store.close()
    with ExitStack() as running:

        def start(settings: QueueSettings | None = None, **options: Any) -> LocalQueue:
            queues = {QUEUE: settings or QueueSettings()}
            options = {"queues": queues, "clock": clock, "data": tmp_path / "queue.db"} | options
            server = running.enter_context(LocalTasks(**options))
            return LocalQueue(server, running.enter_context(client_at(server.grpc_address)))

        yield start


@pytest.fixture
def queue(start_queue: StartQueue) -> LocalQueue:
    return start_queue()
