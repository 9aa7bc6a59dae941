"""A client and the real dispatcher, with a socket between them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from werkzeug.serving import make_server

from colorway.client import Client
from colorway.ledger.connection import Ledger
from local_tasks.server import LocalTasks
from tests.dispatcher.stage import Stage, local_queue, on_stage


@pytest.fixture(scope="session")
def queue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalTasks]:
    with local_queue(tmp_path_factory.mktemp("queue")) as tasks:
        yield tasks


@pytest.fixture
def stage(sqlite_ledger: Ledger, tmp_path: Path, queue: LocalTasks) -> Iterator[Stage]:
    with on_stage(sqlite_ledger, tmp_path / "stage", queue.grpc_address) as stage:
        yield stage


@pytest.fixture
def url(stage: Stage) -> Iterator[str]:
    """The dispatcher's address."""
    server = make_server("127.0.0.1", 0, stage.app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def client(url: str, stage: Stage) -> Iterator[Client]:
    with Client(url, stage.key, patience_s=5) as client:
        yield client
