"""What got lost on the way is found and sent again, once."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from uuid import UUID

import pytest
import structlog
from sqlalchemy import update
from sqlalchemy.orm import Session

from colorway.errors import TryLater
from colorway.image_keys import thumbnail_key
from colorway.job import Priority
from colorway.ledger.lease import Claim, claim, finish
from colorway.ledger.renditions import StoredRendition, record_rendition
from colorway.ledger.tables import jobs
from colorway.lifecycle import MAX_DEATHS, MAX_TRIES, Status
from colorway.render_task import RenderTask
from demo.supervisor import free_port
from dispatcher.reconciler import Reconciler, Repairs
from tests.builders import DAY, MINUTE, TIMINGS, row_of, with_deaths, with_tries
from tests.dispatcher.stage import Stage, a_png, local_queue, on_stage
from tests.fakes import StoreInMemory

NOTHING = Repairs()
SECOND = timedelta(seconds=1)
HOUR = timedelta(hours=1)


def now() -> datetime:
    return datetime.now(UTC)


def leased(stage: Stage, colorway: UUID, *, at: datetime, lasts: timedelta = MINUTE) -> None:
    with stage.ledger.transaction() as session:
        held = claim(session, RenderTask(colorway, 0), now=at, lease_for=lasts)
    assert isinstance(held, Claim)


def image_of(session: Session, job: str) -> UUID:
    image: UUID = row_of(session, jobs, UUID(job)).image_id
    return image


def drift_of(stage: Stage) -> float:
    """Return the drift as a scrape of the metrics tells it."""
    lines = stage.get("/metrics").text.splitlines()
    (line,) = (line for line in lines if line.startswith("ledger_drift "))
    return float(line.split()[1])


def completed(stage: Stage, job: str) -> str:
    """Finish the job's only colorway with a picture that lies in the store, and return its key."""
    (row,) = stage.rows(job)
    key, body = f"studio/colorways/{row.id}.png", a_png()
    digest = hashlib.sha256(body).hexdigest()
    for each in (key, thumbnail_key(key)):
        stage.store.put(each, BytesIO(body), size=len(body), sha256=digest, media_type="image/png")
    stored = StoredRendition(key, digest, len(body), "png", width=8, height=6)
    with stage.ledger.transaction() as session:
        held = claim(session, RenderTask(row.id, 0), now=now(), lease_for=MINUTE)
        assert isinstance(held, Claim)
        account, print_ = stage.account, row.fingerprint
        picture = record_rendition(session, account, print_, stored, now=now())
        finish(session, held, picture.id, TIMINGS, now=now())
    return key


def lose(stage: Stage, key: str) -> None:
    stage.store.delete(key)


def lose_thumbnail(stage: Stage, key: str) -> None:
    stage.store.delete(thumbnail_key(key))


def cut(stage: Stage, key: str) -> None:
    _overwrite(stage, key, a_png()[:-1])


def spoil(stage: Stage, key: str) -> None:
    _overwrite(stage, key, a_png()[:-1] + b"?")


def _overwrite(stage: Stage, key: str, body: bytes) -> None:
    folder = Path(stage.settings.image_store.removeprefix("file://"))
    (folder / key).write_bytes(body)


@pytest.fixture
def reconciler(stage: Stage) -> Reconciler:
    return stage.machinery.reconciler


@pytest.fixture
def away(sqlite_ledger, tmp_path) -> Iterator[Stage]:
    """A dispatcher whose queue is gone."""
    with on_stage(sqlite_ledger, tmp_path, f"127.0.0.1:{free_port()}") as stage:
        yield stage


def test_on_a_good_day_there_is_nothing_to_mend(stage, reconciler):
    stage.a_job("nord")

    assert reconciler.reconcile(now=now()) == NOTHING


def test_an_expired_lease_is_taken_back_and_nudged_anew(stage_on_each):
    stage = stage_on_each
    job = stage.a_job("nord")["id"]
    (row,) = stage.rows(job)
    leased(stage, row.id, at=now())

    repairs = stage.machinery.reconciler.reconcile(now=now() + 2 * MINUTE)

    (row,) = stage.rows(job)
    assert repairs == Repairs(expired_leases=1, silent_outbox=1)
    assert (row.status, row.tries, row.nudge) == (Status.PENDING, 1, 1)
    assert stage.undelivered() == []


def test_a_lease_that_is_held_is_left_alone(stage, reconciler):
    job = stage.a_job("nord")["id"]
    leased(stage, stage.rows(job)[0].id, at=now())

    assert reconciler.reconcile(now=now() + 59 * SECOND).expired_leases == 0
    assert stage.rows(job)[0].status is Status.PROCESSING


def test_the_last_lease_to_expire_fails_the_colorway_and_ends_its_job(stage, reconciler):
    job = stage.a_job("nord")["id"]
    (row,) = stage.rows(job)
    with stage.ledger.transaction() as session:
        with_tries(session, RenderTask(row.id, 0), MAX_TRIES - 1)
    leased(stage, row.id, at=now())

    with structlog.testing.capture_logs() as lines:
        reconciler.reconcile(now=now() + 2 * MINUTE)

    body = stage.get(f"/v1/jobs/{job}").json
    assert (body["status"], body["done"]) == ("failed", True)
    assert body["colorways"][0]["error"]["detail"]
    (ended,) = (line for line in lines if line["event"] == "job_finished")
    assert (str(ended["job"]), ended["status"]) == (job, "failed")
    metrics = stage.get("/metrics").text
    assert 'jobs_total{status="failed"} 1.0' in metrics
    assert 'colorways_total{status="failed"} 1.0' in metrics


def test_a_task_that_the_queue_has_lost_is_sent_again(stage, sqlite_ledger, tmp_path):
    job = stage.a_job("nord", "spring")["id"]
    with (
        local_queue(tmp_path) as empty,
        on_stage(sqlite_ledger, tmp_path, empty.grpc_address) as forgetful,
    ):
        reconciler = forgetful.machinery.reconciler

        first = reconciler.reconcile(now=now() + 2 * MINUTE)
        second = reconciler.reconcile(now=now() + 2 * MINUTE)

    assert first == Repairs(lost_tasks=2, silent_outbox=2)
    assert second == NOTHING
    assert [row.nudge for row in stage.rows(job)] == [1, 1]
    assert stage.undelivered() == []


def test_a_task_that_the_queue_still_has_is_not_asked_for_again_at_once(stage, reconciler):
    job = stage.a_job("nord", "spring")["id"]
    later = now() + 2 * MINUTE

    repairs = reconciler.reconcile(now=later)

    assert repairs.lost_tasks <= 1  # the idle queue may have sent one of them to nobody
    assert {row.queue_seen_at for row in stage.rows(job)} == {later}


def test_an_outbox_that_nobody_delivered_is_delivered_when_it_is_old_enough(away, stage):
    job = away.a_job("nord")["id"]

    too_early = stage.machinery.reconciler.reconcile(now=now() + 29 * SECOND)
    repairs = stage.machinery.reconciler.reconcile(now=now() + 31 * SECOND)

    assert too_early == NOTHING
    assert repairs == Repairs(silent_outbox=1)
    assert stage.undelivered() == []
    assert stage.rows(job)[0].nudge == 0


def test_while_the_queue_is_gone_leases_are_taken_back_all_the_same(away):
    job = away.a_job("nord", "spring")["id"]
    leased(away, away.rows(job)[0].id, at=now())

    with pytest.raises(TryLater):
        away.machinery.reconciler.reconcile(now=now() + 2 * MINUTE)

    assert away.rows(job)[0].status is Status.PENDING
    assert len(away.undelivered()) == 3  # two of the first delivery, one of the second


def test_what_is_not_done_after_a_day_is_given_up(stage, reconciler):
    job = stage.a_job("nord", "spring")["id"]

    too_early = reconciler.reconcile(now=now() + 23 * HOUR)
    repairs = reconciler.reconcile(now=now() + 25 * HOUR)

    body = stage.get(f"/v1/jobs/{job}").json
    assert (too_early.given_up, repairs.given_up) == (0, 2)
    assert (body["status"], body["colorways"][0]["error"]["code"]) == ("failed", "timed-out")


def test_what_is_pending_of_a_source_that_kills_workers_fails_in_every_job(stage, reconciler):
    jobs = [stage.a_job("nord")["id"] for _ in range(2)]
    with stage.ledger.transaction() as session:
        with_deaths(session, image_of(session, jobs[0]), MAX_DEATHS)

    repairs = reconciler.reconcile(now=now())

    assert repairs == Repairs(condemned=2)
    for job in jobs:
        body = stage.get(f"/v1/jobs/{job}").json
        assert (body["status"], body["done"]) == ("failed", True)
        assert body["colorways"][0]["error"]["code"] == "source-kills-worker"


def test_wrong_counters_are_mended_and_the_drift_is_told(stage, reconciler):
    job = stage.a_job("nord")["id"]
    with stage.ledger.transaction() as session:
        session.execute(update(jobs).values(completed=1))

    with structlog.testing.capture_logs() as lines:
        repairs = reconciler.reconcile(now=now())
    drift = drift_of(stage)
    reconciler.reconcile(now=now())

    assert repairs == Repairs(wrong_counters=1)
    assert stage.get(f"/v1/jobs/{job}").json["counts"]["completed"] == 0
    (told,) = (line for line in lines if line["event"] == "counters were wrong")
    assert (str(told["job"]), told["said"]["completed"], told["rows"]["completed"]) == (job, 1, 0)
    assert (drift, drift_of(stage)) == (1.0, 0.0)


@pytest.mark.parametrize("harm", [lose, cut, spoil, lose_thumbnail])
def test_a_picture_that_is_lost_or_spoilt_is_rendered_again(stage, reconciler, harm):
    job = stage.a_job("nord")["id"]
    key = completed(stage, job)
    harm(stage, key)
    soon, later = now() + 6 * DAY, now() + 8 * DAY

    too_early = reconciler.reconcile(now=soon)
    repairs = reconciler.reconcile(now=later)

    (row,) = stage.rows(job)
    assert too_early.lost_pictures == 0
    assert (repairs.lost_pictures, repairs.silent_outbox) == (1, 1)
    assert (row.status, row.epoch) == (Status.PENDING, 1)
    assert not stage.is_stored(key)


def test_a_picture_that_is_as_it_should_be_is_looked_at_once_a_while(stage, reconciler):
    job = stage.a_job("nord")["id"]
    key = completed(stage, job)

    repairs = reconciler.reconcile(now=now() + 8 * DAY)
    lose(stage, key)
    soon_after = reconciler.reconcile(now=now() + 9 * DAY)

    assert (repairs.lost_pictures, soon_after.lost_pictures) == (0, 0)
    assert stage.rows(job)[0].status is Status.COMPLETED


def test_a_queue_that_lost_everything_is_refilled_by_one_call(stage, sqlite_ledger, tmp_path):
    for _ in range(3):
        stage.a_job(*(f"palette {number}" for number in range(150)))
    while stage.undelivered():
        stage.machinery.delivery.deliver_silent(before=now() + MINUTE, most=500)
    with (
        local_queue(tmp_path) as empty,
        on_stage(sqlite_ledger, tmp_path, empty.grpc_address) as forgetful,
    ):
        repairs = forgetful.machinery.reconciler.reconcile(now=now() + 2 * MINUTE)

    assert repairs == Repairs(lost_tasks=450, silent_outbox=450)


def test_with_the_store_away_all_else_is_mended(stage, reconciler):
    job = stage.a_job("nord")["id"]
    leased(stage, stage.rows(job)[0].id, at=now())
    completed(stage, stage.a_job("spring")["id"])
    away = replace(reconciler, store=StoreInMemory())
    away.store.is_away = True

    with pytest.raises(TryLater):
        away.reconcile(now=now() + 8 * DAY - HOUR)

    assert stage.rows(job)[0].status is not Status.PROCESSING
    assert stage.undelivered() == []


def test_a_queue_that_is_away_for_an_hour_costs_the_hour_and_nothing_else(away, stage):
    jobs = [away.a_job("nord", "spring", priority=priority)["id"] for priority in Priority]
    began = now()

    for minute in range(10, 60, 10):
        with pytest.raises(TryLater):
            away.machinery.reconciler.reconcile(now=began + minute * MINUTE)
    repairs = stage.machinery.reconciler.reconcile(now=began + HOUR)

    assert repairs == Repairs(silent_outbox=6)
    assert stage.undelivered() == []
    for job in jobs:
        assert {(row.status, row.tries, row.nudge) for row in stage.rows(job)} == {
            (Status.PENDING, 0, 0)
        }


def test_two_at_once_mend_a_thing_once(stage, reconciler):
    job = stage.a_job(*(f"palette {number}" for number in range(20)))["id"]
    for row in stage.rows(job):
        leased(stage, row.id, at=now())
    found: list[Repairs] = []
    later = now() + 2 * MINUTE

    threads = [
        threading.Thread(target=lambda: found.append(reconciler.reconcile(now=later)))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sum(repairs.expired_leases for repairs in found) == 20
    assert {row.tries for row in stage.rows(job)} == {1}
    assert stage.undelivered() == []
