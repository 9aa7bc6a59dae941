"""Room, time and the lease: what an attempt must have, and what becomes of it without."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from threading import Event

import pytest

from colorway.errors import TryLater
from colorway.ledger import lapse
from palette_worker.attempt import Broken, Outcome, attempt
from tests.builders import MINUTE, NOON
from tests.fakes import away
from tests.palette_worker.workplace import (
    BUDGET,
    ROOM,
    SOON,
    a_placed_job,
    colorway_of,
    given_back,
    job_of,
    results_in,
)


def test_without_room_nothing_is_claimed(bench):
    _, [task] = a_placed_job(bench)

    with (
        bench.slots.hold(10**9, wait_for=timedelta(0)),
        pytest.raises(TryLater, match="full"),
    ):
        attempt(task, bench)

    assert colorway_of(bench, task).attempts == 0
    assert attempt(task, bench) is Outcome.COMPLETED


def test_every_attempt_gives_its_room_back_however_it_ends(bench, store):
    _, tasks = a_placed_job(bench, ("nord", "ink", "grape"))
    store.before["put"] = lambda key: 1 / 0
    with pytest.raises(Broken):
        attempt(tasks[0], bench)
    store.before["put"] = away
    with pytest.raises(TryLater):
        attempt(tasks[1], bench)
    store.before.clear()
    attempt(tasks[2], bench)

    with bench.slots.hold(10**9, wait_for=timedelta(0)):  # all of it is free
        pass
    for turns in (bench.renders, bench.uploads):
        assert turns.acquire(blocking=False)
        assert turns.acquire(blocking=False)


def test_an_attempt_that_has_used_up_its_time_at_the_fetch_stops(bench, store, clock):
    _, [task] = a_placed_job(bench)
    store.before["open"] = lambda key: clock.advance(BUDGET)

    with pytest.raises(TryLater, match="time"):
        attempt(task, bench)

    assert given_back(bench, task)
    assert results_in(store) == set()


@pytest.mark.parametrize("turns", ["renders", "uploads"])
def test_an_attempt_does_not_wait_for_its_turn_beyond_its_time(bench, turns):
    _, [task] = a_placed_job(bench)
    hurried = replace(bench, time_budget=timedelta(milliseconds=30))
    semaphore = getattr(bench, turns)
    for _ in range(2):
        semaphore.acquire()

    with pytest.raises(TryLater, match="turn"):
        attempt(task, hurried)

    assert given_back(bench, task)


def test_an_attempt_does_not_wait_for_anothers_decoding_beyond_its_time(bench, store):
    _, [task, other] = a_placed_job(bench, ("nord", "ink"))
    is_open, may_go_on = Event(), Event()

    def stall(key):
        is_open.set()
        assert may_go_on.wait(SOON)

    store.before["open"] = stall
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(attempt, task, bench)
        assert is_open.wait(SOON)
        with pytest.raises(TryLater, match="not decoded in time"):
            attempt(other, replace(bench, time_budget=timedelta(milliseconds=30)))
        may_go_on.set()
        assert first.result(SOON) is Outcome.COMPLETED

    assert given_back(bench, other)


def test_a_picture_that_is_being_stored_takes_hardly_any_room(bench, store):
    _, [task] = a_placed_job(bench)
    free = []

    def look(key):
        with bench.slots.hold(ROOM - 4000, wait_for=timedelta(0)):
            free.append(key)

    store.before["put"] = look

    assert attempt(task, bench) is Outcome.COMPLETED
    assert len(free) == 2


def test_a_picture_that_is_stored_when_time_is_up_still_counts(bench, store, clock):
    _, [task] = a_placed_job(bench)
    store.after["put"] = lambda key: key.endswith(".thumb.webp") and clock.advance(BUDGET)

    assert attempt(task, bench) is Outcome.COMPLETED


def test_a_lease_that_a_heartbeat_finds_lost_stops_the_attempt_at_its_next_step(
    bench, store, clock
):
    _, [task] = a_placed_job(bench)

    def lose_the_lease(key):
        clock.advance(2 * MINUTE)
        with bench.ledger.transaction() as session:
            lapse.take_back(session, task.colorway, now=clock())
        bench.heartbeat.beat()

    def never(key):
        pytest.fail("it went on")

    store.before = {"open": lose_the_lease, "put": never}

    assert attempt(task, bench) is Outcome.OVER
    assert given_back(bench, task, tries=1)


def test_a_lease_lost_between_upload_and_finish_writes_nothing_and_drops_its_object(
    bench, store, clock
):
    job, [task] = a_placed_job(bench)

    def lose_the_lease(key):
        if key.endswith(".thumb.webp"):
            with bench.ledger.transaction() as session:
                lapse.take_back(session, task.colorway, now=NOON + 2 * MINUTE)

    store.before["put"] = lose_the_lease

    assert attempt(task, bench) is Outcome.OVER

    assert given_back(bench, task, tries=1)
    assert results_in(store) == set()
    assert job_of(bench, job).completed == 0
