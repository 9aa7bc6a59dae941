"""Orders of a client: what a cancel takes, what it leaves, and that it is exact."""

from __future__ import annotations

import pytest

from colorway.errors import LeaseLost, NotFound
from colorway.job import JobStatus
from colorway.ledger.commands import cancel_job
from colorway.ledger.lapse import take_back
from colorway.ledger.lease import claim, fail, give_back, renew
from colorway.ledger.outbox import nudge_again, undelivered
from colorway.ledger.progress import progress_of
from colorway.ledger.tables import colorways, jobs
from colorway.lifecycle import Status
from tests.builders import (
    BROKEN,
    MINUTE,
    NOON,
    a_claim,
    a_job,
    an_account,
    counts_of,
    finish_it,
    row_of,
)

LATER = NOON + 2 * MINUTE


def cancel(session, job, *, now=LATER):
    return cancel_job(session, row_of(session, jobs, job).account_id, job, now=now)


def test_a_cancel_takes_pending_and_running_colorways_at_once(session):
    job, [done, running, waiting] = a_job(session, palettes=("nord", "ink", "rose"))
    finish_it(session, a_claim(session, done))
    held = a_claim(session, running)

    end = cancel(session, job)

    assert (end.job, end.progress.status) == (job, JobStatus.CANCELLED)
    rows = [row_of(session, colorways, task.colorway) for task in (done, running, waiting)]
    assert [row.status for row in rows] == [Status.COMPLETED, Status.CANCELLED, Status.CANCELLED]
    assert [row.fence for row in rows] == [1, held.fence + 1, 1]
    assert [(row.leased_until, row.finished_at) for row in rows[1:]] == [(None, LATER)] * 2
    counters, counted = counts_of(session, job)
    assert counters == counted
    found = row_of(session, jobs, job)
    assert (found.cancelled_at, found.finished_at, found.version) == (LATER, LATER, 5)


def test_a_running_attempt_can_write_nothing_after_a_cancel(session):
    job, [task] = a_job(session)
    held = a_claim(session, task)

    cancel(session, job, now=NOON)

    assert not renew(session, held, until=LATER)
    for write in (
        lambda: finish_it(session, held),
        lambda: fail(session, held, BROKEN, now=NOON),
        lambda: give_back(session, held, BROKEN, counts=False, now=NOON),
    ):
        with pytest.raises(LeaseLost):
            write()
    assert take_back(session, task.colorway, now=LATER) is None
    assert counts_of(session, job)[0][Status.CANCELLED] == 1


def test_what_is_cancelled_is_rendered_by_no_later_task(session):
    job, [task] = a_job(session)

    cancel(session, job)

    assert claim(session, task, now=LATER, lease_for=MINUTE) is None
    assert undelivered(session, job, most=10) == []
    assert not nudge_again(session, task.colorway, beyond=0, now=LATER)


def test_a_second_cancel_changes_nothing(session):
    job, _ = a_job(session, palettes=("nord", "ink"))
    cancel(session, job)
    before = row_of(session, jobs, job)

    assert cancel(session, job, now=LATER + MINUTE) is None
    assert row_of(session, jobs, job) == before


def test_a_job_that_is_done_stays_what_it_is(session):
    job, [task] = a_job(session)
    finish_it(session, a_claim(session, task))

    assert cancel(session, job) is None

    assert progress_of(row_of(session, jobs, job)).status is JobStatus.COMPLETED
    assert row_of(session, jobs, job).cancelled_at is None


def test_only_ones_own_job_can_be_cancelled(session):
    job, [task] = a_job(session)
    stranger = an_account(session, "another")

    with pytest.raises(NotFound):
        cancel_job(session, stranger, job, now=LATER)

    assert row_of(session, colorways, task.colorway).status is Status.PENDING


def test_the_entries_of_other_jobs_stay_in_the_outbox(session):
    job, _ = a_job(session)
    other, _ = a_job(session)

    cancel(session, job)

    assert len(undelivered(session, other, most=10)) == 1
