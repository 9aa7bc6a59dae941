"""A bench to work at, with a clock moved by hand and a store that can be in trouble."""

from __future__ import annotations

import pytest

from colorway.ledger.connection import Ledger
from palette_worker.steps import Bench
from tests.fakes import Clock, HookedStore
from tests.palette_worker.workplace import a_bench


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store() -> HookedStore:
    return HookedStore()


@pytest.fixture
def bench(sqlite_ledger: Ledger, store: HookedStore, clock: Clock) -> Bench:
    return a_bench(sqlite_ledger, store, clock)


@pytest.fixture
def shared_bench(ledger: Ledger, store: HookedStore, clock: Clock) -> Bench:
    """A bench on each database in turn, for what several attempts do at once."""
    return a_bench(ledger, store, clock)
