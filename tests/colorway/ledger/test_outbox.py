from __future__ import annotations

from datetime import timedelta

from sqlalchemy import update

from colorway.job import Priority
from colorway.ledger.lease import give_back
from colorway.ledger.outbox import (
    nudge_again,
    replace_lost,
    seen,
    silent,
    told,
    undelivered,
    waiting,
)
from colorway.ledger.submission import record_job
from colorway.ledger.tables import colorways, jobs
from colorway.lifecycle import Status
from colorway.render_task import Nudge
from tests.builders import MINUTE, NOON, a_claim, a_job, a_job_request, an_image, row_of

LATER = NOON + MINUTE
SECOND = timedelta(seconds=1)
TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def test_a_new_job_is_announced_whole(session):
    job, tasks = a_job(session, palettes=("nord", "ink"), priority=Priority.HIGH)

    announced = undelivered(session, job, most=9)

    assert announced == [Nudge(task, 0, Priority.HIGH) for task in tasks]


def test_only_what_is_pending_is_announced(session):
    job, tasks = a_job(session, palettes=("nord", "ink"))
    for nudge in undelivered(session, job, most=9):
        told(session, [nudge])
    a_claim(session, tasks[0])

    again = [nudge_again(session, task.colorway, beyond=0, now=NOON) for task in tasks]

    assert again == [False, True]
    assert [nudge.task for nudge in undelivered(session, job, most=9)] == [tasks[1]]


def test_no_more_is_delivered_at_once_than_asked_for(session):
    job, _ = a_job(session, palettes=("nord", "ink", "grape"))

    assert len(undelivered(session, job, most=2)) == 2


def test_what_the_queue_was_told_is_forgotten_and_nothing_else(session):
    job, tasks = a_job(session, palettes=("nord", "ink", "grape"))
    other, _ = a_job(session)

    told(session, undelivered(session, job, most=2))

    assert [nudge.task for nudge in undelivered(session, job, most=9)] == tasks[2:]
    assert len(undelivered(session, other, most=9)) == 1


def test_telling_nothing_forgets_nothing(session):
    job, _ = a_job(session)

    told(session, [])

    assert len(undelivered(session, job, most=9)) == 1


def test_every_delivery_has_a_name_of_its_own(session):
    job, [task] = a_job(session)

    nudge_again(session, task.colorway, beyond=0, now=LATER)
    nudge_again(session, task.colorway, beyond=1, now=LATER)

    nudges = undelivered(session, job, most=9)
    assert sorted(nudge.number for nudge in nudges) == [0, 1, 2]
    assert len({nudge.name() for nudge in nudges}) == 3
    assert row_of(session, colorways, task.colorway).queue_seen_at == LATER


def test_a_nudge_that_others_have_gone_beyond_is_not_repeated(session):
    job, _ = a_job(session)
    [lost] = undelivered(session, job, most=9)
    told(session, [lost])

    replaced = [replace_lost(session, lost, now=LATER) for _ in range(2)]

    assert replaced == [True, False]
    assert [nudge.number for nudge in undelivered(session, job, most=9)] == [1]


def test_entries_of_a_post_are_silent_after_a_while(session):
    _, tasks = a_job(session, now=NOON)
    a_job(session, now=LATER)

    assert silent(session, before=NOON, most=9) == []
    assert [nudge.task for nudge in silent(session, before=LATER, most=9)] == tasks
    assert len(silent(session, before=LATER + SECOND, most=9)) == 2
    assert len(silent(session, before=LATER + SECOND, most=1)) == 1


def test_an_entry_for_a_later_delivery_is_at_once_the_reconcilers_business(session):
    job, [task] = a_job(session)
    told(session, undelivered(session, job, most=9))
    nudge_again(session, task.colorway, beyond=0, now=NOON)

    assert [nudge.number for nudge in silent(session, before=NOON, most=9)] == [1]


def test_pending_colorways_that_the_outbox_has_handed_over_are_waiting(session):
    job, tasks = a_job(session, palettes=("nord", "ink", "grape"), now=NOON)
    handed_over = undelivered(session, job, most=2)
    told(session, handed_over)
    a_claim(session, tasks[0])

    assert waiting(session, before=NOON, most=9) == []
    assert waiting(session, before=LATER, most=9) == [handed_over[1]]


def test_those_longest_unseen_are_asked_about_first(session):
    early, _ = a_job(session, now=NOON)
    late, _ = a_job(session, now=NOON + SECOND)
    first, second = undelivered(session, early, most=1) + undelivered(session, late, most=1)
    told(session, [first, second])

    assert waiting(session, before=LATER, most=1) == [first]
    seen(session, first, now=NOON + 2 * SECOND)
    assert waiting(session, before=LATER, most=9) == [second, first]


def test_a_colorway_that_was_given_back_has_just_been_seen(session):
    job, [task] = a_job(session, now=NOON)
    told(session, undelivered(session, job, most=9))

    give_back(session, a_claim(session, task), {"code": "x"}, counts=False, now=LATER)

    assert waiting(session, before=LATER, most=9) == []


def test_a_colorway_that_has_ended_is_not_seen_any_more(session):
    job, [task] = a_job(session, now=NOON)
    [nudge] = undelivered(session, job, most=9)
    session.execute(update(colorways).values(status=Status.CANCELLED))

    seen(session, nudge, now=LATER)

    assert row_of(session, colorways, task.colorway).queue_seen_at == NOON


def test_every_delivery_knows_the_trace_of_its_job(session):
    job, [task] = a_job(session)
    session.execute(update(jobs).where(jobs.c.id == job).values(traceparent=TRACEPARENT))
    expected = Nudge(task, 0, Priority.NORMAL, TRACEPARENT)

    at_once = undelivered(session, job, most=9)
    late = silent(session, before=LATER, most=9)
    told(session, at_once)

    assert (at_once, late) == ([expected], [expected])
    assert waiting(session, before=LATER, most=9) == [expected]


def test_a_submission_is_announced_as_it_was_recorded(session):
    image = an_image(session)

    recorded = record_job(
        session,
        image.account_id,
        image,
        a_job_request(image.id),
        keep_for=MINUTE,
        now=NOON,
        traceparent=TRACEPARENT,
    )

    assert recorded.nudges == undelivered(session, recorded.id, most=9)
    assert recorded.nudges[0].traceparent == TRACEPARENT
