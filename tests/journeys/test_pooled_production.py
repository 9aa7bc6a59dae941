"""The shape of production, its ledger behind a real transaction pooler of three backends."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest

from colorway.client import Client
from colorway.ledger.connection import Ledger
from demo.doctors import see_doctors
from demo.machine import Machine
from tests.builders import counts_of
from tests.databases import PostgresServer
from tests.journeys.production import at_once, get, kill_one, running_production
from tests.journeys.travel import SEVEN, a_photo, finished
from tests.pooler import transaction_pooler

JOBS = 8


@pytest.fixture(scope="module")
def machine(
    postgres: PostgresServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Machine]:
    folder = tmp_path_factory.mktemp("pooled")
    with (
        postgres.database() as url,
        transaction_pooler(url) as pooled,
        running_production(folder, pooled) as machine,
    ):
        yield machine


def test_the_doctors_find_nothing_wrong(
    machine: Machine, capfd: pytest.CaptureFixture[str]
) -> None:
    assert see_doctors(machine.running_file) == 0

    assert "none are prepared; behind a pooler" in capfd.readouterr().out


def test_every_palette_ends_once_and_is_counted_once(
    machine: Machine, client: Client, its_ledger: Ledger, tmp_path: Path
) -> None:
    photos = [a_photo(tmp_path, width=300 + number) for number in range(JOBS)]

    jobs = [client.submit(photo, SEVEN) for photo in photos]
    kill_one(machine.dispatcher)
    last = f"{machine.dispatcher_url}/v1/jobs/{jobs[-1].id}"
    at_once(lambda: get(last, machine.api_key, Prefer="wait=25"), 12)
    done = [finished(client, job) for job in jobs]

    assert [job.counts.completed for job in done] == [len(SEVEN)] * JOBS
    with its_ledger.reading() as session:
        tallies = [counts_of(session, UUID(job.id)) for job in jobs]
    assert [counters for counters, _ in tallies] == [rows for _, rows in tallies]
