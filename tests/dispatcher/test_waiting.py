"""Long-polls: held while there is nothing new, and no longer; few enough to leave threads free."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import UUID

import pytest
import requests
from flask import Flask
from sqlalchemy import delete
from tenacity import Retrying, retry_if_result, stop_after_delay, wait_fixed
from werkzeug.test import TestResponse

from colorway.ledger.quotas import Quotas
from colorway.ledger.tables import jobs
from colorway.telemetry.metrics import RequestMetrics
from demo.machine import Machine
from dispatcher.api.jobs import job_routes
from dispatcher.api.problems import show_problems
from dispatcher.api.uploads import Uploads
from dispatcher.api.waiting import Waiting
from dispatcher.delivery import Delivery
from dispatcher.intake import Intake
from dispatcher.places import Places
from tests.builders import DAY
from tests.dispatcher.source_host import remote_images
from tests.dispatcher.stage import Stage, a_job_part, a_png, multipart
from tests.dispatcher.test_show_job import NOWHERE, completed


class Lounge:
    """The routes of jobs with one place to wait, where time passes in pauses only.

    `meanwhile` is what happens in each pause, by its number.
    """

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.pauses: list[float] = []
        self.meanwhile: dict[int, Callable[[], object]] = {}
        self.is_ending = False
        self.app = Flask(__name__)
        show_problems(self.app)
        machinery = stage.machinery
        self.delivery = Delivery(machinery.ledger, machinery.queue, RequestMetrics())
        intake = Intake(
            machinery.ledger,
            stage.store,
            self.delivery,
            30 * DAY,
            16,
            remote_images(),
            Quotas(100),
            RequestMetrics(),
        )
        uploads = Uploads(max_bytes=100_000, max_pixels=1_000, places=Places(1, full="full"))
        waiting = Waiting(
            machinery.ledger,
            Places(1, full="full"),
            pause=self.pause,
            clock=lambda: sum(self.pauses),
        )
        self.app.register_blueprint(job_routes(intake, uploads, waiting, max_palettes=10))

    def pause(self, seconds: float) -> bool:
        self.pauses.append(seconds)
        self.meanwhile.get(len(self.pauses), lambda: None)()
        return self.is_ending

    def get(self, job: str, *, prefer: str | None, seen: int | None = None) -> TestResponse:
        headers = {} if prefer is None else {"Prefer": prefer}
        if seen is not None:
            headers["If-None-Match"] = f'W/"{seen}"'
        path = f"/v1/jobs/{job}"
        return self.app.test_client().get(path, headers=self.stage.headers | headers)

    def submit(self, prefer: str) -> TestResponse:
        body = multipart(("image", a_png()), ("job", a_job_part()))
        headers = self.stage.headers | {"Prefer": prefer}
        return self.app.test_client().post("/v1/jobs", headers=headers, **body)


@pytest.fixture
def lounge(stage: Stage) -> Iterator[Lounge]:
    lounge = Lounge(stage)
    yield lounge
    lounge.delivery.close()


def test_a_poll_is_held_until_its_job_moves_on(lounge: Lounge) -> None:
    job = lounge.stage.a_job("nord", "ink")
    lounge.meanwhile[3] = lambda: completed(lounge.stage, job["id"])

    answer = lounge.get(job["id"], prefer="wait=20", seen=job["version"])

    assert lounge.pauses == [0.25] * 3
    assert (answer.status_code, answer.json["counts"]["completed"]) == (200, 1)
    assert answer.headers["Preference-Applied"] == "wait=20"


def test_a_job_that_does_not_move_is_unchanged_once_the_time_is_over(lounge: Lounge) -> None:
    job = lounge.stage.a_job("nord")

    answer = lounge.get(job["id"], prefer="wait=2", seen=job["version"])

    assert sum(lounge.pauses) == 2
    assert (answer.status_code, answer.data) == (304, b"")
    assert answer.headers["Preference-Applied"] == "wait=2"
    assert (answer.headers["ETag"], answer.headers["Retry-After"]) == ('W/"1"', "2")


def test_news_since_the_version_that_was_seen_is_told_at_once(lounge: Lounge) -> None:
    job = lounge.stage.a_job("nord")
    completed(lounge.stage, job["id"])

    answer = lounge.get(job["id"], prefer="wait=20", seen=job["version"])

    assert lounge.pauses == []
    assert (answer.status_code, answer.headers["Preference-Applied"]) == (200, "wait=20")


def test_without_a_version_the_end_of_the_job_is_waited_for(lounge: Lounge) -> None:
    job = lounge.stage.a_job("nord", "ink")["id"]
    lounge.meanwhile[1] = lambda: completed(lounge.stage, job, 0)
    lounge.meanwhile[2] = lambda: completed(lounge.stage, job, 1)

    answer = lounge.get(job, prefer="wait=20")

    assert len(lounge.pauses) == 2
    assert (answer.json["done"], answer.json["status"]) == (True, "completed")


def test_a_submission_may_wait_for_the_end_of_its_job(lounge: Lounge) -> None:
    def finish() -> None:
        with lounge.stage.ledger.reading() as session:
            job = session.scalars(jobs.select().with_only_columns(jobs.c.id)).one()
        completed(lounge.stage, str(job))

    lounge.meanwhile[2] = finish

    answer = lounge.submit("wait=10")

    assert (answer.status_code, answer.json["done"]) == (202, True)
    assert answer.headers["Preference-Applied"] == "wait=10"
    assert answer.headers["Retry-After"] == "2"


def test_a_submission_whose_job_goes_on_is_answered_all_the_same(lounge: Lounge) -> None:
    answer = lounge.submit("wait=1")

    assert sum(lounge.pauses) == 1
    assert (answer.status_code, answer.json["done"]) == (202, False)


@pytest.mark.parametrize(
    ("prefer", "seconds"),
    [
        ("wait=1", 1),
        ("WAIT = 2", 2),
        ('wait="3"', 3),
        ("respond-async, wait=1; foo=bar", 1),
        ("wait=2, wait=1", 2),
        ("wait=25", 25),
        ("wait=999999", 25),
    ],
)
def test_a_wish_to_wait_is_understood(lounge: Lounge, prefer: str, seconds: int) -> None:
    job = lounge.stage.a_job("nord")

    answer = lounge.get(job["id"], prefer=prefer, seen=job["version"])

    assert answer.headers["Preference-Applied"] == f"wait={seconds}"
    assert sum(lounge.pauses) == seconds


@pytest.mark.parametrize(
    "prefer", [None, "", "wait", "wait=", "wait=-1", "wait=0", "wait=1.5", "wait=٣", "await=3", "="]
)
def test_what_is_no_wish_to_wait_is_ignored(lounge: Lounge, prefer: str | None) -> None:
    job = lounge.stage.a_job("nord")

    answer = lounge.get(job["id"], prefer=prefer, seen=job["version"])

    assert (answer.status_code, lounge.pauses) == (304, [])
    assert "Preference-Applied" not in answer.headers


def test_who_finds_no_place_is_answered_at_once(lounge: Lounge) -> None:
    job = lounge.stage.a_job("nord")
    also: list[TestResponse] = []
    lounge.meanwhile[1] = lambda: also.append(
        lounge.get(job["id"], prefer="wait=20", seen=job["version"])
    )

    lounge.get(job["id"], prefer="wait=1", seen=job["version"])
    later = lounge.get(job["id"], prefer="wait=1", seen=job["version"])

    assert [answer.status_code for answer in also] == [304]
    assert "Preference-Applied" not in also[0].headers
    assert later.headers["Preference-Applied"] == "wait=1"  # the place is free again


def test_who_waits_holds_no_connection_to_the_ledger(lounge: Lounge) -> None:
    job = lounge.stage.a_job("nord")
    held: list[int] = []
    pool = lounge.stage.machinery.ledger.engine.pool
    lounge.meanwhile[1] = lambda: held.append(pool.checkedout())

    lounge.get(job["id"], prefer="wait=1", seen=job["version"])

    assert held == [0]


def test_a_process_that_ends_lets_go_of_who_waits(lounge: Lounge) -> None:
    job = lounge.stage.a_job("nord")
    lounge.is_ending = True

    answer = lounge.get(job["id"], prefer="wait=20", seen=job["version"])

    assert lounge.pauses == [0.25]
    assert answer.status_code == 304
    assert "Preference-Applied" not in answer.headers


def test_a_job_that_is_deleted_meanwhile_is_not_found(lounge: Lounge) -> None:
    job = lounge.stage.a_job("nord")

    def remove() -> None:
        with lounge.stage.ledger.transaction() as session:
            session.execute(delete(jobs).where(jobs.c.id == UUID(job["id"])))

    lounge.meanwhile[1] = remove

    answer = lounge.get(job["id"], prefer="wait=20", seen=job["version"])

    assert (answer.status_code, len(lounge.pauses)) == (404, 1)


def test_nobody_waits_for_a_job_that_is_not_there(lounge: Lounge) -> None:
    answer = lounge.get(NOWHERE, prefer="wait=20", seen=1)

    assert (answer.status_code, lounge.pauses) == (404, [])


def test_sigterm_answers_who_waits_before_the_process_ends(tmp_path: Path) -> None:
    machine = Machine(tmp_path, settings={"THREADS": "3"})  # so there is one place
    with ThreadPoolExecutor() as calls, requests.Session() as session:
        machine.dispatcher.start()
        try:
            machine.dispatcher.wait_until_ready()
            session.headers["Authorization"] = f"Bearer {machine.api_key}"
            parts = {"image": ("a.png", a_png()), "job": (None, a_job_part())}
            job = session.post(f"{machine.dispatcher_url}/v1/jobs", files=parts, timeout=20)
            url = machine.dispatcher_url + job.headers["Location"]
            headers = {**session.headers, "If-None-Match": job.headers["ETag"]}

            def poll(seconds: int) -> requests.Response:
                prefer = {"Prefer": f"wait={seconds}"}
                return requests.get(url, headers=headers | prefer, timeout=60)

            held = calls.submit(poll, 25)

            def is_held() -> bool:
                nonlocal held
                if held.done():  # the other call was first
                    held = calls.submit(poll, 25)
                return "Preference-Applied" not in poll(1).headers

            Retrying(
                retry=retry_if_result(lambda it_is: not it_is),
                wait=wait_fixed(0.05),
                stop=stop_after_delay(60),
            )(is_held)
            machine.dispatcher.ask_to_stop()
            answer = held.result(timeout=20)  # before the wait would be over
        finally:
            machine.dispatcher.stop()

    assert answer.status_code == 304
    assert "Preference-Applied" not in answer.headers
