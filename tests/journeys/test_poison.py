"""A picture that kills its worker fails by itself; whoever was rendered beside it does not."""

from __future__ import annotations

import hashlib
from pathlib import Path
from uuid import UUID

from colorway.client import Client
from colorway.ledger.connection import Ledger
from demo.machine import Machine
from tests.builders import counts_of
from tests.journeys.conftest import IMPATIENT
from tests.journeys.travel import TWO, a_photo, finished

HEALTHY = 10


def test_one_poison_among_healthy_jobs(tmp_path: Path) -> None:
    poison = a_photo(tmp_path, width=100, height=100)
    digest = hashlib.sha256(poison.read_bytes()).hexdigest()
    machine = Machine(
        tmp_path / "data",
        settings=IMPATIENT | {"POISON_SHA256": digest},
        worker_app="tests.journeys.poisoned_worker:app",
    )

    with machine.running(), Client(machine.dispatcher_url, machine.api_key) as client:
        healthy = [
            client.submit(a_photo(tmp_path, width=320 + n), TWO) for n in range(HEALTHY // 2)
        ]
        killer = client.submit(poison, TWO)
        healthy += [
            client.submit(a_photo(tmp_path, width=420 + n), TWO) for n in range(HEALTHY // 2)
        ]
        done = [finished(client, job) for job in healthy]
        failed = finished(client, killer)

    assert [job.status for job in done] == ["completed"] * HEALTHY
    assert failed.status == "failed"
    assert {colorway.error and colorway.error.code for colorway in failed.colorways} == {
        "source-kills-worker"
    }
    ledger = Ledger(machine.database_url)
    with ledger.reading() as session:
        tallies = [counts_of(session, UUID(job.id)) for job in [*done, failed]]
    ledger.dispose()
    assert [counters for counters, _ in tallies] == [rows for _, rows in tallies]
