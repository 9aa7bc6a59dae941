"""Jobs through several dispatcher processes and two workers on Postgres: any of them may answer."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path
from urllib.parse import urljoin

import pytest
import requests

from colorway.client import Client, Job
from demo.doctors import see_doctors
from demo.machine import Machine
from tests.databases import PostgresServer
from tests.journeys.production import (
    RATE,
    a_key,
    at_once,
    get,
    kill_one,
    processes_of,
    running_production,
)
from tests.journeys.travel import SEVEN, TWO, a_photo, eventually, finished

PROCESSES = 3


@pytest.fixture(scope="module")
def machine(
    postgres: PostgresServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Machine]:
    folder = tmp_path_factory.mktemp("production")
    with postgres.database() as url, running_production(folder, url) as machine:
        yield machine


@pytest.fixture
def key(machine: Machine) -> str:
    return a_key(machine)


@pytest.fixture
def client(machine: Machine, key: str) -> Iterator[Client]:
    with Client(machine.dispatcher_url, key) as client:
        yield client


def test_the_doctors_find_nothing_wrong(machine: Machine) -> None:
    assert see_doctors(machine.running_file) == 0


def test_polls_agree_whichever_process_answers(
    machine: Machine, client: Client, key: str, tmp_path: Path
) -> None:
    done = finished(client, client.submit(a_photo(tmp_path), SEVEN))
    url = f"{machine.dispatcher_url}/v1/jobs/{done.id}"

    answers = at_once(lambda: get(url, key), 60)

    assert {answer.text for answer in answers} == {answers[0].text}
    assert answers[0].json()["counts"]["completed"] == len(SEVEN)
    assert len({_calls_left(answer) for answer in answers}) < len(answers)  # several have counted


def test_a_key_may_call_each_process_as_often_as_the_limit_says(machine: Machine, key: str) -> None:
    url = f"{machine.dispatcher_url}/v1/jobs"
    answers: list[requests.Response] = []

    def all_refuse() -> bool:
        latest = at_once(lambda: get(url, key), 60)
        answers.extend(latest)
        return {answer.status_code for answer in latest} == {429}

    eventually(all_refuse, bool)

    accepted = [answer for answer in answers if answer.ok]
    assert len(accepted) == PROCESSES * RATE
    assert get(url, a_key(machine)).ok


def test_a_link_signed_by_one_process_works_on_all(
    machine: Machine, client: Client, key: str, tmp_path: Path
) -> None:
    done = finished(client, client.submit(a_photo(tmp_path), TWO))
    picture = f"{machine.dispatcher_url}/v1/jobs/{done.id}/colorways/{done.colorways[0].key}/image"
    headers = {"Authorization": f"Bearer {key}"}
    redirect = requests.get(picture, headers=headers, allow_redirects=False, timeout=10)

    link = urljoin(machine.dispatcher_url, redirect.headers["Location"])
    followed = at_once(lambda: get(link), 60)

    result = done.colorways[0].result
    assert {sha256(answer.content).hexdigest() for answer in followed} == {result and result.sha256}


def test_who_waits_at_any_process_hears_of_the_end(
    machine: Machine, client: Client, key: str, tmp_path: Path
) -> None:
    job = client.submit(a_photo(tmp_path, width=1200, height=900), SEVEN)
    url = f"{machine.dispatcher_url}/v1/jobs/{job.id}"

    ends = at_once(lambda: get(url, key, Prefer="wait=25"), 12)

    assert {end.json()["status"] for end in ends} == {"completed"}


def test_a_dispatcher_process_that_is_killed_takes_nothing_with_it(
    machine: Machine, client: Client, tmp_path: Path
) -> None:
    with ThreadPoolExecutor(1) as elsewhere:
        submission = elsewhere.submit(_submit_ten, client, tmp_path)
        killed = kill_one(machine.dispatcher)
        jobs = submission.result()
    done = [finished(client, job) for job in jobs]

    assert [job.counts.completed for job in done] == [len(TWO)] * 10
    assert len({job.id for job in client.jobs()}) == 10
    after = eventually(
        lambda: processes_of(machine.dispatcher), lambda found: len(found) == PROCESSES
    )
    assert killed not in after


def test_either_worker_goes_on_where_the_other_was_killed(
    machine: Machine, client: Client, tmp_path: Path
) -> None:
    for number, worker in enumerate(machine.workers):
        photo = a_photo(tmp_path, width=2400, height=1600 + number)
        job = client.submit(photo, SEVEN)
        eventually(lambda job=job: client.job(job.id), lambda job: bool(job.counts.processing))

        worker.kill()
        done = finished(client, job)
        worker.start()
        worker.wait_until_ready()

        assert done.counts.completed == len(SEVEN)


def _submit_ten(client: Client, folder: Path) -> list[Job]:
    photos = [a_photo(folder, width=300 + number) for number in range(10)]
    return [client.submit(photo, TWO) for photo in photos]


def _calls_left(answer: requests.Response) -> int:
    """Return what the process that answered has left for the key."""
    _, _, left = answer.headers["RateLimit"].partition("r=")
    return int(left.partition(";")[0])
