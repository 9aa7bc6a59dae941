"""Leases are kept for what is really worked on, and given back when the process must end."""

from __future__ import annotations

from datetime import timedelta
from threading import Event

import pytest

from colorway.errors import LeaseLost, TryLater
from colorway.ledger import lapse
from colorway.ledger.connection import Ledger
from colorway.lifecycle import Status
from colorway.telemetry.metrics import RenderMetrics
from palette_worker.heartbeat import Heartbeat
from tests.builders import MINUTE, NOON, a_claim, a_job, counts_of, finish_it
from tests.fakes import BreakingLedger
from tests.palette_worker.workplace import SOON, colorway_of

A_WHILE = timedelta(seconds=15)


@pytest.fixture
def heartbeat(bench):
    return bench.heartbeat


def claimed(bench, palettes=("nord",)):
    with bench.ledger.transaction() as session:
        _, tasks = a_job(session, palettes)
        return tasks, [a_claim(session, task) for task in tasks]


def test_only_what_is_worked_on_is_renewed(bench, heartbeat, clock):
    tasks, claims = claimed(bench, ("nord", "ink"))

    with heartbeat.keeping(claims[0], renew_until=NOON + 9 * MINUTE):
        clock.advance(A_WHILE)
        heartbeat.beat()

    assert colorway_of(bench, tasks[0]).leased_until == NOON + A_WHILE + MINUTE
    assert colorway_of(bench, tasks[1]).leased_until == NOON + MINUTE


def test_what_is_done_is_not_renewed_any_more(bench, heartbeat, clock):
    [task], [claim] = claimed(bench)
    with heartbeat.keeping(claim, renew_until=NOON + 9 * MINUTE):
        pass

    clock.advance(A_WHILE)
    heartbeat.beat()

    assert colorway_of(bench, task).leased_until == NOON + MINUTE


def test_an_attempt_that_ends_by_an_error_is_not_renewed_any_more(bench, heartbeat, clock):
    [task], [claim] = claimed(bench)
    with (
        pytest.raises(MemoryError),
        heartbeat.keeping(claim, renew_until=NOON + 9 * MINUTE),
    ):
        raise MemoryError

    clock.advance(A_WHILE)
    heartbeat.beat()

    assert colorway_of(bench, task).leased_until == NOON + MINUTE


def test_an_attempt_that_hangs_beyond_its_time_loses_its_lease(bench, heartbeat, clock):
    [task], [claim] = claimed(bench)

    with heartbeat.keeping(claim, renew_until=NOON + A_WHILE):
        clock.advance(A_WHILE)
        heartbeat.beat()

    assert colorway_of(bench, task).leased_until == NOON + MINUTE


def test_a_lease_that_cannot_be_renewed_is_lost(bench, heartbeat, clock):
    [task], [claim] = claimed(bench)

    with heartbeat.keeping(claim, renew_until=NOON + 9 * MINUTE) as held:
        held.check()
        with bench.ledger.transaction() as session:
            lapse.take_back(session, task.colorway, now=NOON + 2 * MINUTE)
        heartbeat.beat()
        with pytest.raises(LeaseLost):
            held.check()


def test_a_ledger_that_is_away_for_a_beat_loses_nothing(sqlite_ledger, clock):
    ledger = BreakingLedger(str(sqlite_ledger.engine.url))
    heartbeat = Heartbeat(ledger, RenderMetrics(), lease_for=MINUTE, every=A_WHILE, now=clock)
    with ledger.transaction() as session:
        _, [task] = a_job(session)
        claim = a_claim(session, task)

    with heartbeat.keeping(claim, renew_until=NOON + 9 * MINUTE) as held:
        ledger.breaks_before_commit = True
        heartbeat.beat()
        held.check()
        ledger.breaks_before_commit = False
        clock.advance(A_WHILE)
        heartbeat.beat()
        held.check()

    with ledger.transaction() as session:
        assert lapse.expired(session, now=NOON + MINUTE + A_WHILE, most=1) == []
    ledger.dispose()


def test_it_beats_by_itself_and_goes_on_after_a_bug(sqlite_ledger):
    beats, third = [], Event()

    def now():
        beats.append(len(beats))
        if len(beats) == 3:
            third.set()
        if len(beats) == 1:
            raise ValueError("a clock that stumbles")
        return NOON

    heartbeat = Heartbeat(
        sqlite_ledger, RenderMetrics(), lease_for=MINUTE, every=timedelta(milliseconds=1), now=now
    )
    heartbeat.start()

    assert third.wait(SOON)
    heartbeat.stop()


# Giving back


def test_all_that_is_held_is_given_back_and_costs_no_try(bench, heartbeat):
    tasks, claims = claimed(bench, ("nord", "ink"))

    with (
        heartbeat.keeping(claims[0], renew_until=NOON + MINUTE) as one,
        heartbeat.keeping(claims[1], renew_until=NOON + MINUTE) as other,
    ):
        heartbeat.give_back_all()
        for held in (one, other):
            with pytest.raises(LeaseLost):
                held.check()

    rows = [colorway_of(bench, task) for task in tasks]
    assert [(row.status, row.tries) for row in rows] == [(Status.PENDING, 0)] * 2
    assert rows[0].error["code"] == "worker-stopped"


def test_what_was_finished_meanwhile_stays_finished(bench, heartbeat):
    tasks, claims = claimed(bench, ("nord", "ink"))

    with (
        heartbeat.keeping(claims[0], renew_until=NOON + MINUTE),
        heartbeat.keeping(claims[1], renew_until=NOON + MINUTE),
    ):
        with bench.ledger.transaction() as session:
            finish_it(session, claims[0])
        heartbeat.give_back_all()

    rows = [colorway_of(bench, task) for task in tasks]
    assert [row.status for row in rows] == [Status.COMPLETED, Status.PENDING]
    with bench.ledger.reading() as session:
        counters, counted = counts_of(session, rows[0].job_id)
    assert counters == counted


def test_a_ledger_that_is_away_leaves_everything_to_its_lease(sqlite_ledger, tmp_path, clock):
    nowhere = Ledger(f"sqlite:///{tmp_path}/missing/ledger.db")
    heartbeat = Heartbeat(nowhere, RenderMetrics(), lease_for=MINUTE, every=A_WHILE, now=clock)
    with sqlite_ledger.transaction() as session:
        _, [task] = a_job(session)
        claim = a_claim(session, task)

    with heartbeat.keeping(claim, renew_until=NOON + MINUTE):
        heartbeat.give_back_all()
    with pytest.raises(TryLater):
        nowhere.check()

    nowhere.dispose()
