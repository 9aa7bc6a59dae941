"""Deletions while another transaction is open: on Postgres alone, SQLite lets in one at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest
from sqlalchemy import select

from colorway.errors import Conflict, NotFound, TryLater
from colorway.ledger.commands import retry_job
from colorway.ledger.images import find_image_to_use
from colorway.ledger.lapse import take_back
from colorway.ledger.lease import fail
from colorway.ledger.outbox import told, undelivered
from colorway.ledger.progress import lock_job_of
from colorway.ledger.removal import remove_image, remove_job
from colorway.ledger.repairs import LOCK_RENDITION, forget_rendition
from colorway.ledger.tables import colorways, images, jobs, renditions
from colorway.lifecycle import Status
from colorway.render_task import RenderTask
from tests.builders import (
    BROKEN,
    MINUTE,
    NOON,
    a_claim,
    a_job,
    an_image,
    finish_it,
    row_of,
    statuses_of,
)
from tests.colorway.ledger.test_lock_order import in_transaction, wait_until_one_waits
from tests.colorway.ledger.test_races import at_once

LATER = NOON + 2 * MINUTE


@pytest.fixture
def image(postgres_ledger):
    with postgres_ledger.transaction() as session:
        return an_image(session)


def done(ledger, image, *palettes):
    """Record a job, finish it, and return it with the tasks of its colorways."""
    with ledger.transaction() as session:
        job, tasks = a_job(session, palettes or ("nord",), image=image, reuse="force")
        for task in tasks:
            finish_it(session, a_claim(session, task))
        return job, tasks


def ids_in(ledger, table):
    with ledger.reading() as session:
        return set(session.scalars(select(table.c.id)))


def picture_of(session, task):
    return row_of(session, colorways, task.colorway).rendition_id


def test_a_deletion_locks_pictures_before_its_job_as_who_forgets_them_does(
    postgres_ledger, watcher, image
):
    job, [task] = done(postgres_ledger, image)

    with ThreadPoolExecutor(1) as pool:
        with postgres_ledger.transaction() as session:
            session.execute(LOCK_RENDITION, {"rendition": picture_of(session, task)})
            removing = pool.submit(
                in_transaction, postgres_ledger, remove_job, image.account_id, job
            )
            wait_until_one_waits(watcher)
            lock_job_of(session, task.colorway)  # a deadlock, if the deletion had begun with it
        removing.result(timeout=10)

    assert ids_in(postgres_ledger, jobs) == set()


def test_a_job_whose_picture_is_being_forgotten_is_not_done_any_more(
    postgres_ledger, watcher, image
):
    job, [task] = done(postgres_ledger, image)

    with ThreadPoolExecutor(1) as pool:
        with postgres_ledger.transaction() as session:
            forget_rendition(session, picture_of(session, task), now=LATER)
            removing = pool.submit(
                in_transaction, postgres_ledger, remove_job, image.account_id, job
            )
            wait_until_one_waits(watcher)
        refused = removing.exception(timeout=10)

    assert isinstance(refused, Conflict)
    with postgres_ledger.reading() as session:
        assert statuses_of(session, job) == [Status.PENDING]


def test_a_job_reopened_and_done_again_meanwhile_is_deleted_the_next_time(
    postgres_ledger, watcher, image
):
    with postgres_ledger.transaction() as session:
        job, [task, broken] = a_job(session, ("nord", "ink"), image=image)
        finish_it(session, a_claim(session, task))
        fail(session, a_claim(session, broken), BROKEN, now=NOON)
    remove = partial(in_transaction, postgres_ledger, remove_job, image.account_id, job)

    with ThreadPoolExecutor(1) as pool:
        with postgres_ledger.transaction() as session:
            session.execute(LOCK_RENDITION, {"rendition": picture_of(session, task)})
            removing = pool.submit(remove)
            wait_until_one_waits(watcher)
            retry_job(session, image.account_id, job, None, now=NOON)
            finish_it(session, a_claim(session, RenderTask(broken.colorway, 1)))
        put_off = removing.exception(timeout=10)
    kept = ids_in(postgres_ledger, renditions)

    assert isinstance(put_off, TryLater)
    assert len(kept) == 2
    assert len(remove()) == 2
    assert ids_in(postgres_ledger, renditions) == set()


def test_a_picture_stays_to_which_an_open_finish_points(postgres_ledger, watcher, image):
    job, [task] = done(postgres_ledger, image)
    with postgres_ledger.transaction() as session:
        other, [same] = a_job(session, image=image, reuse="force")
        held = a_claim(session, same)

    with ThreadPoolExecutor(1) as pool:
        with postgres_ledger.transaction() as session:
            picture = picture_of(session, task)
            finish_it(session, held)
            removing = pool.submit(
                in_transaction, postgres_ledger, remove_job, image.account_id, job
            )
            wait_until_one_waits(watcher)
        dropped = removing.result(timeout=10)

    assert dropped == []
    assert ids_in(postgres_ledger, jobs) == {other}
    assert ids_in(postgres_ledger, renditions) == {picture}


def test_a_finish_never_points_to_a_picture_that_is_being_deleted(postgres_ledger, watcher, image):
    job, _ = done(postgres_ledger, image)
    with postgres_ledger.transaction() as session:
        _, [same] = a_job(session, image=image, reuse="force")
        held = a_claim(session, same)

    with ThreadPoolExecutor(1) as pool:
        with postgres_ledger.transaction() as session:
            [dropped] = remove_job(session, image.account_id, job)
            finishing = pool.submit(in_transaction, postgres_ledger, finish_it, held)
            wait_until_one_waits(watcher)
        error = finishing.exception(timeout=10)
    if error is not None:  # as the worker does: it tries again
        in_transaction(postgres_ledger, finish_it, held)

    assert error is None or isinstance(error, TryLater)
    with postgres_ledger.reading() as session:
        now_shown = row_of(session, renditions, picture_of(session, same))
        assert now_shown.key != dropped


def test_a_retry_that_waits_for_a_deletion_finds_no_job(postgres_ledger, watcher, image):
    with postgres_ledger.transaction() as session:
        job, [task] = a_job(session, image=image)
        fail(session, a_claim(session, task), BROKEN, now=NOON)

    with ThreadPoolExecutor(1) as pool:
        with postgres_ledger.transaction() as session:
            remove_job(session, image.account_id, job)
            retrying = pool.submit(
                in_transaction, postgres_ledger, retry_job, image.account_id, job, None, now=NOON
            )
            wait_until_one_waits(watcher)
        refused = retrying.exception(timeout=10)

    assert isinstance(refused, NotFound)


def test_a_deletion_and_a_delivery_forget_entries_in_one_order(postgres_ledger, watcher, image):
    with postgres_ledger.transaction() as session:
        job, tasks = a_job(session, ("nord", "ink"), image=image)
        told(session, undelivered(session, job, most=9))
        for task in tasks:
            a_claim(session, task)
    for task in reversed(tasks):  # so that the later colorway's entry lies first
        in_transaction(postgres_ledger, take_back, task.colorway, now=LATER)
    with postgres_ledger.transaction() as session:
        first, last = undelivered(session, job, most=9)
        for task in reversed(tasks):  # and its row, too
            fail(session, a_claim(session, task), BROKEN, now=LATER)

    with ThreadPoolExecutor(1) as pool:
        with postgres_ledger.transaction() as session:
            told(session, [first])
            removing = pool.submit(
                in_transaction, postgres_ledger, remove_job, image.account_id, job
            )
            wait_until_one_waits(watcher)
            told(session, [last])  # a deadlock, if the deletion had begun with it
        removing.result(timeout=10)

    assert ids_in(postgres_ledger, jobs) == set()


def test_jobs_that_share_their_pictures_are_deleted_at_once_without_leaving_one(
    postgres_ledger, image
):
    palettes = ("nord", "ink", "rose", "grape")
    made = [done(postgres_ledger, image, *palettes)[0] for _ in range(4)]
    made += [done(postgres_ledger, image, *reversed(palettes))[0] for _ in range(4)]

    dropped = at_once(
        *(
            partial(in_transaction, postgres_ledger, remove_job, image.account_id, job)
            for job in made
        )
    )

    assert sorted(map(len, dropped)) == [0] * 7 + [4]
    assert ids_in(postgres_ledger, renditions) == set()


def a_submission(ledger, image):
    """Record a job for the image as it is done when a client submits one."""
    with ledger.transaction() as session:
        found = find_image_to_use(session, image.account_id, image.id)
        return a_job(session, image=found)[0]


def test_a_submission_that_waits_for_its_source_to_be_deleted_finds_none(
    postgres_ledger, watcher, image
):
    with ThreadPoolExecutor(1) as pool:
        with postgres_ledger.transaction() as session:
            remove_image(session, image.account_id, image.id)
            submitting = pool.submit(a_submission, postgres_ledger, image)
            wait_until_one_waits(watcher)
        refused = submitting.exception(timeout=10)

    assert isinstance(refused, NotFound)
    assert ids_in(postgres_ledger, jobs) == set()


def test_a_source_is_in_use_once_an_open_submission_has_found_it(postgres_ledger, watcher, image):
    with ThreadPoolExecutor(1) as pool:
        with postgres_ledger.transaction() as session:
            find_image_to_use(session, image.account_id, image.id)
            removing = pool.submit(
                in_transaction, postgres_ledger, remove_image, image.account_id, image.id
            )
            wait_until_one_waits(watcher)
            a_job(session, image=image)
        refused = removing.exception(timeout=10)

    assert isinstance(refused, Conflict)
    assert ids_in(postgres_ledger, images) == {image.id}
