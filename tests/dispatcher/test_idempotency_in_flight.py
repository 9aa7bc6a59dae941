"""A key while its first request is under way, slow, out of luck, or killed at any moment."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from io import BytesIO
from threading import Event

import pytest
from flask import Flask
from sqlalchemy import func, select
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from colorway.errors import TryLater
from colorway.ledger.connection import Ledger
from colorway.ledger.quotas import Quotas
from colorway.ledger.tables import images, jobs
from colorway.telemetry.metrics import RequestMetrics
from dispatcher.api.jobs import job_routes
from dispatcher.api.problems import show_problems
from dispatcher.api.uploads import Uploads
from dispatcher.api.waiting import Waiting
from dispatcher.delivery import Delivery
from dispatcher.intake import Intake
from dispatcher.places import Places
from tests.builders import DAY, MINUTE, NOON
from tests.dispatcher.source_host import SourceHost, remote_images
from tests.dispatcher.stage import Stage, a_job_part, a_png, multipart
from tests.fakes import Clock, HookedStore, away

SECOND = timedelta(seconds=1)


class Killed(BaseException):
    """The process is gone: nothing of ours runs any more, and nobody gets an answer."""


class MortalLedger(Ledger):
    """A real ledger that fails around its n-th commit, as `fails` and `error` say."""

    fails: tuple[str, int] | None = None
    error: type[BaseException] = Killed
    commits = 0

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        with super().transaction() as session:
            yield session
            self.commits += 1
            if self.fails == ("before", self.commits):
                raise self.error("before the commit")
        if self.fails == ("after", self.commits):
            raise self.error("after the commit")

    noting = transaction


class Desk:
    """The routes of jobs on a mortal ledger, with a store and a clock of the test's own."""

    def __init__(self, stage: Stage, source_host: SourceHost | None = None) -> None:
        self.stage = stage
        self.ledger = MortalLedger(stage.settings.database_url)
        self.store, self.clock = HookedStore(), Clock()
        metrics = RequestMetrics()
        self.delivery = Delivery(self.ledger, stage.machinery.queue, metrics)
        self.app = Flask(__name__)
        show_problems(self.app)
        fetching = remote_images(source_host)
        quotas = Quotas(1_000)
        intake = Intake(
            self.ledger, self.store, self.delivery, 30 * DAY, 16, fetching, quotas, metrics
        )
        uploads = Uploads(max_bytes=100_000, max_pixels=1_000, places=Places(2, full="full"))
        waiting = Waiting(self.ledger, Places(1, full="full"), pause=Event().wait)
        self.app.register_blueprint(
            job_routes(intake, uploads, waiting, max_palettes=10, clock=self.clock)
        )

    def submit(self, **options: object) -> TestResponse:
        return self.send(multipart(("image", a_png()), ("job", a_job_part(**options))))

    def send(self, body: dict[str, object]) -> TestResponse:
        headers = self.stage.headers | {"Idempotency-Key": "once"}
        return self.app.test_client().post("/v1/jobs", headers=headers, **body)

    def submit_and_be_killed(self, *fails: object) -> None:
        self.ledger.fails = fails
        with pytest.raises(Killed):
            self.submit()
        self.ledger.fails = None

    def count(self, table=jobs) -> int:
        with self.ledger.reading() as session:
            return session.scalar(select(func.count()).select_from(table))


@pytest.fixture
def desk(stage_on_each: Stage) -> Iterator[Desk]:
    desk = Desk(stage_on_each)
    yield desk
    desk.delivery.close()
    desk.ledger.dispose()


def test_a_request_that_is_under_way_is_not_begun_again(desk):
    meanwhile = []

    def ask_again(key: str) -> None:
        meanwhile.extend([desk.submit(), desk.submit(priority="low")])

    desk.store.before["put"] = ask_again

    first = desk.submit()

    same, other = meanwhile
    assert first.status_code == 202
    assert (same.status_code, same.json["code"]) == (409, "idempotency-in-progress")
    assert (same.json["retryable"], same.headers["Retry-After"]) == (True, "2")
    assert (other.status_code, other.json["code"]) == (422, "idempotency-mismatch")
    assert desk.count() == 1


def test_a_request_that_took_too_long_records_nothing_once_another_has_taken_over(desk):
    taking_over = []

    def take_long(key: str) -> None:
        del desk.store.before["put"]
        desk.clock.advance(MINUTE)
        taking_over.append(desk.submit())

    desk.store.before["put"] = take_long

    slow = desk.submit()

    assert taking_over[0].status_code == 202
    assert (slow.status_code, slow.json["code"]) == (409, "idempotency-in-progress")
    assert (desk.count(), len(desk.stage.rows(taking_over[0].json["id"]))) == (1, 1)
    assert desk.submit().json == taking_over[0].json


def test_a_request_that_took_too_long_is_accepted_where_nobody_has_taken_over(desk):
    desk.store.before["put"] = lambda key: desk.clock.advance(2 * MINUTE)

    slow = desk.submit()

    assert slow.status_code == 202
    assert desk.submit().json == slow.json


def test_a_minute_begins_when_the_picture_has_come_in(desk):
    class SlowBody(BytesIO):
        def readinto(self, buffer: bytearray) -> int:
            desk.clock.advance(MINUTE)
            return super().readinto(buffer)

    meanwhile = []
    desk.store.before["put"] = lambda key: meanwhile.append(desk.submit())
    body = multipart(("image", a_png()), ("job", a_job_part()))
    body["input_stream"] = SlowBody(body["data"])
    body["content_length"] = len(body.pop("data"))

    slow = desk.send(body)

    assert desk.clock() >= NOON + MINUTE
    assert slow.status_code == 202
    assert [answer.status_code for answer in meanwhile] == [409]


def test_a_repeated_submission_stores_nothing(desk):
    first = desk.submit()
    desk.store.is_away = True

    again = desk.submit()

    assert (again.status_code, again.json) == (202, first.json)


def test_where_accepting_fails_the_key_is_free_at_once(desk):
    desk.store.before["put"] = away
    failed = desk.submit()
    del desk.store.before["put"]

    again = desk.submit(priority="low")

    assert (failed.status_code, again.status_code) == (503, 202)
    assert "Idempotency-Replayed" not in again.headers


def test_where_the_key_cannot_be_given_back_it_is_free_after_a_minute(desk):
    desk.store.before["put"] = away
    desk.ledger.fails, desk.ledger.error = ("before", 2), TryLater
    failed = desk.submit()
    del desk.store.before["put"]

    blocked = desk.submit()
    desk.clock.advance(MINUTE)
    again = desk.submit()

    assert (failed.status_code, failed.json["detail"]) == (503, "the store is away")
    assert (blocked.status_code, again.status_code) == (409, 202)


def test_a_job_whose_commit_was_not_answered_is_found_under_its_key(desk):
    desk.ledger.fails, desk.ledger.error = ("after", 2), TryLater
    unsure = desk.submit()

    again = desk.submit()

    assert unsure.status_code == 503
    assert (again.status_code, again.headers["Idempotency-Replayed"]) == (202, "true")
    assert desk.count() == 1


def test_a_key_is_kept_for_a_day(desk):
    first = desk.submit()
    desk.clock.advance(DAY - SECOND)
    within, other = desk.submit(), desk.submit(priority="low")
    desk.clock.advance(SECOND)

    later = desk.submit(priority="low")

    assert (within.json["id"], other.status_code) == (first.json["id"], 422)
    assert later.status_code == 202
    assert "Idempotency-Replayed" not in later.headers
    assert desk.submit(priority="low").json["id"] == later.json["id"] != first.json["id"]
    assert desk.count() == 2


# A submission with a picture commits three times: its reservation, the image and the job with the
# reservation's completion, and what the queue was told.


def test_killed_before_it_has_the_key_it_blocks_nothing(desk):
    desk.submit_and_be_killed("before", 1)

    again = desk.submit()

    assert again.status_code == 202
    assert desk.count() == 1


@pytest.mark.parametrize(
    "moment",
    [
        pytest.param(("after", 1), id="the source not stored"),
        pytest.param(("before", 2), id="the source stored, the job not committed"),
    ],
)
def test_killed_before_the_job_is_committed_it_blocks_the_key_for_a_minute(desk, moment):
    desk.submit_and_be_killed(*moment)

    at_once = desk.submit()
    desk.clock.advance(MINUTE - SECOND)
    too_soon = desk.submit()
    desk.clock.advance(SECOND)
    again = desk.submit()

    assert [at_once.status_code, too_soon.status_code] == [409, 409]
    assert again.status_code == 202
    assert "Idempotency-Replayed" not in again.headers
    assert desk.submit().json["id"] == again.json["id"]
    assert (desk.count(), desk.count(images)) == (1, 1)


@pytest.mark.parametrize(
    ("moment", "waiting"),
    [
        pytest.param(("after", 2), 1, id="the queue not told"),
        pytest.param(("before", 3), 1, id="the queue told and that not recorded"),
        pytest.param(("after", 3), 0, id="the answer not sent"),
    ],
)
def test_killed_after_the_job_is_committed_it_is_answered_with_the_job(desk, moment, waiting):
    desk.submit_and_be_killed(*moment)
    undelivered = len(desk.stage.undelivered())

    again = desk.submit()
    if waiting:  # what was not told stays in the outbox, for the reconciler
        desk.delivery.deliver_silent(before=desk.clock() + MINUTE, most=10)

    assert (again.status_code, again.headers["Idempotency-Replayed"]) == (202, "true")
    assert (desk.count(), undelivered) == (1, waiting)
    assert desk.stage.undelivered() == []
