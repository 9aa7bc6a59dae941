"""What the journeys through the shape of production have in common; with a pooler, and without."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import pytest
import requests

from colorway.ledger.accounts import issue_key, open_account
from colorway.ledger.connection import Ledger
from demo.machine import Machine
from demo.production import production
from demo.supervisor import Service
from tests.journeys.conftest import IMPATIENT
from tests.journeys.travel import eventually

RATE = 100
"""Calls of a key to each process in a minute: few, so that the end of it is soon reached."""

T = TypeVar("T")


@contextmanager
def running_production(folder: Path, url: str) -> Iterator[Machine]:
    """Run it on the ledger at this URL."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DATABASE_URL", url)
        settings = IMPATIENT | {"RATE_LIMIT": f"{RATE} per minute"}
        with production(folder / "data", settings=settings) as machine, machine.running():
            eventually(lambda: processes_of(machine.dispatcher), lambda found: len(found) == 3)
            yield machine


def a_key(machine: Machine) -> str:
    """Return the key of a new account, whose calls nobody has counted yet."""
    now, ledger = datetime.now(UTC), Ledger(machine.database_url, pool_size=1)
    with ledger.transaction() as session:
        key = issue_key(session, open_account(session, "somebody", now=now), now=now)
    ledger.dispose()
    return key


def processes_of(service: Service) -> list[int]:
    """Return the ids of gunicorn's worker processes."""
    children = Path(f"/proc/{service.pid}/task/{service.pid}/children")
    return [int(pid) for pid in children.read_text().split()]


def kill_one(service: Service) -> int:
    """Kill one of them, as the kernel does where memory ends; gunicorn's master starts another."""
    victim = processes_of(service)[0]
    os.kill(victim, signal.SIGKILL)
    return victim


def at_once(call: Callable[[], T], times: int) -> list[T]:
    """Make so many calls, a dozen at a time."""
    with ThreadPoolExecutor(12) as callers:
        return list(callers.map(lambda _: call(), range(times)))


def get(url: str, key: str | None = None, **headers: str) -> requests.Response:
    """Ask on a connection of its own, so that any process may answer."""
    if key is not None:
        headers["Authorization"] = f"Bearer {key}"
    return requests.get(url, headers=headers, timeout=60)
