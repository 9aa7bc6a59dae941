"""A dispatcher with all that is real around it; its queue keeps what it gets, unless asked."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from colorway.ledger.connection import Ledger
from demo.machine import Machine
from local_tasks.server import LocalTasks
from tests.dispatcher.source_host import SourceHost
from tests.dispatcher.stage import Stage, local_queue, on_stage
from tests.dispatcher.wire import a_dispatcher


@pytest.fixture(scope="session")
def idle_queue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalTasks]:
    with local_queue(tmp_path_factory.mktemp("queue")) as tasks:
        yield tasks


@pytest.fixture
def stage(sqlite_ledger: Ledger, tmp_path: Path, idle_queue: LocalTasks) -> Iterator[Stage]:
    with on_stage(sqlite_ledger, tmp_path, idle_queue.grpc_address) as stage:
        yield stage


@pytest.fixture
def stage_on_each(ledger: Ledger, tmp_path: Path, idle_queue: LocalTasks) -> Iterator[Stage]:
    """The same on each database in turn, for what only one of them might refuse."""
    with on_stage(ledger, tmp_path, idle_queue.grpc_address) as stage:
        yield stage


@pytest.fixture
def host() -> Iterator[SourceHost]:
    """A web server that a test lets talk."""
    with SourceHost().serving() as host:
        yield host


@pytest.fixture(scope="session")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """A dispatcher under gunicorn, with its queue, for what is seen on real sockets only."""
    with a_dispatcher(tmp_path_factory.mktemp("machine")) as machine:
        yield machine
