"""What becomes of an attempt when the source, the store, the ledger or we ourselves are broken."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from colorway.errors import NotFound, TryLater
from colorway.image_keys import thumbnail_key
from colorway.job import JobStatus, OutputOptions
from colorway.ledger import lease
from colorway.ledger.connection import Ledger
from colorway.ledger.progress import progress_of
from colorway.lifecycle import MAX_TRIES, Status
from palette_worker.attempt import Broken, Outcome, attempt
from tests.builders import MINUTE, NOON, a_claim, counts_of, with_tries
from tests.fakes import BreakingLedger, away
from tests.palette_worker.workplace import (
    BUDGET,
    a_bench,
    a_picture,
    a_placed_job,
    colorway_of,
    counted,
    job_of,
    rendition_of,
    results_in,
)

CUT_SHORT = a_picture()[:-60]
HOSTILE = b"\x89PNG\r\n\x1a\n" + b"\xff" * 500


def given_back(bench, task, *, tries=0):
    """Whether the colorway waits for its next attempt, and the ledger's counters know it."""
    row = colorway_of(bench, task)
    assert (row.status, row.tries, row.leased_until) == (Status.PENDING, tries, None)
    with bench.ledger.reading() as session:
        counters, rows = counts_of(session, row.job_id)
    assert counters == rows
    return True


# The source


@pytest.mark.parametrize("body", [b"", b"no picture at all", CUT_SHORT, HOSTILE])
def test_a_picture_that_cannot_be_read_fails_its_job_and_no_other(bench, store, body):
    job, [task] = a_placed_job(bench, body=body)
    _, [other] = a_placed_job(bench)

    assert attempt(task, bench) is Outcome.FAILED
    assert attempt(other, bench) is Outcome.COMPLETED

    row = colorway_of(bench, task)
    assert (row.status, row.error["code"]) == (Status.FAILED, "image-undecodable")
    assert (row.error["phase"], row.error["attempt"]) == ("decode", 1)
    assert progress_of(job_of(bench, job)).status is JobStatus.FAILED
    assert counted(bench, "colorways_total", status="failed") == 1
    assert len(results_in(store)) == 2  # the other's


def test_a_source_that_is_gone_fails(bench, store):
    _, [task] = a_placed_job(bench)
    store.objects.clear()

    assert attempt(task, bench) is Outcome.FAILED

    error = colorway_of(bench, task).error
    assert (error["code"], error["phase"]) == ("source-missing", "fetch")


def test_a_source_that_is_not_what_was_uploaded_fails(bench, store):
    _, [task] = a_placed_job(bench)
    [key] = store.objects
    store.objects[key] = a_picture(9)

    assert attempt(task, bench) is Outcome.FAILED

    error = colorway_of(bench, task).error
    assert (error["code"], error["phase"]) == ("source-damaged", "fetch")


def test_one_palette_that_cannot_be_encoded_leaves_the_job_to_go_on(bench):
    wide = OutputOptions(format="webp")
    body = a_picture()
    _, [task] = a_placed_job(bench, body=body, output=wide)
    _, [other] = a_placed_job(bench, body=body)

    assert attempt(task, bench) is Outcome.COMPLETED
    assert attempt(other, bench) is Outcome.COMPLETED


def test_a_broken_picture_whose_lease_was_lost_meanwhile_is_the_other_attempts_business(
    bench, store, clock
):
    _, [task] = a_placed_job(bench, body=HOSTILE)

    def take_over(key):
        clock.advance(2 * MINUTE)
        with bench.ledger.transaction() as session:
            a_claim(session, task, now=clock())

    store.before["open"] = take_over

    assert attempt(task, bench) is Outcome.OVER
    assert colorway_of(bench, task).status is Status.PROCESSING


# The store


def test_a_store_that_is_away_at_the_fetch_costs_no_try(bench, store):
    _, [task] = a_placed_job(bench)
    store.before["open"] = away

    with pytest.raises(TryLater):
        attempt(task, bench)

    assert given_back(bench, task)
    assert colorway_of(bench, task).error["code"] == "unavailable"
    assert counted(bench, "colorway_attempts_total", outcome="put off") == 1


def test_a_source_that_breaks_off_while_it_is_read_costs_no_try(bench, store):
    _, [task] = a_placed_job(bench)

    def break_off(key):
        raise OSError("input/output error")

    store.before["open"] = break_off

    with pytest.raises(TryLater):
        attempt(task, bench)
    assert given_back(bench, task)


@pytest.mark.parametrize("suffix", [".png", ".thumb.webp"])
def test_a_store_that_goes_away_at_the_upload_costs_no_try_and_keeps_nothing(bench, store, suffix):
    _, [task] = a_placed_job(bench)
    store.before["put"] = lambda key: away(key) if key.endswith(suffix) else None

    with pytest.raises(TryLater):
        attempt(task, bench)

    assert given_back(bench, task)
    assert results_in(store) == set()
    store.before.clear()
    assert attempt(task, bench) is Outcome.COMPLETED


def test_a_store_in_which_nothing_can_be_deleted_changes_no_outcome(bench, store):
    _, [task] = a_placed_job(bench)
    store.before["put"] = away
    store.before["delete"] = away

    with pytest.raises(TryLater, match="the store is away"):
        attempt(task, bench)

    assert given_back(bench, task)


# The ledger


def test_a_ledger_that_is_away_puts_the_task_off(bench, store, clock, tmp_path):
    _, [task] = a_placed_job(bench)
    nowhere = Ledger(f"sqlite:///{tmp_path}/missing/ledger.db")

    with pytest.raises(TryLater):
        attempt(task, a_bench(nowhere, store, clock))

    nowhere.dispose()


def test_a_picture_whose_finish_got_no_answer_is_never_dropped(sqlite_ledger, store, clock):
    ledger = BreakingLedger(str(sqlite_ledger.engine.url))
    bench = a_bench(ledger, store, clock)
    job, [task] = a_placed_job(bench)

    def break_at_the_next_commit(key):
        ledger.breaks_after_commit = True

    store.before["put"] = break_at_the_next_commit

    with pytest.raises(TryLater):
        attempt(task, bench)

    ledger.breaks_after_commit = False
    assert colorway_of(bench, task).status is Status.COMPLETED
    key = rendition_of(bench, task).key
    assert results_in(store) == {key, thumbnail_key(key)}
    assert attempt(task, bench) is Outcome.OVER
    assert job_of(bench, job).completed == 1
    ledger.dispose()


def test_a_finish_that_was_not_committed_leaves_at_most_an_orphan(sqlite_ledger, store, clock):
    ledger = BreakingLedger(str(sqlite_ledger.engine.url))
    bench = a_bench(ledger, store, clock)
    _, [task] = a_placed_job(bench)

    def break_from_here(key):
        ledger.breaks_before_commit = True

    store.before["put"] = break_from_here
    with pytest.raises(TryLater):
        attempt(task, bench)
    ledger.breaks_before_commit = False
    store.before.clear()
    assert colorway_of(bench, task).status is Status.PROCESSING  # to give back failed as well

    clock.advance(2 * MINUTE)
    assert attempt(task, bench) is Outcome.COMPLETED

    winner = rendition_of(bench, task).key
    assert "-2." in winner
    assert {winner, thumbnail_key(winner)} < results_in(store)
    ledger.dispose()


# Ourselves


def a_bug(key):
    raise ValueError("we did not think of this")


def test_a_bug_counts_as_a_try_and_shows_its_error(bench, store):
    _, [task] = a_placed_job(bench)
    store.before["put"] = a_bug

    with pytest.raises(Broken) as broken:
        attempt(task, bench)

    assert isinstance(broken.value.__cause__, ValueError)
    assert given_back(bench, task, tries=1)
    error = colorway_of(bench, task).error
    assert (error["code"], error["attempt"]) == ("internal", 1)
    assert "think" not in error["detail"]
    assert results_in(store) == set()
    assert counted(bench, "colorway_attempts_total", outcome="broken") == 1


def test_a_bug_fails_its_colorway_after_so_many_tries(bench, store):
    job, [task, other] = a_placed_job(bench, ("nord", "ink"))
    store.before["put"] = a_bug

    for _ in range(MAX_TRIES):
        with pytest.raises(Broken):
            attempt(task, bench)
    store.before.clear()

    assert attempt(task, bench) is Outcome.OVER
    row = colorway_of(bench, task)
    assert (row.status, row.error["attempt"]) == (Status.FAILED, MAX_TRIES)
    assert counted(bench, "colorways_total", status="failed") == 1
    assert attempt(other, bench) is Outcome.COMPLETED
    assert progress_of(job_of(bench, job)).status is JobStatus.PARTIAL


def test_what_refuses_us_within_an_attempt_is_our_bug_and_not_the_callers(bench, store):
    _, [task] = a_placed_job(bench)

    def refuse(key):
        raise NotFound("the bucket is not there")

    store.before["put"] = refuse

    with pytest.raises(Broken):
        attempt(task, bench)
    assert given_back(bench, task, tries=1)


def test_a_lease_that_ran_out_once_too_often_fails_at_the_next_claim(bench, clock):
    job, [task] = a_placed_job(bench)
    with bench.ledger.transaction() as session:
        with_tries(session, task, MAX_TRIES - 1)
        a_claim(session, task)
    clock.advance(2 * MINUTE)

    assert attempt(task, bench) is Outcome.OVER

    assert colorway_of(bench, task).error["code"] == "timed-out"
    assert progress_of(job_of(bench, job)).status is JobStatus.FAILED
    assert counted(bench, "jobs_total", status="failed") == 1


# Room, time and the lease


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
    store.before["put"] = a_bug
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


def test_a_picture_that_is_stored_when_time_is_up_still_counts(bench, store, clock):
    _, [task] = a_placed_job(bench)
    store.before["put"] = lambda key: clock.advance(BUDGET)

    assert attempt(task, bench) is Outcome.COMPLETED


def test_a_lease_that_a_heartbeat_finds_lost_stops_the_attempt_at_its_next_step(
    bench, store, clock
):
    _, [task] = a_placed_job(bench)

    def lose_the_lease(key):
        clock.advance(2 * MINUTE)
        with bench.ledger.transaction() as session:
            lease.take_back(session, task.colorway, now=clock())
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
                lease.take_back(session, task.colorway, now=NOON + 2 * MINUTE)

    store.before["put"] = lose_the_lease

    assert attempt(task, bench) is Outcome.OVER

    assert given_back(bench, task, tries=1)
    assert results_in(store) == set()
    assert job_of(bench, job).completed == 0
