"""Who gets a colorway, for how long, and what becomes of a lease that runs out."""

from __future__ import annotations

import pytest
from sqlalchemy import update

from colorway.job import JobStatus
from colorway.ledger.lapse import Lapse, expired, take_back
from colorway.ledger.lease import Claim, claim, fail, renew
from colorway.ledger.outbox import told, undelivered
from colorway.ledger.tables import colorways, jobs
from colorway.lifecycle import MAX_TRIES, Status
from colorway.render_task import RenderTask
from tests.builders import BROKEN, MINUTE, NOON, a_claim, a_job, row_of, with_tries

LATER = NOON + 2 * MINUTE  # a lease taken at noon has run out by then


def test_a_claim_takes_a_pending_colorway(session):
    job, [task] = a_job(session)

    held = claim(session, task, now=NOON, lease_for=MINUTE)

    assert held == Claim(task.colorway, job, fence=1, tries=0, attempt=1, alone=False)
    row = row_of(session, colorways, task.colorway)
    assert (row.status, row.leased_until, row.started_at) == (
        Status.PROCESSING,
        NOON + MINUTE,
        NOON,
    )


def test_the_first_claim_starts_the_job(session):
    job, [task, other] = a_job(session, palettes=("nord", "ink"))

    a_claim(session, task, now=NOON)
    a_claim(session, other, now=LATER)

    row = row_of(session, jobs, job)
    assert (row.processing, row.started_at, row.version) == (2, NOON, 3)


def test_a_leased_colorway_cannot_be_claimed(session):
    job, [task] = a_job(session)
    a_claim(session, task, now=NOON)

    second = claim(session, task, now=NOON + MINUTE, lease_for=MINUTE)  # its very last moment

    assert second is None
    assert row_of(session, colorways, task.colorway).fence == 1
    assert row_of(session, jobs, job).version == 2


def test_a_colorway_that_has_ended_cannot_be_claimed(session):
    _, [task] = a_job(session)
    fail(session, a_claim(session, task), BROKEN, now=NOON)

    assert claim(session, task, now=LATER, lease_for=MINUTE) is None


def test_a_colorway_that_does_not_exist_cannot_be_claimed(session):
    job, _ = a_job(session)

    assert claim(session, RenderTask(job, 0), now=NOON, lease_for=MINUTE) is None


@pytest.mark.parametrize("epoch", [0, 2])
def test_a_task_of_another_epoch_is_over(session, epoch):
    _, [task] = a_job(session)
    session.execute(update(colorways).values(epoch=1))

    assert claim(session, RenderTask(task.colorway, epoch), now=NOON, lease_for=MINUTE) is None
    assert row_of(session, colorways, task.colorway).status is Status.PENDING


def test_a_task_of_an_older_epoch_leaves_an_expired_lease_alone(session):
    job, [old_task] = a_job(session)
    session.execute(update(colorways).values(epoch=1))
    a_claim(session, RenderTask(old_task.colorway, 1), now=NOON)

    assert claim(session, old_task, now=LATER, lease_for=MINUTE) is None

    row = row_of(session, colorways, old_task.colorway)
    assert (row.status, row.tries) == (Status.PROCESSING, 0)
    assert row_of(session, jobs, job).processing == 1


def test_an_expired_lease_is_taken_over_and_counts_as_a_try(session):
    job, [task] = a_job(session)
    a_claim(session, task, now=NOON)

    second = claim(session, task, now=LATER, lease_for=MINUTE)

    assert second == Claim(task.colorway, job, fence=2, tries=1, attempt=2, alone=True)
    assert row_of(session, colorways, task.colorway).started_at == NOON
    assert row_of(session, jobs, job).processing == 1


def test_a_claim_after_the_last_expired_lease_fails_the_colorway(session):
    job, [task] = a_job(session)
    with_tries(session, task, MAX_TRIES - 1)
    a_claim(session, task, now=NOON)

    lapse = claim(session, task, now=LATER, lease_for=MINUTE)

    assert isinstance(lapse, Lapse)
    assert (lapse.job, lapse.status) == (job, Status.FAILED)
    assert lapse.job_end.progress.status is JobStatus.FAILED
    row = row_of(session, colorways, task.colorway)
    assert (row.status, row.tries, row.finished_at) == (Status.FAILED, MAX_TRIES, LATER)
    assert row.error["code"] == "worker-lost"


# Renewing


def test_a_renewed_lease_does_not_run_out(session):
    _, [task] = a_job(session)
    held = a_claim(session, task, now=NOON)

    assert renew(session, held, until=NOON + 5 * MINUTE)

    assert claim(session, task, now=LATER, lease_for=MINUTE) is None


def test_a_lease_that_was_taken_over_cannot_be_renewed(session):
    _, [task] = a_job(session)
    slow = a_claim(session, task, now=NOON)
    a_claim(session, task, now=LATER)

    assert not renew(session, slow, until=NOON + 9 * MINUTE)
    assert row_of(session, colorways, task.colorway).leased_until == LATER + MINUTE


def test_a_lease_that_was_taken_back_cannot_be_renewed(session):
    _, [task] = a_job(session)
    slow = a_claim(session, task, now=NOON)
    take_back(session, task.colorway, now=LATER)

    assert not renew(session, slow, until=NOON + 9 * MINUTE)
    assert row_of(session, colorways, task.colorway).leased_until is None


# Leases that ran out


def test_a_lease_that_ran_out_is_taken_back_and_nudged_anew(session):
    job, [task] = a_job(session)
    told(session, undelivered(session, job, most=9))
    a_claim(session, task, now=NOON)

    lapse = take_back(session, task.colorway, now=LATER)

    assert (lapse.job, lapse.status, lapse.job_end) == (job, Status.PENDING, None)
    row = row_of(session, colorways, task.colorway)
    assert (row.status, row.tries, row.nudge, row.leased_until) == (Status.PENDING, 1, 1, None)
    assert row_of(session, jobs, job).processing == 0
    assert [nudge.number for nudge in undelivered(session, job, most=9)] == [1]


def test_a_lease_in_force_is_not_taken_back(session):
    _, [task] = a_job(session)
    a_claim(session, task, now=NOON)

    assert take_back(session, task.colorway, now=NOON + MINUTE) is None
    assert row_of(session, colorways, task.colorway).status is Status.PROCESSING


def test_the_last_lease_that_ran_out_fails_and_nudges_nobody(session):
    job, [task] = a_job(session)
    told(session, undelivered(session, job, most=9))
    with_tries(session, task, MAX_TRIES - 1)
    a_claim(session, task, now=NOON)

    lapse = take_back(session, task.colorway, now=LATER)

    assert lapse.status is Status.FAILED
    assert lapse.job_end.progress.status is JobStatus.FAILED
    assert undelivered(session, job, most=9) == []


def test_expired_leases_are_found_oldest_first_and_no_more_than_asked(session):
    _, tasks = a_job(session, palettes=("nord", "ink", "grape", "forest"))
    for minutes, task in zip((2, 0, 1, 9), tasks, strict=True):
        a_claim(session, task, now=NOON + minutes * MINUTE)

    assert expired(session, now=NOON + 4 * MINUTE, most=2) == [
        tasks[1].colorway,
        tasks[2].colorway,
    ]
    assert len(expired(session, now=NOON + 4 * MINUTE, most=9)) == 3
