"""Wrong counters are found and counted anew; a picture that is lost is rendered again."""

from __future__ import annotations

import pytest
from sqlalchemy import select, update

from colorway.job import JobStatus
from colorway.ledger.lease import claim
from colorway.ledger.outbox import undelivered
from colorway.ledger.progress import progress_of
from colorway.ledger.renditions import record_rendition
from colorway.ledger.repairs import (
    doubt,
    forget_rendition,
    jobs_behind,
    jobs_in_doubt,
    longest_unseen,
    note_checked,
    repair_counters,
    wrong_counters,
)
from colorway.ledger.tables import colorways, jobs, renditions
from colorway.lifecycle import Status
from tests.builders import (
    MINUTE,
    NOON,
    a_claim,
    a_job,
    a_stored_rendition,
    an_account,
    an_image,
    counts_of,
    finish_it,
    row_of,
    statuses_of,
)

LATER = NOON + 2 * MINUTE
HOUR = 60 * MINUTE


def spoil(session, job, **counters):
    session.execute(update(jobs).where(jobs.c.id == job).values(**counters))


def half_done(session):
    job, [done, running, _] = a_job(session, palettes=("nord", "ink", "rose"))
    finish_it(session, a_claim(session, done))
    a_claim(session, running)
    return job


def done(session, **matters):
    job, [task] = a_job(session, **matters)
    finish_it(session, a_claim(session, task))
    return job, task


def picture_of(session, task):
    return row_of(session, colorways, task.colorway).rendition_id


@pytest.mark.parametrize(
    "counters",
    [
        {"total": 4},
        {"processing": 0},
        {"completed": 2},
        {"failed": 1},
        {"cancelled": 1},
        {"finished_at": NOON},
    ],
    ids=lambda counters: next(iter(counters)),
)
def test_counters_that_are_wrong_are_found_and_counted_anew(session, counters):
    job, right = half_done(session), half_done(session)
    before = row_of(session, jobs, job)
    spoil(session, job, **counters)

    assert wrong_counters(session, [job, right]) == [job]
    assert repair_counters(session, job, now=LATER) is not None

    after = dict(row_of(session, jobs, job)._mapping)
    assert after == dict(before._mapping) | {"version": before.version + 1}
    assert wrong_counters(session, [job, right]) == []


def test_a_drift_says_what_the_counters_said_and_what_is_so(session):
    job = half_done(session)
    spoil(session, job, completed=3, processing=0)

    drift = repair_counters(session, job, now=LATER)

    assert (drift.said["completed"], drift.said["processing"]) == (3, 0)
    assert (drift.is_so["completed"], drift.is_so["processing"]) == (1, 1)


def test_counters_that_are_right_are_left_alone(session):
    job = half_done(session)
    before = row_of(session, jobs, job)

    assert repair_counters(session, job, now=LATER) is None
    assert row_of(session, jobs, job) == before


def test_a_job_whose_last_colorway_was_never_counted_ends_by_its_repair(session):
    job, _ = done(session)
    spoil(session, job, completed=0, processing=1, finished_at=None)

    repair_counters(session, job, now=LATER)

    row = row_of(session, jobs, job)
    assert (progress_of(row).status, row.finished_at) == (JobStatus.COMPLETED, LATER)


def test_jobs_that_go_on_or_ended_lately_are_in_doubt(session):
    running = half_done(session)
    lately, _ = done(session)
    long_ago, _ = done(session)
    spoil(session, long_ago, finished_at=NOON - 2 * HOUR)

    doubtful = jobs_in_doubt(session, finished_after=NOON - HOUR, most=9)

    assert set(doubtful) == {running, lately}
    assert len(jobs_in_doubt(session, finished_after=NOON - HOUR, most=1)) == 1


def test_all_jobs_can_be_gone_through_page_by_page(session):
    there = sorted(done(session)[0] for _ in range(3))

    first = jobs_behind(session, type(there[0])(int=0), most=2)
    last = jobs_behind(session, first[-1], most=2)

    assert first + last == there


def test_the_picture_that_was_longest_unseen_is_looked_at_first(session):
    account = an_account(session)
    keys = ("nord", "ink", "rose")
    found = [
        record_rendition(session, account, key, a_stored_rendition(f"{key}.png"), now=NOON)
        for key in keys
    ]
    note_checked(session, found[0].id, now=LATER)

    unseen = longest_unseen(session, before=LATER, most=9)

    assert [row.id for row in unseen] == [winner.id for winner in found[1:]]
    assert longest_unseen(session, before=NOON, most=9) == []
    assert len(longest_unseen(session, before=LATER, most=1)) == 1


def test_a_picture_that_somebody_missed_is_looked_at_next(session):
    _, task = done(session)

    doubt(session, picture_of(session, task))

    [row] = longest_unseen(session, before=NOON, most=9)
    assert row.id == picture_of(session, task)


def test_a_lost_picture_is_forgotten_and_rendered_again_wherever_it_was_shown(session):
    image = an_image(session)
    first, task = done(session, image=image)
    other, _ = a_job(session, image=image)  # the same picture: it shares the rendition
    lost = picture_of(session, task)
    before = [row_of(session, jobs, job) for job in (first, other)]

    reopened = forget_rendition(session, lost, now=LATER)

    assert reopened == sorted([first, other])
    for job, was in zip((first, other), before, strict=True):
        row = row_of(session, jobs, job)
        assert (row.completed, row.finished_at, row.version) == (0, None, was.version + 1)
        assert counts_of(session, job)[0] == counts_of(session, job)[1]
        [nudge] = undelivered(session, job, most=9)[-1:]
        assert nudge.task.epoch == 1
    assert session.execute(select(renditions).where(renditions.c.id == lost)).all() == []
    assert session.scalars(select(colorways.c.cached)).all() == [False, False]


def test_a_colorway_whose_picture_was_lost_begins_anew(session):
    job, task = done(session)
    before = row_of(session, colorways, task.colorway)

    forget_rendition(session, picture_of(session, task), now=LATER)

    row = row_of(session, colorways, task.colorway)
    assert (row.status, row.epoch, row.fence) == (Status.PENDING, 1, before.fence + 1)
    assert (row.rendition_id, row.finished_at, row.opened_at) == (None, None, LATER)
    assert row.error["code"] == "object-missing"
    assert claim(session, task, now=LATER, lease_for=MINUTE) is None
    [nudge] = undelivered(session, job, most=9)[-1:]
    finish_it(session, a_claim(session, nudge.task, now=LATER))
    assert statuses_of(session, job) == [Status.COMPLETED]


def test_a_picture_that_is_forgotten_already_is_nobodys(session):
    job, task = done(session)
    lost = picture_of(session, task)
    forget_rendition(session, lost, now=LATER)

    assert forget_rendition(session, lost, now=LATER) is None
    assert row_of(session, colorways, task.colorway).epoch == 1
    assert row_of(session, jobs, job).version == 4


def test_other_pictures_of_the_job_stay(session):
    job, [task, other] = a_job(session, palettes=("nord", "ink"))
    for each in (task, other):
        finish_it(session, a_claim(session, each))

    forget_rendition(session, picture_of(session, task), now=LATER)

    assert statuses_of(session, job) == [Status.PENDING, Status.COMPLETED]
