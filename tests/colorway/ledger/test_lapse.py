"""What is taken from attempts: leases that ran out, sources that kill, what is never done."""

from __future__ import annotations

from datetime import timedelta

import pytest

from colorway.errors import LeaseLost
from colorway.job import JobStatus
from colorway.ledger.lapse import (
    Lapse,
    condemn,
    condemned,
    give_up,
    open_for_too_long,
    take_back,
)
from colorway.ledger.lease import claim, fail, give_back
from colorway.ledger.progress import progress_of
from colorway.ledger.tables import colorways, images, jobs
from colorway.lifecycle import MAX_DEATHS, MAX_TRIES, Status
from colorway.render_task import RenderTask
from tests.builders import (
    BROKEN,
    DAY,
    MINUTE,
    NOON,
    a_claim,
    a_job,
    an_image,
    counts_of,
    finish_it,
    row_of,
    statuses_of,
    with_deaths,
)

LATER = NOON + 2 * MINUTE
TOMORROW = NOON + DAY


def die(session, task, *, at):
    """Claim, and let the lease run out."""
    held = a_claim(session, task, now=at)
    take_back(session, task.colorway, now=at + 2 * MINUTE)
    return held


def deaths_of(session, image):
    return row_of(session, images, image.id).deaths


@pytest.fixture
def image(session):
    return an_image(session)


def test_after_an_expired_lease_the_next_attempt_is_alone(session):
    _, [task] = a_job(session)
    first = die(session, task, at=NOON)

    second = a_claim(session, task, now=LATER)

    assert (first.alone, second.alone) == (False, True)


def test_an_attempt_that_is_given_back_leaves_the_next_one_alone_too(session):
    _, [task] = a_job(session)
    die(session, task, at=NOON)

    give_back(session, a_claim(session, task, now=LATER), BROKEN, counts=False, now=LATER)

    assert a_claim(session, task, now=LATER).alone


def test_a_lease_that_ran_out_in_company_accuses_no_source(session, image):
    _, tasks = a_job(session, palettes=("nord", "ink", "rose", "moss"), image=image)

    for task in tasks:
        die(session, task, at=NOON)

    assert deaths_of(session, image) == 0


def test_a_lease_that_ran_out_alone_does_and_then_all_of_the_source_are_alone(session, image):
    _, [suspect, sibling] = a_job(session, palettes=("nord", "ink"), image=image)
    _, [stranger] = a_job(session, image=an_image(session, image.account_id, seed="another"))
    die(session, suspect, at=NOON)

    die(session, suspect, at=LATER)

    assert deaths_of(session, image) == 1
    assert a_claim(session, sibling).alone
    assert not a_claim(session, stranger).alone


def test_a_claim_that_takes_over_an_expired_lease_counts_it_too(session, image):
    _, [task] = a_job(session, image=image)
    die(session, task, at=NOON)
    a_claim(session, task, now=LATER)

    a_claim(session, task, now=LATER + 2 * MINUTE)

    assert deaths_of(session, image) == 1


def test_one_that_is_finished_alone_acquits_its_source(session, image):
    _, [suspect, sibling] = a_job(session, palettes=("nord", "ink"), image=image)
    die(session, suspect, at=NOON)
    die(session, suspect, at=LATER)

    finish_it(session, a_claim(session, suspect, now=LATER + 2 * MINUTE))

    assert deaths_of(session, image) == 0
    assert not a_claim(session, sibling).alone


def test_one_of_another_source_acquits_nobody(session, image):
    with_deaths(session, image.id, 1)
    other = an_image(session, image.account_id, seed="another")
    _, [task] = a_job(session, image=other)
    die(session, task, at=NOON)

    finish_it(session, a_claim(session, task, now=LATER))

    assert deaths_of(session, image) == 1


def test_a_source_that_is_found_guilty_fails_whatever_would_be_claimed_of_it(session, image):
    job, [task] = a_job(session, image=image)
    with_deaths(session, image.id, MAX_DEATHS)

    lapse = claim(session, task, now=LATER, lease_for=MINUTE)

    assert isinstance(lapse, Lapse)
    assert lapse.job_end.progress.status is JobStatus.FAILED
    row = row_of(session, colorways, task.colorway)
    assert (row.status, row.error["code"]) == (Status.FAILED, "source-kills-worker")
    assert (row.attempts, row.finished_at) == (0, LATER)
    counters, rows = counts_of(session, job)
    assert counters == rows


def test_a_claim_whose_takeover_proves_the_source_guilty_fails_it(session, image):
    job, [task] = a_job(session, image=image)
    die(session, task, at=NOON)
    with_deaths(session, image.id, MAX_DEATHS - 1)
    a_claim(session, task, now=LATER)

    lapse = claim(session, task, now=LATER + 2 * MINUTE, lease_for=MINUTE)

    assert isinstance(lapse, Lapse)
    assert row_of(session, colorways, task.colorway).error["code"] == "source-kills-worker"
    counters, rows = counts_of(session, job)
    assert counters == rows


def test_the_pending_ones_of_a_guilty_source_are_found_whatever_their_job(session, image):
    _, [running, waiting] = a_job(session, palettes=("nord", "ink"), image=image)
    _, [elsewhere] = a_job(session, image=image)
    a_job(session, image=an_image(session, image.account_id, seed="another"))
    a_claim(session, running)
    with_deaths(session, image.id, MAX_DEATHS)

    found = condemned(session, most=9)

    assert set(found) == {waiting, elsewhere}
    assert len(condemned(session, most=1)) == 1


def test_a_running_one_of_a_guilty_source_may_still_be_finished(session, image):
    job, [task] = a_job(session, image=image)
    held = a_claim(session, task)
    with_deaths(session, image.id, MAX_DEATHS)

    assert condemn(session, task, now=LATER) is None

    finish_it(session, held)
    assert statuses_of(session, job) == [Status.COMPLETED]


def test_nothing_is_condemned_that_was_acquitted_or_reopened_meanwhile(session, image):
    job, [task] = a_job(session, image=image)

    assert condemn(session, task, now=LATER) is None
    with_deaths(session, image.id, MAX_DEATHS)
    assert condemn(session, RenderTask(task.colorway, epoch=1), now=LATER) is None

    assert statuses_of(session, job) == [Status.PENDING]


def test_a_picture_that_kills_is_found_guilty_before_its_tries_are_used_up(session, image):
    job, [task] = a_job(session, image=image)
    at, lives = NOON, 0

    while not isinstance(claim(session, task, now=at, lease_for=MINUTE), Lapse):
        take_back(session, task.colorway, now=at + 2 * MINUTE)
        at, lives = at + 3 * MINUTE, lives + 1

    assert lives == 1 + MAX_DEATHS < MAX_TRIES
    assert statuses_of(session, job) == [Status.FAILED]


def test_what_is_never_done_is_given_up(session):
    job, [waiting, running] = a_job(session, palettes=("nord", "ink"))
    held = a_claim(session, running, now=TOMORROW)
    before = TOMORROW - timedelta(hours=24) + MINUTE

    late = open_for_too_long(session, before=before, most=9)
    lapses = [give_up(session, colorway, before=before, now=TOMORROW) for colorway in late]

    assert set(late) == {waiting.colorway, running.colorway}
    assert [lapse.status for lapse in lapses] == [Status.FAILED] * 2
    assert [lapse.job_end is None for lapse in lapses] == [True, False]
    for task in (waiting, running):
        row = row_of(session, colorways, task.colorway)
        assert (row.error["code"], row.finished_at) == ("timed-out", TOMORROW)
    counters, rows = counts_of(session, job)
    assert counters == rows
    with pytest.raises(LeaseLost):
        finish_it(session, held)


def test_what_has_ended_or_is_young_is_not_given_up(session):
    job, [done, young] = a_job(session, palettes=("nord", "ink"))
    finish_it(session, a_claim(session, done))

    assert open_for_too_long(session, before=NOON, most=9) == []
    assert give_up(session, young.colorway, before=NOON, now=TOMORROW) is None
    assert give_up(session, done.colorway, before=TOMORROW, now=TOMORROW) is None

    assert statuses_of(session, job) == [Status.COMPLETED, Status.PENDING]


def test_giving_up_stops_the_others_of_a_job_that_stops_at_failures(session):
    job, [first, _] = a_job(session, palettes=("nord", "ink"), on_error="stop")

    lapse = give_up(session, first.colorway, before=TOMORROW, now=TOMORROW)

    assert statuses_of(session, job) == [Status.FAILED, Status.CANCELLED]
    assert lapse.job_end.progress.status is JobStatus.FAILED


def test_a_lapse_is_cancelled_where_its_job_has_stopped_meanwhile(session):
    job, [broken, silent] = a_job(session, palettes=("nord", "ink"), on_error="stop")
    a_claim(session, silent)
    fail(session, a_claim(session, broken), BROKEN, now=NOON)

    lapse = take_back(session, silent.colorway, now=LATER)

    assert lapse.status is Status.CANCELLED
    assert progress_of(row_of(session, jobs, job)).is_done
