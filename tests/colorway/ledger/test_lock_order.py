"""Who writes while another transaction is open waits at the job's row, holding nothing yet.

On Postgres alone: there transactions that write are open side by side, SQLite lets in one at once.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest
from sqlalchemy import text, update

from colorway.errors import LeaseLost, TooMany, TryLater
from colorway.job import Priority
from colorway.ledger.commands import cancel_job, retry_job
from colorway.ledger.idempotency import Reservation, reserve
from colorway.ledger.lapse import condemn, give_up, take_back
from colorway.ledger.lease import claim, fail, give_back
from colorway.ledger.outbox import replace_lost, seen, told, undelivered
from colorway.ledger.progress import lock_job_of
from colorway.ledger.quotas import Quotas, room_to_fill
from colorway.ledger.repairs import forget_rendition, repair_counters
from colorway.ledger.reuse import reuse
from colorway.ledger.tables import colorways, jobs
from colorway.lifecycle import Status
from colorway.render_task import Nudge
from tests.builders import (
    BROKEN,
    MINUTE,
    NOON,
    a_claim,
    a_job,
    a_rendition,
    an_image,
    counts_of,
    finish_it,
    row_of,
    statuses_of,
)

LATER = NOON + 2 * MINUTE


def reuse_another(session, task, held):
    """Let a picture be there, as by an equal colorway, and complete this one with it."""
    a_rendition(session, held)
    account = row_of(session, jobs, held.job).account_id
    print_ = row_of(session, colorways, task.colorway).fingerprint
    return reuse(session, account, task, print_, now=LATER)


WRITERS = {
    "claim": lambda session, task, held: claim(session, task, now=LATER, lease_for=MINUTE),
    "reuse": reuse_another,
    "finish": lambda session, task, held: finish_it(session, held),
    "fail": lambda session, task, held: fail(session, held, BROKEN, now=LATER),
    "give back": lambda session, task, held: give_back(
        session, held, BROKEN, counts=False, now=LATER
    ),
    "take back": lambda session, task, held: take_back(session, task.colorway, now=LATER),
    "cancel": lambda session, task, held: cancel_job(
        session, row_of(session, jobs, held.job).account_id, held.job, now=LATER
    ),
    "retry": lambda session, task, held: retry_job(
        session, row_of(session, jobs, held.job).account_id, held.job, None, now=LATER
    ),
    "give up": lambda session, task, held: give_up(session, task.colorway, before=LATER, now=LATER),
    "condemn": lambda session, task, held: condemn(session, task, now=LATER),
    "repair counters": lambda session, task, held: repair_counters(session, held.job, now=LATER),
    "replace lost": lambda session, task, held: replace_lost(
        session, Nudge(task, 0, Priority.NORMAL), now=LATER
    ),
    "seen": lambda session, task, held: seen(session, Nudge(task, 0, Priority.NORMAL), now=LATER),
}


def in_transaction(ledger, function, *given, **named):
    with ledger.transaction() as session:
        return function(session, *given, **named)


def wait_until_one_waits(watcher):
    waiting = text(
        "SELECT count(*), pg_sleep(0.005) FROM pg_stat_activity"
        " WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    for _ in range(2000):
        if watcher.execute(waiting).scalar_one():
            return
    pytest.fail("nobody waits for a lock")


@pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS)
def test_every_writer_waits_for_the_job_before_it_takes_a_colorway(postgres_ledger, watcher, write):
    with postgres_ledger.transaction() as session:
        _, [task] = a_job(session)
        held = a_claim(session, task, now=NOON)

    with ThreadPoolExecutor(1) as pool:
        with postgres_ledger.transaction() as session:
            lock_job_of(session, task.colorway)
            writing = pool.submit(in_transaction, postgres_ledger, write, task, held)
            wait_until_one_waits(watcher)
            session.execute(update(colorways).values(name="Nord"))  # or this is a deadlock

        assert writing.exception(timeout=10) is None


def test_a_finish_waits_for_the_one_before_it_and_then_ends_the_job(postgres_ledger, watcher):
    with postgres_ledger.transaction() as session:
        job, tasks = a_job(session, palettes=("nord", "ink"))
        first, last = [a_claim(session, task) for task in tasks]

    with ThreadPoolExecutor(1) as pool:
        with postgres_ledger.transaction() as session:
            first_end = finish_it(session, first)
            finishing = pool.submit(in_transaction, postgres_ledger, finish_it, last)
            wait_until_one_waits(watcher)
        last_end = finishing.result(timeout=10)

    assert first_end is None
    assert last_end.progress.completed == 2
    with postgres_ledger.reading() as session:
        row = row_of(session, jobs, job)
        assert (row.completed, row.processing, row.version) == (2, 0, 5)


def test_a_finish_that_waits_for_a_stop_ends_the_job_with_it(postgres_ledger, watcher):
    with postgres_ledger.transaction() as session:
        _, tasks = a_job(session, palettes=("nord", "ink", "grape"), on_error="stop")
        broken, fine = [a_claim(session, task) for task in tasks[:2]]

    with ThreadPoolExecutor(1) as pool:
        with postgres_ledger.transaction() as session:
            fail(session, broken, BROKEN, now=NOON)
            finishing = pool.submit(in_transaction, postgres_ledger, finish_it, fine)
            wait_until_one_waits(watcher)
        end = finishing.result(timeout=10)

    assert (end.progress.completed, end.progress.failed, end.progress.cancelled) == (1, 1, 1)


def test_a_claim_that_waits_for_a_stop_finds_nothing_to_take(postgres_ledger, watcher):
    with postgres_ledger.transaction() as session:
        job, [broken, late] = a_job(session, palettes=("nord", "ink"), on_error="stop")
        held = a_claim(session, broken)

    with ThreadPoolExecutor(1) as pool, postgres_ledger.transaction() as session:
        fail(session, held, BROKEN, now=NOON)
        claiming = pool.submit(
            in_transaction, postgres_ledger, claim, late, now=NOON, lease_for=MINUTE
        )
        wait_until_one_waits(watcher)

    assert claiming.result(timeout=10) is None
    with postgres_ledger.reading() as session:
        counts, rows = counts_of(session, job)
        assert counts == rows


def test_a_finish_that_waits_for_its_lease_to_be_taken_over_writes_nothing(
    postgres_ledger, watcher
):
    with postgres_ledger.transaction() as session:
        job, [task] = a_job(session)
        slow = a_claim(session, task, now=NOON)

    with ThreadPoolExecutor(1) as pool:
        with postgres_ledger.transaction() as session:
            a_claim(session, task, now=LATER)
            finishing = pool.submit(in_transaction, postgres_ledger, finish_it, slow)
            wait_until_one_waits(watcher)
        lost = finishing.exception(timeout=10)

    assert isinstance(lost, LeaseLost)
    with postgres_ledger.reading() as session:
        row = row_of(session, jobs, job)
        assert (row.completed, row.processing) == (0, 1)


def test_two_deliveries_forget_the_same_entries_in_one_order(postgres_ledger, watcher):
    with postgres_ledger.transaction() as session:
        job, _ = a_job(session, palettes=("nord", "ink"))
        first, last = undelivered(session, job, most=2)

    with ThreadPoolExecutor(1) as pool:
        with postgres_ledger.transaction() as session:
            told(session, [first])
            telling = pool.submit(in_transaction, postgres_ledger, told, [last, first])
            wait_until_one_waits(watcher)
            told(session, [last])  # a deadlock, if the other one had begun with it
        telling.result(timeout=10)

    with postgres_ledger.reading() as session:
        assert undelivered(session, job, most=2) == []


def test_a_cancel_and_a_delivery_forget_entries_in_one_order(postgres_ledger, watcher):
    with postgres_ledger.transaction() as session:
        job, tasks = a_job(session, palettes=("nord", "ink"))
        account = row_of(session, jobs, job).account_id
        told(session, undelivered(session, job, most=9))
        for task in tasks:
            a_claim(session, task)
    for task in reversed(tasks):  # so that the later colorway's entry lies first
        in_transaction(postgres_ledger, take_back, task.colorway, now=LATER)
    with postgres_ledger.reading() as session:
        first, last = undelivered(session, job, most=9)

    with ThreadPoolExecutor(1) as pool:
        with postgres_ledger.transaction() as session:
            told(session, [first])
            cancelling = pool.submit(
                in_transaction, postgres_ledger, cancel_job, account, job, now=LATER
            )
            wait_until_one_waits(watcher)
            told(session, [last])  # a deadlock, if the cancel had begun with it
        end = cancelling.result(timeout=10)

    assert end.progress.cancelled == 2


def test_a_counter_repair_waits_for_an_open_finish_and_then_counts_it(postgres_ledger, watcher):
    """One UPDATE with a counting subselect would write what was true before the wait."""
    with postgres_ledger.transaction() as session:
        job, [task, wrong] = a_job(session, palettes=("nord", "ink"))
        held = a_claim(session, task)
        a_claim(session, wrong)
        session.execute(update(jobs).values(processing=7))

    with ThreadPoolExecutor(1) as pool:
        with postgres_ledger.transaction() as session:
            finish_it(session, held)
            repairing = pool.submit(
                in_transaction, postgres_ledger, repair_counters, job, now=LATER
            )
            wait_until_one_waits(watcher)
        drift = repairing.result(timeout=10)

    assert (drift.said["processing"], drift.is_so["processing"]) == (6, 1)
    with postgres_ledger.reading() as session:
        counters, rows = counts_of(session, job)
        assert counters == rows


def test_a_picture_is_forgotten_behind_the_locks_of_its_jobs(postgres_ledger, watcher):
    with postgres_ledger.transaction() as session:
        _, [task] = a_job(session)
        finish_it(session, a_claim(session, task))
        picture = row_of(session, colorways, task.colorway).rendition_id

    with ThreadPoolExecutor(1) as pool:
        with postgres_ledger.transaction() as session:
            lock_job_of(session, task.colorway)
            forgetting = pool.submit(
                in_transaction, postgres_ledger, forget_rendition, picture, now=LATER
            )
            wait_until_one_waits(watcher)
            session.execute(update(colorways).values(name="Nord"))  # or this is a deadlock

        assert len(forgetting.result(timeout=10)) == 1


def test_a_finish_cannot_point_to_a_picture_that_is_being_forgotten(postgres_ledger, watcher):
    with postgres_ledger.transaction() as session:
        image = an_image(session)
        [lost, same] = [a_job(session, image=image)[1][0] for _ in range(2)]
        finish_it(session, a_claim(session, lost))
        picture = row_of(session, colorways, lost.colorway).rendition_id
        held = a_claim(session, same)

    with ThreadPoolExecutor(1) as pool:
        with postgres_ledger.transaction() as session:
            forget_rendition(session, picture, now=LATER)
            finishing = pool.submit(in_transaction, postgres_ledger, finish_it, held)
            wait_until_one_waits(watcher)
        error = finishing.exception(timeout=10)

    assert error is None or isinstance(error, TryLater)
    with postgres_ledger.reading() as session:
        assert row_of(session, colorways, lost.colorway).rendition_id is None


def test_a_picture_is_not_forgotten_before_an_open_finish_that_points_to_it(
    postgres_ledger, watcher
):
    with postgres_ledger.transaction() as session:
        image = an_image(session)
        [(_, [lost]), (job, [same])] = [a_job(session, image=image) for _ in range(2)]
        finish_it(session, a_claim(session, lost))
        picture = row_of(session, colorways, lost.colorway).rendition_id
        held = a_claim(session, same)

    with ThreadPoolExecutor(1) as pool:
        with postgres_ledger.transaction() as session:
            finish_it(session, held)
            forgetting = pool.submit(
                in_transaction, postgres_ledger, forget_rendition, picture, now=LATER
            )
            wait_until_one_waits(watcher)
        reopened = forgetting.result(timeout=10)

    assert job in reopened
    with postgres_ledger.reading() as session:
        assert statuses_of(session, job) == [Status.PENDING]
        assert counts_of(session, job)[0] == counts_of(session, job)[1]


def fill(session, image, palettes, most):
    """Record a job as a submission does, if there is room for it."""
    room_to_fill(session, image.account_id, Quotas(most)).require(len(palettes))
    return a_job(session, palettes, image=image)


def test_a_submission_waits_for_the_one_before_it_and_then_counts_it(postgres_ledger, watcher):
    """One statement that locks and counts would count what was there before the wait."""
    with postgres_ledger.transaction() as session:
        image = an_image(session)

    with ThreadPoolExecutor(1) as pool:
        with postgres_ledger.transaction() as session:
            fill(session, image, ("nord", "ink"), most=3)
            filling = pool.submit(
                in_transaction, postgres_ledger, fill, image, ("rose", "grape"), most=3
            )
            wait_until_one_waits(watcher)
        refused = filling.exception(timeout=10)

    assert isinstance(refused, TooMany)
    assert "2 colorways of this account" in refused.detail


def test_whoever_fills_an_account_keeps_nobody_else_of_it_waiting(postgres_ledger):
    with postgres_ledger.transaction() as session:
        image = an_image(session)
        _, [task, other] = a_job(session, ("nord", "ink"), image=image)
        held = a_claim(session, task)
    once = Reservation(image.account_id, "POST /v1/jobs", "once", "0")
    writes = [
        partial(an_image, account=image.account_id, seed="other"),
        partial(reserve, wanted=once, now=NOON),
        partial(claim, task=other, now=NOON, lease_for=MINUTE),
        partial(finish_it, held=held),
    ]

    with ThreadPoolExecutor(1) as pool, postgres_ledger.transaction() as session:
        room_to_fill(session, image.account_id, Quotas(9))
        for write in writes:  # each points to the account, by a foreign key or its job's
            pool.submit(in_transaction, postgres_ledger, write).result(timeout=10)
