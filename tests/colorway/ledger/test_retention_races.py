"""What a cleanup has found is taken into use meanwhile: on Postgres alone, SQLite lets in one."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest
from sqlalchemy import delete

from colorway.errors import Conflict, NotFound
from colorway.ledger import retention
from colorway.ledger.commands import retry_job
from colorway.ledger.idempotency import Reservation, reserve
from colorway.ledger.images import find_image_to_use, want_image
from colorway.ledger.lease import fail
from colorway.ledger.removal import LOCK_PICTURES, remove_job, remove_unused_pictures
from colorway.ledger.repairs import note_checked
from colorway.ledger.tables import colorways, idempotency_keys, images, jobs, renditions
from colorway.lifecycle import Status
from tests.builders import (
    BROKEN,
    DAY,
    NOON,
    a_claim,
    a_job,
    an_image,
    finish_it,
    row_of,
    statuses_of,
)
from tests.colorway.ledger.test_lock_order import in_transaction, wait_until_one_waits
from tests.colorway.ledger.test_removal_races import a_submission, ids_in
from tests.colorway.ledger.test_retention import FIRST, FIRST_KEY

LATER = NOON + 31 * DAY


@pytest.fixture
def image(postgres_ledger):
    with postgres_ledger.transaction() as session:
        return an_image(session)


@pytest.fixture
def unused(postgres_ledger, image):
    """Two pictures that no colorway shows."""
    with postgres_ledger.transaction() as session:
        job, tasks = a_job(session, ("ink", "nord"), image=image)
        for task in tasks:
            finish_it(session, a_claim(session, task))
        session.execute(delete(jobs).where(jobs.c.id == job))
    return sorted(ids_in(postgres_ledger, renditions))


def test_a_picture_that_an_open_submission_reuses_stays_and_the_others_go(
    postgres_ledger, watcher, image, unused
):
    remove = partial(in_transaction, postgres_ledger, remove_unused_pictures, unused)

    with ThreadPoolExecutor(1) as pool:
        with postgres_ledger.transaction() as session:
            job, [task] = a_job(session, ("ink",), image=image)
            removing = pool.submit(remove)
            wait_until_one_waits(watcher)
            reused = row_of(session, colorways, task.colorway).rendition_id
        removed = removing.result(timeout=10)

    assert len(removed) == 1
    assert ids_in(postgres_ledger, renditions) == {reused}
    with postgres_ledger.reading() as session:
        assert statuses_of(session, job) == [Status.COMPLETED]


def test_a_submission_takes_its_pictures_in_the_order_of_whoever_removes_them(
    postgres_ledger, watcher, image, unused
):
    first, last = unused
    with postgres_ledger.transaction() as session:  # so behind on disk, as it is by fingerprint
        note_checked(session, first, now=NOON)
    submit = partial(in_transaction, postgres_ledger, a_job, ("nord", "ink"), image=image)

    with ThreadPoolExecutor(1) as pool:
        with postgres_ledger.transaction() as session:
            session.execute(LOCK_PICTURES, {"pictures": [first]})
            submitting = pool.submit(submit)
            wait_until_one_waits(watcher)
            session.execute(LOCK_PICTURES, {"pictures": [last]})  # or this is a deadlock
        job, _ = submitting.result(timeout=10)

    with postgres_ledger.reading() as session:
        assert statuses_of(session, job) == [Status.COMPLETED] * 2


def test_a_submission_that_waits_for_a_picture_to_be_removed_renders_it(
    postgres_ledger, watcher, image, unused
):
    with ThreadPoolExecutor(1) as pool:
        with postgres_ledger.transaction() as session:
            removed = remove_unused_pictures(session, unused)
            submitting = pool.submit(a_submission, postgres_ledger, image)
            wait_until_one_waits(watcher)
        job = submitting.result(timeout=10)

    assert len(removed) == 2
    with postgres_ledger.reading() as session:
        assert statuses_of(session, job) == [Status.PENDING]


def test_a_job_is_removed_beside_a_submission_that_holds_its_source_and_waits_for_its_picture(
    postgres_ledger, watcher, image
):
    with postgres_ledger.transaction() as session:
        job, [task] = a_job(session, image=image)
        finish_it(session, a_claim(session, task))

    with ThreadPoolExecutor(1) as pool:
        with postgres_ledger.transaction() as session:
            session.execute(renditions.select().with_for_update().order_by(renditions.c.id)).all()
            submitting = pool.submit(a_submission, postgres_ledger, image)
            wait_until_one_waits(watcher)
            remove_job(session, image.account_id, job)  # a deadlock, did it wait for the source
        new = submitting.result(timeout=10)

    assert ids_in(postgres_ledger, jobs) == {new}


def remove_source(ledger, image):
    return in_transaction(
        ledger, retention.remove_unused_source, image.id, before=LATER - DAY, now=LATER
    )


def test_a_source_that_an_open_submission_uses_stays(postgres_ledger, watcher, image):
    with ThreadPoolExecutor(1) as pool:
        with postgres_ledger.transaction() as session:
            find_image_to_use(session, image.account_id, image.id)
            removing = pool.submit(remove_source, postgres_ledger, image)
            wait_until_one_waits(watcher)
            a_job(session, image=image)
        removed = removing.result(timeout=10)

    assert removed is None
    assert ids_in(postgres_ledger, images) == {image.id}


def test_a_source_that_is_just_sent_again_stays(postgres_ledger, watcher, image):
    with ThreadPoolExecutor(1) as pool:
        with postgres_ledger.transaction() as session:
            want_image(session, image.id, now=LATER)
            removing = pool.submit(remove_source, postgres_ledger, image)
            wait_until_one_waits(watcher)
        removed = removing.result(timeout=10)

    assert removed is None
    assert ids_in(postgres_ledger, images) == {image.id}


def test_a_submission_that_waits_for_its_source_to_be_removed_finds_none(
    postgres_ledger, watcher, image
):
    with ThreadPoolExecutor(1) as pool:
        with postgres_ledger.transaction() as session:
            retention.remove_unused_source(session, image.id, before=LATER - DAY, now=LATER)
            submitting = pool.submit(a_submission, postgres_ledger, image)
            wait_until_one_waits(watcher)
        refused = submitting.exception(timeout=10)

    assert isinstance(refused, NotFound)


def test_a_source_whose_last_job_is_being_removed_stays_until_that_is_done(
    postgres_ledger, watcher, image
):
    with postgres_ledger.transaction() as session:
        job, [task] = a_job(session, image=image)
        fail(session, a_claim(session, task), BROKEN, now=NOON)

    with ThreadPoolExecutor(1) as pool:
        with postgres_ledger.transaction() as session:
            remove_job(session, image.account_id, job)
            removing = pool.submit(remove_source, postgres_ledger, image)
            assert removing.result(timeout=10) is None
        removed = remove_source(postgres_ledger, image)

    assert removed == image.key


def test_an_expired_job_that_is_just_reopened_stays(postgres_ledger, watcher, image):
    with postgres_ledger.transaction() as session:
        job, [task] = a_job(session, image=image)
        fail(session, a_claim(session, task), BROKEN, now=NOON)
    with postgres_ledger.reading() as session:
        [found] = retention.expired_jobs(session, now=LATER, last=FIRST, most=9)

    with ThreadPoolExecutor(1) as pool:
        with postgres_ledger.transaction() as session:
            retry_job(session, image.account_id, job, None, now=NOON + 29 * DAY)
            removing = pool.submit(
                in_transaction, postgres_ledger, remove_job, found.account_id, found.id
            )
            wait_until_one_waits(watcher)
        refused = removing.exception(timeout=10)

    assert isinstance(refused, Conflict)
    assert ids_in(postgres_ledger, jobs) == {job}


def test_an_old_key_that_is_just_reserved_anew_stays(postgres_ledger, watcher, image):
    once = Reservation(image.account_id, "POST /v1/jobs", "once", "a" * 64)
    in_transaction(postgres_ledger, reserve, once, now=NOON)
    with postgres_ledger.reading() as session:
        old = retention.old_keys(session, now=LATER, last=FIRST_KEY, most=9)

    with ThreadPoolExecutor(1) as pool:
        with postgres_ledger.transaction() as session:
            reserve(session, once, now=LATER)
            forgetting = pool.submit(
                in_transaction, postgres_ledger, retention.forget_keys, old, now=LATER
            )
            wait_until_one_waits(watcher)
        forgotten = forgetting.result(timeout=10)

    assert (len(old), forgotten) == (1, 0)
    with postgres_ledger.reading() as session:
        assert session.execute(idempotency_keys.select()).one().created_at == LATER
