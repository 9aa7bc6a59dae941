"""What becomes of an attempt when the source, the store, the ledger or we ourselves are broken."""

from __future__ import annotations

import pytest

from colorway.errors import NotFound, TryLater
from colorway.image_keys import thumbnail_key
from colorway.job import JobStatus
from colorway.ledger.connection import Ledger
from colorway.ledger.progress import progress_of
from colorway.lifecycle import MAX_TRIES, Status
from palette_worker.attempt import Broken, Outcome, attempt
from tests.builders import MINUTE, a_claim, with_tries
from tests.fakes import BreakingLedger, away
from tests.palette_worker.workplace import (
    a_bench,
    a_picture,
    a_placed_job,
    colorway_of,
    counted,
    given_back,
    job_of,
    rendition_of,
    results_in,
)

CUT_SHORT = a_picture()[:-60]
HOSTILE = b"\x89PNG\r\n\x1a\n" + b"\xff" * 500


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
    assert colorway_of(bench, task).error["code"] == "store-unavailable"
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

    assert attempt(task, bench) is Outcome.OVER

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

    assert colorway_of(bench, task).status is Status.FAILED
    assert progress_of(job_of(bench, job)).status is JobStatus.FAILED
    assert counted(bench, "jobs_total", status="failed") == 1
