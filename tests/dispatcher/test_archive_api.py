"""GET /v1/jobs/{id}/archive, as a client meets it."""

from __future__ import annotations

from datetime import UTC, datetime
from io import BytesIO
from typing import Any
from uuid import UUID
from zipfile import ZipFile

import pytest
from flask import Flask
from sqlalchemy import update
from werkzeug.test import TestResponse

from colorway.errors import TryLater
from colorway.ledger.tables import jobs
from dispatcher.api.archive import GRACE_S, SLOWEST, archive_routes
from dispatcher.api.problems import show_problems
from dispatcher.archive import Archives
from dispatcher.places import Places
from tests.dispatcher.finished_jobs import finish_with
from tests.dispatcher.stage import Stage, flaws_of
from tests.fakes import HookedStore, away

NORD, INK = b"nord's picture", b"ink's"


def finished(stage: Stage, store: Any = None) -> dict[str, Any]:
    """Submit a job of two palettes, and finish both in this store, or the stage's own."""
    job = stage.a_job("nord", "ink", reuse="force")
    pictures = {"nord": NORD, "ink": INK}
    now = datetime.now(UTC)
    finish_with(stage.ledger, store or stage.store, UUID(job["id"]), pictures, now=now)
    return job


def test_an_archive_is_a_file_to_keep(stage_on_each):
    job = finished(stage_on_each)

    answer = stage_on_each.get(job["links"]["archive"])

    with ZipFile(BytesIO(answer.data)) as archive:
        names, nord = archive.namelist(), archive.read("nord.png")
    assert (answer.status_code, answer.content_type) == (200, "application/zip")
    assert answer.headers["Content-Disposition"] == f'attachment; filename="{job["id"]}.zip"'
    assert answer.headers["Content-Length"] == str(len(answer.data))
    assert answer.headers["Cache-Control"] == "private, no-cache"
    assert (names, nord) == (["nord.png", "ink.png", "manifest.json"], NORD)


def test_an_archive_is_not_compressed_once_more(stage):
    job = finished(stage)

    answer = stage.get(job["links"]["archive"], headers={"Accept-Encoding": "gzip"})

    assert "Content-Encoding" not in answer.headers
    assert answer.data.startswith(b"PK")


def test_head_tells_how_long_an_archive_would_be(stage):
    path = finished(stage)["links"]["archive"]

    head = stage.client.head(path, headers=stage.headers, buffered=True)

    assert (head.status_code, head.data) == (200, b"")
    assert head.headers["Content-Length"] == stage.get(path).headers["Content-Length"]


def test_an_archive_takes_a_key_that_may_read(stage):
    path = finished(stage)["links"]["archive"]

    answers = [
        stage.client.get(path),
        stage.client.get(path, headers=stage.a_key("submit")),
        stage.client.get(path, headers=stage.a_key("read")),
    ]

    assert [answer.status_code for answer in answers] == [401, 403, 200]


def test_an_archive_has_no_parameters(stage):
    path = finished(stage)["links"]["archive"]

    assert flaws_of(stage.get(f"{path}?format=tar")) == {"format": "unknown"}


def test_a_job_that_goes_on_may_have_an_archive_soon(stage):
    answer = stage.get(stage.a_job("nord")["links"]["archive"])

    assert (answer.status_code, answer.json["code"]) == (409, "not-ready")
    assert (answer.json["retryable"], answer.headers["Retry-After"]) == (True, "2")


def test_a_job_that_ended_without_a_picture_will_have_no_archive(stage):
    job = stage.a_job("nord")
    stage.post(f"/v1/jobs/{job['id']}/cancel")

    answer = stage.get(job["links"]["archive"])

    assert (answer.status_code, answer.json["code"]) == (409, "not-ready")
    assert answer.json["retryable"] is False
    assert "Retry-After" not in answer.headers


def test_the_archive_of_an_expired_job_is_gone(stage):
    job = finished(stage)
    with stage.ledger.transaction() as session:
        session.execute(update(jobs).values(expires_at=datetime.now(UTC)))

    answer = stage.get(job["links"]["archive"])

    assert (answer.status_code, answer.json["code"]) == (410, "expired")


class Mailroom:
    """The route with one place, on a store and with a stopwatch of the test's own."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.store = HookedStore()
        self.places = Places(1, full="too many archives are being sent")
        self.seconds = 0.0
        self.path = finished(stage, self.store)["links"]["archive"]
        app = Flask(__name__)
        show_problems(app)
        archives = Archives(stage.ledger, self.store)
        app.register_blueprint(
            archive_routes(archives, self.places, stopwatch=lambda: self.seconds)
        )
        self.client = app.test_client()

    def get(self) -> TestResponse:
        return self.client.get(self.path, headers=self.stage.headers)

    def has_place(self) -> bool:
        try:
            self.places.take().close()
        except TryLater:
            return False
        return True


@pytest.fixture
def mailroom(stage: Stage) -> Mailroom:
    return Mailroom(stage)


def test_while_others_take_archives_one_is_asked_to_come_back(mailroom):
    taken = mailroom.get()

    refused = mailroom.get()
    taken.close()
    again = mailroom.get()

    assert (refused.status_code, refused.json["code"]) == (503, "unavailable")
    assert (refused.json["retryable"], refused.headers["Retry-After"]) == (True, "2")
    assert (taken.status_code, again.status_code) == (200, 200)
    again.close()


def test_a_place_is_free_once_an_archive_was_taken(mailroom):
    answer = mailroom.get()

    whole = b"".join(answer.iter_encoded())

    assert len(whole) == answer.content_length
    assert mailroom.has_place()


def test_a_place_is_free_again_when_the_client_goes_away(mailroom):
    answer = mailroom.get()
    next(answer.iter_encoded())
    is_taken = not mailroom.has_place()

    answer.close()

    assert is_taken
    assert mailroom.has_place()


def test_head_keeps_no_place(mailroom):
    headers = mailroom.stage.headers

    answer = mailroom.client.head(mailroom.path, headers=headers, buffered=True)

    assert answer.status_code == 200
    assert mailroom.has_place()


def test_a_store_that_is_away_from_the_beginning_is_a_problem_and_keeps_no_place(mailroom):
    mailroom.store.before["open"] = away

    answer = mailroom.get()

    assert (answer.status_code, answer.json["code"]) == (503, "unavailable")
    assert answer.headers["Retry-After"] == "5"
    assert mailroom.has_place()


def test_pictures_that_are_all_lost_are_not_ready_and_keep_no_place(mailroom):
    mailroom.store.objects.clear()

    answer = mailroom.get()

    assert (answer.status_code, answer.json["code"]) == (409, "not-ready")
    assert answer.headers["Retry-After"] == "2"
    assert mailroom.has_place()


def test_a_store_that_goes_away_meanwhile_breaks_the_answer_off(mailroom):
    answer = mailroom.get()
    mailroom.store.before["open"] = away

    with pytest.raises(TryLater):
        list(answer.iter_encoded())

    assert mailroom.has_place()


def test_who_takes_an_archive_too_slowly_is_cut_off(mailroom):
    pieces = mailroom.get().iter_encoded()
    sent = len(next(pieces))
    mailroom.seconds = GRACE_S + 1.1 * sent / SLOWEST

    with pytest.raises(TimeoutError):
        next(pieces)

    assert mailroom.has_place()


def test_who_takes_an_archive_just_fast_enough_gets_it(mailroom):
    answer = mailroom.get()
    pieces = answer.iter_encoded()
    sent = len(next(pieces))
    mailroom.seconds = GRACE_S + 0.9 * sent / SLOWEST

    sent += sum(map(len, pieces))

    assert sent == answer.content_length


def test_the_time_that_the_store_takes_is_not_the_clients(mailroom):
    def takes_long(key: str) -> None:
        mailroom.seconds += 2 * GRACE_S

    mailroom.store.before["open"] = takes_long

    answer = mailroom.get()

    assert len(b"".join(answer.iter_encoded())) == answer.content_length
