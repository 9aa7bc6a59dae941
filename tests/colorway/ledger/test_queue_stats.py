"""How the queue does: each figure is that of the rows, and none costs more for what is done."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import Select, func, insert, select, text
from sqlalchemy.orm import Session
from uuid_utils.compat import uuid7

from colorway.job import Priority
from colorway.ledger.commands import cancel_job, retry_job
from colorway.ledger.lease import fail, give_back
from colorway.ledger.outbox import forget_job
from colorway.ledger.queue_stats import (
    FAILED_WINDOW,
    FIGURES,
    OPEN_JOBS,
    RATE_WINDOW,
    QueueStats,
    queue_stats,
)
from colorway.ledger.repairs import note_drift
from colorway.ledger.tables import colorways, jobs
from colorway.lifecycle import Status
from tests.builders import BROKEN, MINUTE, NOON, a_claim, a_job, an_image, finish_it, row_of

SECOND = timedelta(seconds=1)
A_TALLER_TREE = 10  # pages or steps; to read 3,000 rows more takes a hundred and more
TIMES = {"now": NOON, "rate_since": NOON - RATE_WINDOW, "failed_since": NOON - FAILED_WINDOW}


def failed_at(session, when):
    _, [task] = a_job(session)
    fail(session, a_claim(session, task), BROKEN, now=when)


def completed_at(session, when):
    _, [task] = a_job(session)
    finish_it(session, a_claim(session, task), now=when)


def counted(session: Session, status: Status) -> dict[Priority, int]:
    """Return how many colorways of each priority are in this state, from their own rows."""
    rows = session.execute(
        select(jobs.c.priority, func.count())
        .join(colorways, colorways.c.job_id == jobs.c.id)
        .where(colorways.c.status == status)
        .group_by(jobs.c.priority)
    )
    return dict.fromkeys(Priority, 0) | {Priority(priority): count for priority, count in rows}


def test_a_queue_that_was_never_used_is_empty(session):
    assert queue_stats(session, now=NOON) == QueueStats(
        depth={Priority.HIGH: 0, Priority.NORMAL: 0, Priority.LOW: 0},
        processing=0,
        stalled=0,
        oldest_pending=None,
        completed_per_minute=0,
        failed_last_hour=0,
        undelivered=0,
        drift=None,
        reconciled_at=None,
    )


def test_what_waits_and_what_goes_on_is_counted_whatever_became_of_the_others(session):
    five = ("nord", "ink", "rose", "spring", "coal")
    _, tasks = a_job(session, five, priority=Priority.HIGH)
    finish_it(session, a_claim(session, tasks[0]))
    fail(session, a_claim(session, tasks[1]), BROKEN, now=NOON)
    give_back(session, a_claim(session, tasks[2]), BROKEN, counts=True, now=NOON)
    a_claim(session, tasks[3])
    a_job(session, five, priority=Priority.LOW)
    _, [task] = a_job(session, priority=Priority.LOW)
    finish_it(session, a_claim(session, task))
    image = an_image(session)
    stopped, _ = a_job(session, ("nord", "ink"), image=image)
    cancel_job(session, image.account_id, stopped, now=NOON)

    stats = queue_stats(session, now=NOON)

    assert stats.depth == {Priority.HIGH: 2, Priority.NORMAL: 0, Priority.LOW: 5}
    assert stats.depth == counted(session, Status.PENDING)
    assert stats.processing == 1 == sum(counted(session, Status.PROCESSING).values())


def test_what_is_retried_waits_again(session):
    image = an_image(session)
    job, [task] = a_job(session, image=image, now=NOON - 9 * MINUTE)
    fail(session, a_claim(session, task), BROKEN, now=NOON)
    retry_job(session, image.account_id, job, None, now=NOON)

    stats = queue_stats(session, now=NOON + MINUTE)

    assert stats.depth[Priority.NORMAL] == 1
    assert MINUTE - SECOND < stats.oldest_pending <= MINUTE


def test_of_those_that_wait_the_one_that_has_waited_longest_tells_for_how_long(session):
    _, [first] = a_job(session, now=NOON - 3 * MINUTE)
    a_job(session, now=NOON - 2 * MINUTE)
    before = queue_stats(session, now=NOON).oldest_pending

    held = a_claim(session, first)
    meanwhile = queue_stats(session, now=NOON).oldest_pending
    give_back(session, held, BROKEN, counts=True, now=NOON)

    assert (before, meanwhile) == (3 * MINUTE, 2 * MINUTE)
    assert queue_stats(session, now=NOON).oldest_pending == 3 * MINUTE


def test_nobody_has_waited_for_less_than_no_time_whatever_the_clocks_say(session):
    a_job(session, now=NOON + SECOND)

    assert queue_stats(session, now=NOON).oldest_pending == timedelta(0)


def test_a_lease_that_has_run_out_is_stalled(session):
    _, tasks = a_job(session, ("nord", "ink", "rose"))
    for task, since in zip(tasks, (0 * MINUTE, MINUTE, MINUTE), strict=True):
        a_claim(session, task, now=NOON + since)

    stats = queue_stats(session, now=NOON + MINUTE + SECOND)

    assert (stats.processing, stats.stalled) == (3, 1)


def test_the_rate_is_that_of_the_last_five_minutes(session):
    for since in (0 * SECOND, MINUTE, RATE_WINDOW - SECOND, RATE_WINDOW, 9 * MINUTE):
        completed_at(session, NOON - since)
    completed_at(session, NOON + SECOND)
    failed_at(session, NOON)

    assert queue_stats(session, now=NOON).completed_per_minute == 3 / 5


def test_what_was_there_before_tells_no_pace(session):
    image = an_image(session)
    _, [task] = a_job(session, image=image)
    finish_it(session, a_claim(session, task))
    a_job(session, image=image)

    assert queue_stats(session, now=NOON).completed_per_minute == 1 / 5


def test_what_has_failed_is_seen_for_an_hour(session):
    for since in (0 * SECOND, FAILED_WINDOW - SECOND, FAILED_WINDOW, 2 * FAILED_WINDOW):
        failed_at(session, NOON - since)
    failed_at(session, NOON + SECOND)
    completed_at(session, NOON)

    assert queue_stats(session, now=NOON).failed_last_hour == 2


def test_what_the_queue_has_not_been_told_is_undelivered(session):
    a_job(session, ("nord", "ink"))
    told, _ = a_job(session)
    forget_job(session, told)

    assert queue_stats(session, now=NOON).undelivered == 2


def test_the_drift_is_that_of_the_last_round(session):
    note_drift(session, 3, now=NOON)
    note_drift(session, 1, now=NOON + MINUTE)

    stats = queue_stats(session, now=NOON + MINUTE)

    assert (stats.drift, stats.reconciled_at) == (1, NOON + MINUTE)


@pytest.mark.parametrize("statement", [OPEN_JOBS, FIGURES], ids=["open jobs", "figures"])
def test_what_was_finished_long_ago_costs_nothing(ledger, statement):
    with ledger.transaction() as session:
        a_job(session, ("nord", "ink"))
        completed_at(session, NOON)
        failed_at(session, NOON)
        finished = finished_long_ago(session, 1000)
    few = work_of(ledger, statement, TIMES)
    with ledger.transaction() as session:
        finished += finished_long_ago(session, 3000)

    many = work_of(ledger, statement, TIMES)

    assert finished == 4000
    assert many <= few + A_TALLER_TREE


def finished_long_ago(session: Session, count: int) -> int:
    """Record so many jobs that completed, one colorway each, and return their number."""
    job, [task] = a_job(session, now=NOON - 9 * FAILED_WINDOW)
    finish_it(session, a_claim(session, task), now=NOON - 8 * FAILED_WINDOW)
    whole, part = (
        row_of(session, table, id)._asdict()
        for table, id in ((jobs, job), (colorways, task.colorway))
    )
    ids = [uuid7() for _ in range(count - 1)]
    session.execute(insert(jobs), [whole | {"id": id} for id in ids])
    session.execute(insert(colorways), [part | {"id": uuid7(), "job_id": id} for id in ids])
    return count


def work_of(ledger, statement: Select, parameters) -> int:
    """Return what a statement costs: steps of SQLite's machine, or pages that Postgres reads."""
    with ledger.transaction() as session:
        session.execute(text("ANALYZE"))
    with ledger.reading() as session:
        connection = session.connection()
        asked = statement.params(parameters).compile(
            connection, compile_kwargs={"literal_binds": True}
        )
        if connection.dialect.name == "sqlite":
            steps = []
            driver = connection.connection.driver_connection
            driver.set_progress_handler(lambda: steps.append(1), 1)
            connection.exec_driver_sql(str(asked)).all()
            driver.set_progress_handler(None, 1)
            return len(steps)
        explained = f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {asked}"
        [plan] = connection.exec_driver_sql(explained).scalar_one()
        return plan["Plan"]["Shared Hit Blocks"] + plan["Plan"]["Shared Read Blocks"]
