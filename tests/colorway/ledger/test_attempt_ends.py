"""How an attempt ends: finish, fail, give back. Only the newest holder may, and only once."""

from __future__ import annotations

import pytest

from colorway.errors import LeaseLost
from colorway.job import JobStatus, Priority
from colorway.ledger.lapse import take_back
from colorway.ledger.lease import claim, fail, finish, give_back
from colorway.ledger.outbox import told, undelivered
from colorway.ledger.tables import colorways, jobs
from colorway.lifecycle import MAX_TRIES, Status
from colorway.render_task import Nudge
from tests.builders import (
    BROKEN,
    MINUTE,
    NOON,
    TIMINGS,
    a_claim,
    a_job,
    a_rendition,
    counts_of,
    finish_it,
    row_of,
    with_tries,
)

LATER = NOON + 2 * MINUTE  # a lease taken at noon has run out by then

ENDINGS = {
    "finish": lambda session, held: finish_it(session, held, now=LATER),
    "fail": lambda session, held: fail(session, held, BROKEN, now=LATER),
    "give back": lambda session, held: give_back(session, held, BROKEN, counts=False, now=LATER),
    "give back, a try": lambda session, held: give_back(
        session, held, BROKEN, counts=True, now=LATER
    ),
}


@pytest.fixture(params=ENDINGS)
def end(request):
    """Each way for an attempt to end."""
    return ENDINGS[request.param]


def test_a_worker_that_lost_its_lease_can_write_nothing(session, end):
    job, [task] = a_job(session)
    slow = a_claim(session, task, now=NOON)
    a_claim(session, task, now=LATER)
    colorway, counts = row_of(session, colorways, task.colorway), row_of(session, jobs, job)

    with pytest.raises(LeaseLost):
        end(session, slow)

    assert row_of(session, colorways, task.colorway) == colorway
    assert row_of(session, jobs, job) == counts


def test_a_worker_whose_lease_was_taken_back_can_write_nothing(session, end):
    job, [task] = a_job(session)
    slow = a_claim(session, task, now=NOON)
    take_back(session, task.colorway, now=LATER)
    counts = row_of(session, jobs, job)

    with pytest.raises(LeaseLost):
        end(session, slow)

    assert row_of(session, colorways, task.colorway).status is Status.PENDING
    assert row_of(session, jobs, job) == counts


def test_no_attempt_ends_twice(session, end):
    job, [task] = a_job(session)
    held = a_claim(session, task)
    end(session, held)
    colorway, counts = row_of(session, colorways, task.colorway), row_of(session, jobs, job)

    with pytest.raises(LeaseLost):
        end(session, held)

    assert row_of(session, colorways, task.colorway) == colorway
    assert row_of(session, jobs, job) == counts


def test_an_expired_lease_that_nobody_took_may_still_finish(session):
    _, [task] = a_job(session)
    slow = a_claim(session, task, now=NOON)

    finish_it(session, slow, now=LATER)

    assert row_of(session, colorways, task.colorway).status is Status.COMPLETED


# Finish, fail, give back


def test_finish_completes_the_colorway(session):
    job, [task, _] = a_job(session, palettes=("nord", "ink"))
    held = a_claim(session, task)
    rendition = a_rendition(session, held)

    end = finish(session, held, rendition, TIMINGS, now=LATER)

    assert end is None  # the other one is still to come
    row = row_of(session, colorways, task.colorway)
    assert (row.status, row.rendition_id, row.finished_at) == (Status.COMPLETED, rendition, LATER)
    assert (row.queued_ms, row.fetch_ms, row.render_ms) == (10, 20, 30)
    assert (row.encode_ms, row.upload_ms, row.leased_until) == (40, 50, None)
    counts = row_of(session, jobs, job)
    assert (counts.processing, counts.completed, counts.version) == (0, 1, 3)
    assert counts.finished_at is None


def test_the_last_finish_ends_the_job(session):
    job, [first, last] = a_job(session, palettes=("nord", "ink"), now=NOON)
    for task in (first, last):
        held = a_claim(session, task, now=NOON)
        end = finish_it(session, held, now=LATER)

    assert (end.job, end.overall) == (job, 2 * MINUTE)
    assert end.progress.status is JobStatus.COMPLETED
    assert row_of(session, jobs, job).finished_at == LATER


def test_finish_forgets_the_error_of_an_earlier_attempt(session):
    _, [task] = a_job(session)
    give_back(session, a_claim(session, task), BROKEN, counts=True, now=NOON)
    held = a_claim(session, task)

    finish_it(session, held, now=LATER)

    no_error = colorways.select().where(colorways.c.error.is_(None))  # SQL's NULL, not JSON's
    assert session.execute(no_error).one().id == task.colorway


def test_fail_ends_the_colorway_with_its_error(session):
    job, [task] = a_job(session)

    end = fail(session, a_claim(session, task), BROKEN, now=LATER)

    assert end.progress.status is JobStatus.FAILED
    row = row_of(session, colorways, task.colorway)
    assert (row.status, row.error, row.tries) == (Status.FAILED, BROKEN, 0)
    assert (row.finished_at, row.leased_until) == (LATER, None)
    counts = row_of(session, jobs, job)
    assert (counts.processing, counts.failed, counts.finished_at) == (0, 1, LATER)


def test_one_failure_leaves_the_others_alone(session):
    _, tasks = a_job(session, palettes=("nord", "ink", "grape"))

    fail(session, a_claim(session, tasks[0]), BROKEN, now=NOON)

    assert row_of(session, colorways, tasks[1].colorway).status is Status.PENDING
    held = a_claim(session, tasks[1])
    assert finish_it(session, held) is None
    end = fail(session, a_claim(session, tasks[2]), BROKEN, now=NOON)
    assert end.progress.status is JobStatus.PARTIAL


@pytest.mark.parametrize(("counts", "tries"), [(False, 0), (True, 1)])
def test_a_colorway_that_is_given_back_waits_for_its_next_attempt(session, counts, tries):
    job, [task] = a_job(session)

    end = give_back(session, a_claim(session, task), BROKEN, counts=counts, now=LATER)

    assert end is None
    row = row_of(session, colorways, task.colorway)
    assert (row.status, row.tries, row.attempts) == (Status.PENDING, tries, 1)
    assert (row.error, row.leased_until, row.queue_seen_at) == (BROKEN, None, LATER)
    assert row_of(session, jobs, job).processing == 0
    assert a_claim(session, task, now=LATER).tries == tries


def test_the_last_try_of_its_own_fault_fails(session):
    _, [task] = a_job(session)
    for _ in range(MAX_TRIES):
        end = give_back(session, a_claim(session, task), BROKEN, counts=True, now=LATER)

    assert end.progress.status is JobStatus.FAILED
    row = row_of(session, colorways, task.colorway)
    assert (row.status, row.tries, row.error) == (Status.FAILED, MAX_TRIES, BROKEN)


def test_shared_trouble_never_fails_a_colorway(session):
    _, [task] = a_job(session)
    for _ in range(MAX_TRIES + 3):
        end = give_back(session, a_claim(session, task), BROKEN, counts=False, now=NOON)

    assert end is None
    row = row_of(session, colorways, task.colorway)
    assert (row.status, row.tries) == (Status.PENDING, 0)


# With on_error: stop


def test_with_stop_the_first_failure_cancels_what_is_pending(session):
    job, tasks = a_job(session, palettes=("nord", "ink", "grape", "forest"), on_error="stop")
    bystander = a_claim(session, tasks[1])

    end = fail(session, a_claim(session, tasks[0]), BROKEN, now=LATER)

    assert end is None  # one is still rendering
    cancelled = [row_of(session, colorways, task.colorway) for task in tasks[2:]]
    assert {(row.status, row.fence, row.finished_at) for row in cancelled} == {
        (Status.CANCELLED, 1, LATER)
    }
    counts = row_of(session, jobs, job)
    assert (counts.processing, counts.failed, counts.cancelled) == (1, 1, 2)
    end = finish_it(session, bystander, now=LATER)
    assert end.progress.status is JobStatus.PARTIAL


def test_with_stop_a_failure_that_leaves_nothing_running_ends_the_job_as_failed(session):
    job, tasks = a_job(session, palettes=("nord", "ink"), on_error="stop")

    end = fail(session, a_claim(session, tasks[0]), BROKEN, now=LATER)

    assert end.progress.status is JobStatus.FAILED  # cancelled is what only a client can make it
    assert row_of(session, jobs, job).finished_at == LATER


def test_with_stop_a_dead_worker_on_the_last_try_stops_the_job_too(session):
    _, tasks = a_job(session, palettes=("nord", "ink"), on_error="stop")
    with_tries(session, tasks[0], MAX_TRIES - 1)
    a_claim(session, tasks[0], now=NOON)

    take_back(session, tasks[0].colorway, now=LATER)

    assert row_of(session, colorways, tasks[1].colorway).status is Status.CANCELLED


def test_with_stop_other_jobs_go_on(session):
    _, [task] = a_job(session, on_error="stop")
    _, [other] = a_job(session, on_error="stop")

    fail(session, a_claim(session, task), BROKEN, now=NOON)

    assert row_of(session, colorways, other.colorway).status is Status.PENDING


def test_with_stop_what_is_given_back_after_a_failure_is_cancelled_too(session):
    job, [broken, slow] = a_job(session, palettes=("nord", "ink"), on_error="stop")
    failing, giving = a_claim(session, broken), a_claim(session, slow)
    fail(session, failing, BROKEN, now=NOON)

    end = give_back(session, giving, BROKEN, counts=False, now=NOON)

    row = row_of(session, colorways, slow.colorway)
    assert (row.status, row.fence, row.finished_at) == (Status.CANCELLED, giving.fence + 1, NOON)
    assert end.progress.status is JobStatus.FAILED
    counters, counted = counts_of(session, job)
    assert counters == counted


@pytest.mark.parametrize("by_claim", [True, False])
def test_with_stop_a_lease_that_runs_out_after_a_failure_is_cancelled_too(session, by_claim):
    job, [broken, lost] = a_job(session, palettes=("nord", "ink"), on_error="stop")
    told(session, [Nudge(task, 0, Priority.NORMAL) for task in (broken, lost)])
    failing = a_claim(session, broken)
    a_claim(session, lost)
    fail(session, failing, BROKEN, now=NOON)

    if by_claim:
        lapse = claim(session, lost, now=NOON + 2 * MINUTE, lease_for=MINUTE)
    else:
        lapse = take_back(session, lost.colorway, now=NOON + 2 * MINUTE)

    assert lapse.status is Status.CANCELLED
    assert lapse.job_end.progress.status is JobStatus.FAILED
    assert row_of(session, colorways, lost.colorway).status is Status.CANCELLED
    assert undelivered(session, job, most=10) == []
    counters, counted = counts_of(session, job)
    assert counters == counted


def test_with_stop_and_no_failure_yet_what_is_given_back_waits_for_its_next_attempt(session):
    _, [task, _] = a_job(session, palettes=("nord", "ink"), on_error="stop")

    end = give_back(session, a_claim(session, task), BROKEN, counts=True, now=NOON)

    assert end is None
    assert row_of(session, colorways, task.colorway).status is Status.PENDING
