"""Counts of several processes behind one address: whichever is asked, it tells of all."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families

from colorway.client import Client
from demo.machine import Machine
from demo.shape import Shape
from tests.journeys.conftest import IMPATIENT
from tests.journeys.travel import TWO, a_photo, eventually, finished

PROCESSES = 3
CALLS = 30
COUNTS = "colorway-metrics-*"


@pytest.fixture
def crowd(tmp_path: Path) -> Iterator[Machine]:
    """A machine whose dispatcher is several processes."""
    settings = IMPATIENT | {"TMPDIR": str(tmp_path)}
    machine = Machine(tmp_path / "data", settings=settings, shape=Shape(dispatchers=PROCESSES))
    with machine.running():
        yield machine


def test_whichever_process_is_asked_tells_what_all_have_counted(
    crowd: Machine, tmp_path: Path
) -> None:
    with Client(crowd.dispatcher_url, crowd.api_key) as client:
        finished(client, client.submit(a_photo(tmp_path), TWO))
        finished(client, client.submit(a_photo(tmp_path), TWO))  # they are there already
    _call_from_all_sides(crowd)

    told = [_scrape(crowd) for _ in range(4 * PROCESSES)]

    assert {_listings(scrape) for scrape in told} == {CALLS}
    for scrape in told:
        assert scrape["tasks_delivered_total{}"] == 2
        assert scrape["reuse_hits_total{}"] == 2
        assert scrape["jobs_total{'status': 'completed'}"] == 1  # the worker has counted the other
        assert scrape["colorways_total{'status': 'completed'}"] == 2
        assert scrape["queue_depth{'priority': 'normal'}"] == 0
        assert scrape["ledger_drift{}"] == 0


def test_what_a_process_has_counted_outlives_it(crowd: Machine) -> None:
    _call_from_all_sides(crowd)
    before = _processes(crowd)
    assert len(before) == PROCESSES

    for process in before:
        process.kill()
    eventually(lambda: _processes(crowd), lambda now: len(now) == PROCESSES and not now & before)

    assert _listings(_scrape(crowd)) == CALLS
    _call_from_all_sides(crowd)
    assert _listings(_scrape(crowd)) == 2 * CALLS


def test_nothing_is_left_of_the_counts_when_the_service_ends(
    crowd: Machine, tmp_path: Path
) -> None:
    assert len(list(tmp_path.glob(COUNTS))) == len((crowd.dispatcher, crowd.worker))

    crowd.dispatcher.stop()
    crowd.worker.stop()

    assert not list(tmp_path.glob(COUNTS))


def _call_from_all_sides(machine: Machine) -> None:
    with ThreadPoolExecutor(8) as callers:
        answers = list(callers.map(lambda _: _get(machine, "/v1/jobs"), range(CALLS)))
    assert {answer.status_code for answer in answers} == {200}


def _scrape(machine: Machine) -> dict[str, float]:
    """Return every sample by its name and labels."""
    families = text_string_to_metric_families(_get(machine, "/metrics").text)
    return {
        f"{sample.name}{sample.labels}": sample.value
        for family in families
        for sample in family.samples
    }


def _listings(scrape: dict[str, float]) -> float:
    labels = {"method": "GET", "route": "/v1/jobs", "status": "200"}
    return scrape[f"http_request_seconds_count{labels}"]


def _get(machine: Machine, path: str) -> requests.Response:
    headers = {"Authorization": f"Bearer {machine.api_key}"}
    return requests.get(machine.dispatcher_url + path, headers=headers, timeout=20)


def _processes(machine: Machine) -> set[psutil.Process]:
    return set(psutil.Process(machine.dispatcher.pid).children())
