"""What goes with a job or a source that is deleted, and what stays for others."""

from __future__ import annotations

import pytest
from sqlalchemy import func, select

from colorway.errors import Conflict, LeaseLost, NotFound
from colorway.ledger.commands import cancel_job, retry_job
from colorway.ledger.idempotency import Reservation, complete, reserve
from colorway.ledger.lapse import take_back
from colorway.ledger.lease import claim, fail, finish, give_back, renew
from colorway.ledger.outbox import told, undelivered
from colorway.ledger.removal import remove_image, remove_job
from colorway.ledger.repairs import repair_counters
from colorway.ledger.tables import colorways, idempotency_keys, images, jobs, outbox, renditions
from tests.builders import (
    BROKEN,
    MINUTE,
    NOON,
    TIMINGS,
    a_claim,
    a_job,
    an_account,
    an_image,
    finish_it,
    row_of,
)

LATER = NOON + 2 * MINUTE


def a_done_job(session, *palettes, image):
    """Record a job in these palettes, finish it all, and return it with its pictures' keys."""
    job, tasks = a_job(session, palettes or ("nord",), image=image, reuse="force")
    for task in tasks:
        finish_it(session, a_claim(session, task))
    return job, pictures_of(session, job)


def pictures_of(session, job):
    shown = colorways.c.rendition_id == renditions.c.id
    keys = select(renditions.c.key).join(colorways, shown).where(colorways.c.job_id == job)
    return set(session.scalars(keys))


def count(session, table):
    return session.scalar(select(func.count()).select_from(table))


def refused(function, *given):
    with pytest.raises(Conflict) as conflict:
        function(*given)
    return conflict.value.code


def test_a_deleted_job_is_gone_with_all_that_was_its_own(session):
    image = an_image(session)
    key = Reservation(image.account_id, "POST /v1/jobs", "once", "a" * 64)
    reserve(session, key, now=NOON)
    job, pictures = a_done_job(session, "nord", "ink", image=image)
    complete(session, key, job)

    dropped = remove_job(session, image.account_id, job)

    assert len(pictures) == 2
    assert set(dropped) == pictures
    gone = (jobs, colorways, renditions, outbox, idempotency_keys)
    assert [count(session, table) for table in gone] == [0] * 5
    assert reserve(session, key, now=NOON) is None
    assert row_of(session, images, image.id) == image


def test_pictures_and_entries_of_other_jobs_stay(session):
    image = an_image(session)
    job, _ = a_done_job(session, "nord", "ink", image=image)
    other, kept = a_done_job(session, "ink", "rose", image=image)
    waiting, _ = a_job(session, ("grape",), image=image)

    dropped = remove_job(session, image.account_id, job)

    assert len(dropped) == 1
    assert not kept & set(dropped)
    assert pictures_of(session, other) == kept
    assert count(session, renditions) == 2
    assert len(undelivered(session, waiting, most=9)) == 1


def test_the_last_job_that_shows_a_picture_takes_it_along(session):
    image = an_image(session)
    [(first, shared), (last, _)] = [a_done_job(session, image=image) for _ in range(2)]

    dropped = [remove_job(session, image.account_id, job) for job in (first, last)]

    assert [set(keys) for keys in dropped] == [set(), shared]


def test_a_picture_shown_twice_in_one_job_is_dropped_once(session):
    image = an_image(session)
    job, _ = a_done_job(session, "nord", "ink", image=image)
    one = session.scalars(select(renditions.c.id)).first()
    session.execute(colorways.update().values(rendition_id=one))

    dropped = remove_job(session, image.account_id, job)

    assert dropped == [dropped[0]]


def test_what_ended_without_a_picture_can_be_deleted(session):
    image = an_image(session)
    failed, [task] = a_job(session, image=image)
    fail(session, a_claim(session, task), BROKEN, now=NOON)
    cancelled, _ = a_job(session, image=image)
    cancel_job(session, image.account_id, cancelled, now=NOON)

    dropped = [remove_job(session, image.account_id, job) for job in (failed, cancelled)]

    assert dropped == [[], []]
    assert count(session, jobs) == 0


@pytest.mark.parametrize("state", ["pending", "processing", "reopened"])
def test_a_job_that_is_not_done_stays_whole(session, state):
    image = an_image(session)
    job, [first, second] = a_job(session, ("nord", "ink"), image=image)
    finish_it(session, a_claim(session, first))
    if state != "pending":
        held = a_claim(session, second)
    if state == "reopened":
        fail(session, held, BROKEN, now=NOON)
        retry_job(session, image.account_id, job, None, now=NOON)

    assert refused(remove_job, session, image.account_id, job) == "not-done"

    assert count(session, colorways) == 2
    assert count(session, renditions) == 1
    assert len(undelivered(session, job, most=9)) == (3 if state == "reopened" else 2)


def test_only_ones_own_job_can_be_deleted(session):
    image = an_image(session)
    job, _ = a_done_job(session, image=image)

    with pytest.raises(NotFound):
        remove_job(session, an_account(session, "another"), job)

    assert row_of(session, jobs, job).completed == 1


def test_tasks_and_entries_of_a_deleted_job_find_nothing(session):
    image = an_image(session)
    job, [task] = a_job(session, image=image)
    nudges = undelivered(session, job, most=9)
    finish_it(session, a_claim(session, task))
    remove_job(session, image.account_id, job)

    told(session, nudges)

    assert claim(session, task, now=NOON, lease_for=MINUTE) is None
    with pytest.raises(NotFound):
        remove_job(session, image.account_id, job)


def test_a_late_attempt_at_a_deleted_job_writes_nothing(session):
    image = an_image(session)
    job, [task] = a_job(session, image=image)
    slow, quick = a_claim(session, task), a_claim(session, task, now=LATER)
    finish_it(session, quick, now=LATER)
    remove_job(session, image.account_id, job)

    for write in (
        lambda: finish(session, slow, quick.colorway, TIMINGS, now=LATER),
        lambda: fail(session, slow, BROKEN, now=LATER),
        lambda: give_back(session, slow, BROKEN, counts=True, now=LATER),
    ):
        with pytest.raises(LeaseLost):
            write()
    assert not renew(session, slow, until=LATER)
    assert take_back(session, task.colorway, now=LATER) is None
    assert repair_counters(session, job, now=LATER) is None


def test_a_source_goes_once_no_job_refers_to_it(session):
    image = an_image(session)
    other = an_image(session, image.account_id, seed="other")
    job, _ = a_done_job(session, image=image)

    while_used = refused(remove_image, session, image.account_id, image.id)
    remove_job(session, image.account_id, job)
    key = remove_image(session, image.account_id, image.id)

    assert while_used == "in-use"
    assert key == image.key
    assert list(session.scalars(select(images.c.id))) == [other.id]


def test_only_ones_own_source_can_be_deleted(session):
    image = an_image(session)

    with pytest.raises(NotFound):
        remove_image(session, an_account(session, "another"), image.id)

    assert row_of(session, images, image.id) == image
