"""A retry opens what failed or was cancelled, and nothing that came before it counts any more."""

from __future__ import annotations

from datetime import timedelta

import pytest

from colorway.errors import InvalidRequest, LeaseLost, NotFound
from colorway.job import JobStatus
from colorway.ledger.commands import cancel_job, retry_job
from colorway.ledger.lapse import take_back
from colorway.ledger.lease import claim, fail, give_back
from colorway.ledger.outbox import told, undelivered
from colorway.ledger.progress import progress_of
from colorway.ledger.tables import colorways, images, jobs
from colorway.lifecycle import MAX_DEATHS, MAX_TRIES, Status
from colorway.render_task import RenderTask
from tests.builders import (
    BROKEN,
    MINUTE,
    NOON,
    a_claim,
    a_job,
    an_account,
    an_image,
    counts_of,
    finish_it,
    row_of,
    statuses_of,
    tasks_of,
    with_deaths,
    with_tries,
)

SECOND = timedelta(seconds=1)
LATER = NOON + 2 * MINUTE
LATER_STILL = NOON + 4 * MINUTE


def retry(session, job, keys=None, *, now=LATER):
    return retry_job(session, row_of(session, jobs, job).account_id, job, keys, now=now)


def cancel(session, job, *, now=NOON):
    return cancel_job(session, row_of(session, jobs, job).account_id, job, now=now)


def status_of(session, job):
    return progress_of(row_of(session, jobs, job)).status


def fail_it(session, task, *, now=NOON):
    fail(session, a_claim(session, task, now=now), BROKEN, now=now)


def test_it_opens_what_failed_and_what_was_cancelled_and_leaves_what_was_completed(session):
    job, [done, broken, _] = a_job(session, palettes=("nord", "ink", "rose"))
    finish_it(session, a_claim(session, done))
    fail_it(session, broken)
    cancel(session, job)
    before = row_of(session, jobs, job)

    assert retry(session, job) == 2

    assert statuses_of(session, job) == [Status.COMPLETED, Status.PENDING, Status.PENDING]
    counters, rows = counts_of(session, job)
    assert counters == rows
    after = row_of(session, jobs, job)
    assert (after.version, after.finished_at) == (before.version + 1, None)


def test_a_colorway_begins_anew_with_all_its_tries_and_all_its_time(session):
    job, [task] = a_job(session)
    with_tries(session, task, MAX_TRIES - 1)
    fail_it(session, task)
    before = row_of(session, colorways, task.colorway)

    retry(session, job)

    row = row_of(session, colorways, task.colorway)
    assert (row.tries, row.alone, row.opened_at, row.finished_at) == (0, False, LATER, None)
    assert (row.epoch, row.fence) == (before.epoch + 1, before.fence + 1)
    assert row.attempts == 1  # a client has seen it, and the error that it ended with
    assert row.error == BROKEN


def test_tasks_of_before_are_over_and_the_queue_gets_new_ones(session):
    job, [old] = a_job(session)
    told(session, undelivered(session, job, most=9))
    fail_it(session, old)

    retry(session, job)

    [nudge] = undelivered(session, job, most=9)
    assert nudge.task == RenderTask(old.colorway, 1)
    assert claim(session, old, now=LATER, lease_for=MINUTE) is None
    assert a_claim(session, nudge.task, now=LATER).attempt == 2


def test_an_attempt_of_before_can_write_nothing(session):
    job, [task] = a_job(session)
    slow = a_claim(session, task)
    cancel(session, job)

    retry(session, job)

    with pytest.raises(LeaseLost):
        finish_it(session, slow)
    with pytest.raises(LeaseLost):
        give_back(session, slow, BROKEN, counts=True, now=LATER)
    assert statuses_of(session, job) == [Status.PENDING]


def test_only_the_keys_that_are_named_are_opened(session):
    job, _ = a_job(session, palettes=("nord", "ink", "rose"))
    cancel(session, job)

    assert retry(session, job, ["ink", "rose"]) == 2

    assert statuses_of(session, job) == [Status.CANCELLED, Status.PENDING, Status.PENDING]


def test_keys_that_are_not_failed_or_cancelled_stay_what_they_are(session):
    job, [done, broken] = a_job(session, palettes=("nord", "ink"))
    finish_it(session, a_claim(session, done))
    fail_it(session, broken)

    assert retry(session, job, ["nord", "ink"]) == 1

    assert statuses_of(session, job) == [Status.COMPLETED, Status.PENDING]


@pytest.mark.parametrize("keys", [None, ["nord"]])
def test_where_nothing_failed_or_was_cancelled_nothing_is_written(session, keys):
    job, _ = a_job(session, palettes=("nord", "ink"))
    before = row_of(session, jobs, job)

    assert retry(session, job, keys) == 0

    assert row_of(session, jobs, job) == before
    assert len(undelivered(session, job, most=9)) == 2


def test_keys_that_the_job_does_not_have_are_all_named_and_nothing_is_opened(session):
    job, _ = a_job(session, palettes=("nord", "ink"))
    cancel(session, job)

    with pytest.raises(InvalidRequest) as refused:
        retry(session, job, ["nord", "moss", "nul\0"])

    assert [flaw.pointer for flaw in refused.value.flaws] == ["#/keys/1", "#/keys/2"]
    assert {flaw.code for flaw in refused.value.flaws} == {"unknown"}
    assert statuses_of(session, job) == [Status.CANCELLED] * 2


def test_only_ones_own_job_can_be_retried(session):
    job, _ = a_job(session)
    cancel(session, job)

    with pytest.raises(NotFound):
        retry_job(session, an_account(session, "another"), job, None, now=LATER)


def test_of_a_job_that_goes_on_what_has_failed_so_far_can_be_retried(session):
    job, [broken, running, _] = a_job(session, palettes=("nord", "ink", "rose"))
    fail_it(session, broken)
    held = a_claim(session, running)

    assert retry(session, job) == 1

    finish_it(session, held)
    assert statuses_of(session, job) == [Status.PENDING, Status.COMPLETED, Status.PENDING]
    counters, rows = counts_of(session, job)
    assert counters == rows


def test_a_retried_job_ends_as_it_ends_this_time(session):
    job, _ = a_job(session, palettes=("nord", "ink"))
    cancel(session, job)
    retry(session, job)

    for nudge in undelivered(session, job, most=9):
        end = finish_it(session, a_claim(session, nudge.task, now=LATER), now=LATER)

    assert end.progress.status is JobStatus.COMPLETED
    assert status_of(session, job) is JobStatus.COMPLETED
    assert row_of(session, jobs, job).finished_at == LATER


def test_a_clients_cancel_is_remembered_while_it_leaves_a_colorway_cancelled(session):
    job, _ = a_job(session, palettes=("nord", "ink"))
    cancel(session, job)

    retry(session, job, ["ink"])
    [nudge] = undelivered(session, job, most=9)
    finish_it(session, a_claim(session, nudge.task, now=LATER), now=LATER)

    assert status_of(session, job) is JobStatus.CANCELLED


def test_a_clients_cancel_is_forgotten_with_the_last_one_it_left(session):
    job, _ = a_job(session, palettes=("nord", "ink"), on_error="stop")
    cancel(session, job)
    retry(session, job)

    [first, _] = undelivered(session, job, most=9)
    fail_it(session, first.task, now=LATER)  # stops the other one, which no client cancelled

    assert sorted(statuses_of(session, job)) == [Status.CANCELLED, Status.FAILED]
    assert status_of(session, job) is JobStatus.FAILED


def test_a_client_has_not_cancelled_what_a_failure_had_stopped_before(session):
    job, [broken, _, running] = a_job(session, ("nord", "ink", "rose"), on_error="stop")
    a_claim(session, running)
    fail_it(session, broken)
    cancel(session, job, now=LATER)

    retry(session, job, ["rose"])
    [nudge] = undelivered(session, job, most=9)[-1:]
    finish_it(session, a_claim(session, nudge.task, now=LATER), now=LATER)

    assert statuses_of(session, job) == [Status.FAILED, Status.CANCELLED, Status.COMPLETED]
    assert status_of(session, job) is JobStatus.PARTIAL


def test_a_failure_stops_what_was_reopened_by_a_clock_that_is_ahead(session):
    job, _ = a_job(session, palettes=("nord", "ink", "rose"), on_error="stop")
    cancel(session, job)
    retry(session, job, now=NOON + 2 * SECOND)
    first, second, _ = tasks_of(session, job)
    running = a_claim(session, second)

    fail_it(session, first, now=NOON + SECOND)
    give_back(session, running, BROKEN, counts=False, now=NOON + 3 * SECOND)

    assert statuses_of(session, job) == [Status.FAILED, Status.CANCELLED, Status.CANCELLED]


def test_what_was_reopened_by_a_clock_that_is_behind_is_not_stopped_by_what_came_before(session):
    job, [broken, _] = a_job(session, palettes=("nord", "ink"), on_error="stop")
    fail_it(session, broken, now=NOON + 2 * SECOND)
    retry(session, job, ["ink"], now=NOON + SECOND)
    [_, again] = tasks_of(session, job)

    held = a_claim(session, again, now=NOON + SECOND)
    give_back(session, held, BROKEN, counts=False, now=NOON + 3 * SECOND)

    assert statuses_of(session, job) == [Status.FAILED, Status.PENDING]


def test_what_was_reopened_is_not_stopped_by_the_failure_of_before(session):
    job, [broken, _] = a_job(session, palettes=("nord", "ink"), on_error="stop")
    fail_it(session, broken)
    retry(session, job, ["ink"])
    [nudge] = undelivered(session, job, most=9)[-1:]

    given_back = a_claim(session, nudge.task, now=LATER)
    give_back(session, given_back, BROKEN, counts=False, now=LATER)
    a_claim(session, nudge.task, now=LATER)
    lapse = take_back(session, nudge.task.colorway, now=LATER_STILL)

    assert lapse.status is Status.PENDING
    assert statuses_of(session, job) == [Status.FAILED, Status.PENDING]


def test_what_was_reopened_is_stopped_by_a_failure_since_then(session):
    job, [broken, _, _] = a_job(session, palettes=("nord", "ink", "rose"), on_error="stop")
    fail_it(session, broken)
    retry(session, job, ["ink", "rose"])
    tasks = {nudge.task for nudge in undelivered(session, job, most=9) if nudge.task.epoch}
    first, last = sorted(tasks, key=lambda task: task.colorway)
    held = a_claim(session, last, now=LATER)

    fail_it(session, first, now=LATER_STILL)
    give_back(session, held, BROKEN, counts=False, now=LATER_STILL)

    assert sorted(statuses_of(session, job)) == [Status.CANCELLED, Status.FAILED, Status.FAILED]


def test_whoever_orders_a_retry_gives_the_source_another_chance(session):
    image = an_image(session)
    job, [task] = a_job(session, image=image)
    with_deaths(session, image.id, MAX_DEATHS)
    claim(session, task, now=NOON, lease_for=MINUTE)

    retry(session, job)

    assert row_of(session, images, image.id).deaths == 0
    [nudge] = undelivered(session, job, most=9)[-1:]
    assert a_claim(session, nudge.task, now=LATER).alone is False
