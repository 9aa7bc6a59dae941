"""What got lost on the way is found and sent again, once."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
import structlog

from colorway.errors import TryLater
from colorway.ledger.lease import Claim, claim
from colorway.lifecycle import MAX_TRIES, Status
from colorway.render_task import RenderTask
from demo.supervisor import free_port
from dispatcher.reconciler import Reconciler, Repairs, reconcile_every
from tests.builders import MINUTE, with_tries
from tests.dispatcher.stage import Stage, local_queue, on_stage

NOTHING = Repairs()
SECOND = timedelta(seconds=1)


def now() -> datetime:
    return datetime.now(UTC)


def leased(stage: Stage, colorway: UUID, *, at: datetime, lasts: timedelta = MINUTE) -> None:
    with stage.ledger.transaction() as session:
        held = claim(session, RenderTask(colorway, 0), now=at, lease_for=lasts)
    assert isinstance(held, Claim)


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


def test_the_timer_goes_on_after_trouble_and_stops_when_told():
    stopping, called = threading.Event(), threading.Semaphore(0)

    class Failing:
        calls = 0

        def reconcile(self, *, now: datetime) -> Repairs:
            self.calls += 1
            called.release()
            if self.calls == 1:
                raise TryLater("away")
            if self.calls == 2:
                raise RuntimeError("a bug")
            return NOTHING

    timer = reconcile_every(timedelta(milliseconds=1), Failing(), stopping)

    for _ in range(3):
        assert called.acquire(timeout=20)
    stopping.set()
    timer.join(20)
    assert not timer.is_alive()
