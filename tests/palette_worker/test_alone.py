"""A picture that may kill its worker is rendered with nobody beside it, and nobody starves."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from functools import partial

import pytest
from sqlalchemy import select, update

from colorway.errors import TryLater
from colorway.ledger.tables import colorways, images, jobs
from colorway.lifecycle import MAX_DEATHS, Status
from palette_worker.attempt import Outcome, attempt
from tests.builders import MINUTE, NOON, a_claim
from tests.palette_worker.workplace import (
    SOON,
    a_picture,
    a_placed_job,
    at_once,
    colorway_of,
    counted,
    given_back,
    job_of,
    results_in,
    until,
)

NOT_AT_ALL = timedelta(0)
PATIENT = timedelta(seconds=SOON)


def lose_a_worker(bench, *tasks):
    """Let the last lease of these have run out."""
    with bench.ledger.transaction() as session:
        session.execute(
            update(colorways)
            .where(colorways.c.id.in_([task.colorway for task in tasks]))
            .values(alone=True)
        )


def kill_workers(bench, job, times):
    """Let workers have died so often while they rendered this job's source alone."""
    source = select(jobs.c.image_id).where(jobs.c.id == job).scalar_subquery()
    with bench.ledger.transaction() as session:
        session.execute(update(images).where(images.c.id == source).values(deaths=times))


def deaths_of(bench, job):
    with bench.ledger.reading() as session:
        return session.scalar(select(images.c.deaths).join(jobs).where(jobs.c.id == job))


def is_full(bench):
    try:
        with bench.slots.hold(1, wait_for=NOT_AT_ALL):
            return False
    except TryLater:
        return True


def seen_at(store, method, look):
    """Return what `look` will have seen whenever the store is asked."""
    seen = []
    store.before[method] = lambda key: seen.append(look())
    return seen


@contextmanager
def stalled(store, method):
    """Let the first who asks the store so wait until the block ends; yield who has come."""
    has_come, may_go_on = threading.Event(), threading.Event()

    def stall(key):
        store.before.pop(method)
        has_come.set()
        assert may_go_on.wait(SOON)

    store.before[method] = stall
    try:
        yield has_come
    finally:
        may_go_on.set()


class WatchedTurns(threading.BoundedSemaphore):
    """Turns to render, and what is to be done when one ends, by the thread that had it."""

    def __init__(self, at_end):
        super().__init__(10)
        self._at_end = at_end

    def release(self):
        self._at_end()
        super().release()


# Who is alone


def test_an_ordinary_attempt_leaves_room_beside_it(bench, store):
    _, [task] = a_placed_job(bench)
    seen = seen_at(store, "open", lambda: is_full(bench))

    attempt(task, bench)

    assert seen == [False]


def test_a_colorway_whose_lease_ran_out_takes_all_the_room_until_it_is_rendered(bench, store):
    _, [task] = a_placed_job(bench)
    lose_a_worker(bench, task)
    while_fetching = seen_at(store, "open", lambda: is_full(bench))
    while_uploading = seen_at(store, "put", lambda: is_full(bench))

    assert attempt(task, bench) is Outcome.COMPLETED

    assert while_fetching == [True]
    assert while_uploading == [False, False]
    assert not colorway_of(bench, task).alone


def test_every_colorway_of_a_source_that_killed_a_worker_is_alone_until_one_is_finished(
    bench, store
):
    job, [first, second] = a_placed_job(bench, ("nord", "ink"))
    kill_workers(bench, job, MAX_DEATHS - 1)
    seen = []
    looking = replace(bench, renders=WatchedTurns(lambda: seen.append(is_full(bench))))

    assert attempt(first, looking) is Outcome.COMPLETED
    assert deaths_of(bench, job) == 0
    assert attempt(second, looking) is Outcome.COMPLETED

    assert seen == [True, False]
    assert counted(bench, "source_decodes_total") == 1  # what was decoded here killed nobody


def test_a_lease_that_is_found_expired_makes_the_attempt_alone(bench, store, clock):
    _, [task] = a_placed_job(bench)
    with bench.ledger.transaction() as session:
        a_claim(session, task)
    clock.advance(2 * MINUTE)
    seen = seen_at(store, "open", lambda: is_full(bench))

    assert attempt(task, bench) is Outcome.COMPLETED

    assert seen == [True]


def test_a_source_that_killed_too_many_workers_is_not_rendered_again(bench, store):
    job, [task] = a_placed_job(bench)
    kill_workers(bench, job, MAX_DEATHS)

    assert attempt(task, bench) is Outcome.OVER

    row = colorway_of(bench, task)
    assert (row.status, row.attempts) == (Status.FAILED, 0)
    assert row.error["code"] == "source-kills-worker"
    assert counted(bench, "jobs_total", status="failed") == 1
    assert results_in(store) == set()


def test_who_turns_out_to_need_the_room_alone_too_late_gives_back_and_costs_no_try(bench, store):
    _, [task] = a_placed_job(bench)

    def now():  # the first to ask does so between the look and the claim
        if not colorway_of(bench, task).alone:
            lose_a_worker(bench, task)
        return NOON

    with pytest.raises(TryLater, match="beside"):
        attempt(task, replace(bench, now=now))

    assert given_back(bench, task)
    assert colorway_of(bench, task).attempts == 1
    assert results_in(store) == set()
    assert attempt(task, bench) is Outcome.COMPLETED


# Who waits for whom


def test_it_waits_for_a_slow_upload_and_a_healthy_one_behind_it_waits_too(bench, store):
    bench = replace(bench, slot_wait=PATIENT)
    _, [slow] = a_placed_job(bench)
    _, [suspect] = a_placed_job(bench, body=a_picture(1))
    _, [healthy] = a_placed_job(bench, body=a_picture(2))
    lose_a_worker(bench, suspect)

    with ThreadPoolExecutor(3) as pool:
        with stalled(store, "put") as is_uploading:
            first = pool.submit(attempt, slow, bench)
            assert is_uploading.wait(SOON)
            second = pool.submit(attempt, suspect, bench)
            until(lambda: bench.slots.waiting == 1)
            third = pool.submit(attempt, healthy, bench)
            until(lambda: bench.slots.waiting == 2)
            begun = [colorway_of(bench, task).attempts for task in (suspect, healthy)]
        outcomes = [waiting.result(SOON) for waiting in (first, second, third)]

    assert begun == [0, 0]  # nothing is claimed by who only waits
    assert outcomes == [Outcome.COMPLETED] * 3


def test_many_at_once_all_complete_and_nobody_renders_beside_one_that_is_alone(bench, store):
    placed = [a_placed_job(bench, body=a_picture(number)) for number in range(10)]
    tasks = [task for _, [task] in placed]
    lose_a_worker(bench, *tasks[::3])
    suspects = [job_of(bench, job).image_id for job, _ in placed[::3]]
    guard, at_work, company = threading.Lock(), {}, []

    def begin(key):  # each has a source of its own
        with guard:
            at_work[threading.get_ident()] = any(key.endswith(str(image)) for image in suspects)
            company.append(len(at_work) if any(at_work.values()) else 0)

    def end():
        with guard:
            del at_work[threading.get_ident()]

    store.before["open"] = begin
    patient = replace(bench, slot_wait=PATIENT, renders=WatchedTurns(end))

    outcomes = at_once(*(partial(attempt, task, patient) for task in tasks))

    assert outcomes == [Outcome.COMPLETED] * 10
    assert sorted(company) == [0] * 6 + [1] * 4


def test_who_is_put_off_behind_it_has_claimed_nothing(bench, store):
    _, [slow] = a_placed_job(bench)
    _, [suspect] = a_placed_job(bench, body=a_picture(1))
    _, [healthy] = a_placed_job(bench, body=a_picture(2))
    lose_a_worker(bench, suspect)

    with ThreadPoolExecutor(2) as pool:
        with stalled(store, "put") as is_uploading:
            first = pool.submit(attempt, slow, bench)
            assert is_uploading.wait(SOON)
            second = pool.submit(attempt, suspect, bench)
            until(lambda: bench.slots.waiting == 1)
            with pytest.raises(TryLater, match="full"):
                attempt(healthy, bench)
        assert first.result(SOON) is second.result(SOON) is Outcome.COMPLETED

    assert colorway_of(bench, healthy).attempts == 0
    assert attempt(healthy, bench) is Outcome.COMPLETED


def test_it_does_not_wait_beyond_its_time(bench):
    _, [suspect] = a_placed_job(bench)
    lose_a_worker(bench, suspect)
    hurried = replace(bench, time_budget=timedelta(milliseconds=20))

    with bench.slots.hold(1, wait_for=NOT_AT_ALL), pytest.raises(TryLater, match="full"):
        attempt(suspect, hurried)

    assert colorway_of(bench, suspect).attempts == 0


def test_what_it_waited_is_taken_off_its_time(bench, clock):
    _, [suspect] = a_placed_job(bench)
    lose_a_worker(bench, suspect)
    brief = replace(bench, time_budget=5 * MINUTE)

    with ThreadPoolExecutor(1) as pool:
        with bench.slots.hold(1, wait_for=NOT_AT_ALL):
            waiting = pool.submit(attempt, suspect, brief)
            until(lambda: bench.slots.waiting == 1)
            clock.advance(5 * MINUTE)
        with pytest.raises(TryLater, match="time"):
            waiting.result(SOON)

    assert given_back(bench, suspect)
    assert colorway_of(bench, suspect).error["code"] == "too-slow"


def test_one_that_waits_while_the_worker_stops_claims_nothing(bench):
    _, [suspect] = a_placed_job(bench)
    lose_a_worker(bench, suspect)

    with ThreadPoolExecutor(1) as pool:
        with bench.slots.hold(1, wait_for=NOT_AT_ALL):
            waiting = pool.submit(attempt, suspect, bench)
            until(lambda: bench.slots.waiting == 1)
            bench.draining.set()
        with pytest.raises(TryLater, match="stopping"):
            waiting.result(SOON)

    assert colorway_of(bench, suspect).attempts == 0
