"""A whole machine for a journey: the real processes, impatient so that nobody waits for minutes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from colorway.client import Client
from colorway.ledger.connection import Ledger
from demo.machine import Machine

IMPATIENT = {
    "LEASE_FOR": "2",
    "HEARTBEAT_EVERY": "0.5",
    "RECONCILE_EVERY": "0.5",
    "OUTBOX_SILENT_FOR": "1",
    "TASK_UNSEEN_FOR": "1",
}


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    """Dispatcher, palette worker and local queue, running; a journey may kill and restart them."""
    machine = Machine(tmp_path / "data", settings=IMPATIENT)
    with machine.running():
        yield machine


@pytest.fixture
def client(machine: Machine) -> Iterator[Client]:
    with Client(machine.dispatcher_url, machine.api_key) as client:
        yield client


@pytest.fixture
def its_ledger(machine: Machine) -> Iterator[Ledger]:
    """The machine's own ledger, for a test that looks into it or plays a worker."""
    ledger = Ledger(machine.database_url)
    yield ledger
    ledger.dispose()
