"""A client and the real dispatcher, with a socket between them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from colorway.client import Client
from colorway.ledger.connection import Ledger
from local_tasks.server import LocalTasks
from tests.dispatcher.stage import Stage, local_queue, on_stage
from tests.served import served


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
    with served(stage.app) as url:
        yield url


@pytest.fixture
def client(url: str, stage: Stage) -> Iterator[Client]:
    with Client(url, stage.key, patience_s=5) as client:
        yield client
