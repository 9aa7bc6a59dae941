"""Real threads on real databases: of those who want the same thing, exactly one gets it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Barrier

from uuid_utils.compat import uuid7

from colorway.errors import LeaseLost
from colorway.job import JobEnd
from colorway.ledger.commands import cancel_job
from colorway.ledger.images import SourceFacts, record_image
from colorway.ledger.lapse import Lapse, take_back
from colorway.ledger.lease import Claim, claim, fail
from colorway.ledger.outbox import replace_lost, told, undelivered
from colorway.ledger.progress import progress_of
from colorway.ledger.renditions import record_rendition
from colorway.ledger.tables import colorways, jobs
from colorway.lifecycle import Status
from tests.builders import (
    BROKEN,
    MINUTE,
    NOON,
    a_claim,
    a_job,
    a_stored_rendition,
    an_account,
    counts_of,
    finish_it,
    row_of,
)

THREADS = 8  # as many as a ledger has connections
LATER = NOON + 2 * MINUTE


def at_once(*works):
    """Run each in a thread of its own, all started together; return their results in order."""
    start = Barrier(len(works))

    def run(work):
        start.wait(timeout=10)
        try:
            return work()
        except LeaseLost as lost:
            return lost

    with ThreadPoolExecutor(len(works)) as pool:
        return list(pool.map(run, works))


def in_transaction(ledger, function, *given, **named):
    with ledger.transaction() as session:
        return function(session, *given, **named)


def test_of_many_who_claim_one_colorway_one_gets_it(ledger):
    with ledger.transaction() as session:
        job, [task] = a_job(session)

    claiming = partial(in_transaction, ledger, claim, task, now=NOON, lease_for=MINUTE)
    claims = at_once(*[claiming] * THREADS)

    assert sum(isinstance(held, Claim) for held in claims) == 1
    with ledger.reading() as session:
        assert row_of(session, jobs, job).processing == 1


def test_of_many_who_take_over_an_expired_lease_one_gets_it(ledger):
    with ledger.transaction() as session:
        job, [task] = a_job(session)
        a_claim(session, task, now=NOON)

    claiming = partial(in_transaction, ledger, claim, task, now=LATER, lease_for=MINUTE)
    reaping = partial(in_transaction, ledger, take_back, task.colorway, now=LATER)
    at_once(*[claiming, reaping] * (THREADS // 2))

    with ledger.reading() as session:
        row = row_of(session, colorways, task.colorway)
        assert (row.status, row.fence, row.tries) == (Status.PROCESSING, 2, 1)
        assert row_of(session, jobs, job).processing == 1


def test_of_many_who_finish_with_one_claim_one_does(ledger):
    with ledger.transaction() as session:
        job, [task] = a_job(session)
        held = a_claim(session, task)

    results = at_once(*[partial(in_transaction, ledger, finish_it, held)] * THREADS)

    assert sum(isinstance(result, JobEnd) for result in results) == 1
    assert sum(isinstance(result, LeaseLost) for result in results) == THREADS - 1
    with ledger.reading() as session:
        assert row_of(session, jobs, job).completed == 1


def test_of_many_last_colorways_that_finish_at_once_one_ends_the_job(ledger):
    with ledger.transaction() as session:
        job, tasks = a_job(session, palettes=tuple(f"p{number}" for number in range(THREADS)))
        claims = [a_claim(session, task) for task in tasks]

    results = at_once(*[partial(in_transaction, ledger, finish_it, held) for held in claims])

    [end] = [result for result in results if result is not None]
    assert (end.job, end.progress.completed) == (job, THREADS)
    with ledger.reading() as session:
        assert row_of(session, jobs, job).version == 1 + 2 * THREADS


def test_a_slow_finish_and_whoever_takes_its_lease_never_both_win(ledger):
    with ledger.transaction() as session:
        job, [task] = a_job(session)
        slow = a_claim(session, task, now=NOON)

    done, lapse = at_once(
        partial(in_transaction, ledger, finish_it, slow),
        partial(in_transaction, ledger, take_back, task.colorway, now=LATER),
    )

    assert isinstance(done, JobEnd) != isinstance(lapse, Lapse)
    with ledger.reading() as session:
        counts, rows = counts_of(session, job)
        assert counts == rows


def test_with_stop_claims_and_failures_at_once_leave_exact_counters(ledger):
    palettes = tuple(f"p{number}" for number in range(THREADS))
    with ledger.transaction() as session:
        job, tasks = a_job(session, palettes=palettes, on_error="stop")
        half = THREADS // 2
        claims = [a_claim(session, task) for task in tasks[:half]]

    failing = [partial(in_transaction, ledger, fail, held, BROKEN, now=NOON) for held in claims]
    claiming = [
        partial(in_transaction, ledger, claim, task, now=NOON, lease_for=MINUTE)
        for task in tasks[half:]
    ]
    at_once(*failing, *claiming)

    with ledger.reading() as session:
        counts, rows = counts_of(session, job)
        assert counts == rows
        assert counts[Status.FAILED] == half
        assert counts[Status.PROCESSING] + counts[Status.CANCELLED] == half


def test_a_lost_task_is_replaced_once(ledger):
    with ledger.transaction() as session:
        job, _ = a_job(session)
        [nudge] = undelivered(session, job, most=9)
        told(session, [nudge])

    replacing = partial(in_transaction, ledger, replace_lost, nudge, now=LATER)
    replaced = at_once(*[replacing] * THREADS)

    assert sum(replaced) == 1
    with ledger.reading() as session:
        assert [nudge.number for nudge in undelivered(session, job, most=9)] == [1]


def test_of_many_renditions_of_one_fingerprint_one_counts(ledger):
    with ledger.transaction() as session:
        account = an_account(session)

    recording = [
        partial(
            in_transaction,
            ledger,
            record_rendition,
            account,
            "fingerprint",
            a_stored_rendition(f"{number}.png"),
            now=NOON,
        )
        for number in range(THREADS)
    ]
    winners = at_once(*recording)

    assert len(set(winners)) == 1


def test_the_same_picture_sent_many_times_at_once_is_one_image(ledger):
    with ledger.transaction() as session:
        account = an_account(session)
    facts = SourceFacts("a" * 64, bytes=1, format="png", width=1, height=1)

    sending = [
        partial(in_transaction, ledger, record_image, account, uuid7(), "key", facts, now=NOON)
        for _ in range(THREADS)
    ]
    rows = at_once(*sending)

    assert len({row.id for row in rows}) == 1


def test_claims_finishes_and_a_cancel_at_once_leave_exact_counters(ledger):
    palettes = tuple(f"p{number}" for number in range(THREADS))
    with ledger.transaction() as session:
        job, tasks = a_job(session, palettes=palettes)
        account = row_of(session, jobs, job).account_id
        third = THREADS // 3
        claims = [a_claim(session, task) for task in tasks[:third]]

    at_once(
        *[partial(in_transaction, ledger, finish_it, held) for held in claims],
        *[
            partial(in_transaction, ledger, claim, task, now=NOON, lease_for=MINUTE)
            for task in tasks[third:-1]
        ],
        partial(in_transaction, ledger, cancel_job, account, job, now=NOON),
    )

    with ledger.reading() as session:
        counts, rows = counts_of(session, job)
        assert counts == rows
        assert rows[Status.COMPLETED] + rows[Status.CANCELLED] == THREADS
        assert progress_of(row_of(session, jobs, job)).is_done
