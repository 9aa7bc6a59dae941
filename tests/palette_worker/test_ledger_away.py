"""The ledger may go away at any write of an attempt, or lose the answer: nothing is half done.

After each, the counters equal the rows, and the task ends once when it comes again.
"""

from __future__ import annotations

from contextlib import contextmanager

import pytest
import structlog

from colorway.errors import TryLater
from colorway.image_keys import thumbnail_key
from colorway.ledger.connection import Ledger
from colorway.lifecycle import MAX_TRIES, Status
from palette_worker.attempt import Broken, Outcome, attempt
from palette_worker.patience import MOST_TRIES
from tests.builders import MINUTE, counts_of, with_tries
from tests.fakes import away
from tests.palette_worker.workplace import (
    a_bench,
    a_placed_job,
    colorway_of,
    given_back,
    rendition_of,
    results_in,
)

WELL, BEFORE, AFTER = "well", "before the commit", "after the commit"
LONG = MOST_TRIES
NO_PICTURE = b"no picture"


class LedgerThatBreaks(Ledger):
    """A real ledger whose next commits go as `fates` say, and all later ones well."""

    def __init__(self, url):
        super().__init__(url)
        self.fates = []

    @contextmanager
    def transaction(self):
        fate = self.fates.pop(0) if self.fates else WELL
        with super().transaction() as session:
            yield session
            if fate is BEFORE:
                raise TryLater("the connection broke before the commit")
        if fate is AFTER:
            raise TryLater("the connection broke and took the answer to the commit along")

    noting = transaction


@pytest.fixture
def ledger(sqlite_ledger):
    ledger = LedgerThatBreaks(str(sqlite_ledger.engine.url))
    yield ledger
    ledger.dispose()


@pytest.fixture
def bench(ledger, store, clock):
    return a_bench(ledger, store, clock)


def is_exact(bench, task):
    """Whether the counters of the task's job equal its rows."""
    with bench.ledger.reading() as session:
        counters, rows = counts_of(session, colorway_of(bench, task).job_id)
    return counters == rows


def ends_when_it_comes_again(bench, task, clock, status):
    """Whether the queue's next deliveries end it, at the latest when a lease has run out."""
    attempt(task, bench)
    clock.advance(2 * MINUTE)
    attempt(task, bench)
    assert is_exact(bench, task)
    return colorway_of(bench, task).status is status


# The claim


def test_a_claim_that_was_not_committed_claims_nothing(bench, ledger, clock):
    _, [task] = a_placed_job(bench)
    ledger.fates = [BEFORE]

    with pytest.raises(TryLater):
        attempt(task, bench)

    assert given_back(bench, task)
    assert colorway_of(bench, task).attempts == 0
    assert attempt(task, bench) is Outcome.COMPLETED


def test_a_claim_whose_answer_was_lost_is_taken_back_when_its_lease_has_run_out(
    bench, ledger, clock
):
    _, [task] = a_placed_job(bench)
    ledger.fates = [AFTER]

    with pytest.raises(TryLater):
        attempt(task, bench)

    assert is_exact(bench, task)
    assert attempt(task, bench) is Outcome.HELD  # by nobody, but who could know
    assert ends_when_it_comes_again(bench, task, clock, Status.COMPLETED)


# The finish


def test_a_finish_that_was_not_committed_at_once_is_repeated(bench, ledger, store):
    _, [task] = a_placed_job(bench)
    ledger.fates = [WELL, BEFORE, BEFORE]

    assert attempt(task, bench) is Outcome.COMPLETED

    row = colorway_of(bench, task)
    assert (row.attempts, row.tries, row.fence) == (1, 0, 1)
    key = rendition_of(bench, task).key
    assert results_in(store) == {key, thumbnail_key(key)}
    assert is_exact(bench, task)


@pytest.mark.parametrize("fates", [[AFTER], [BEFORE, AFTER], [AFTER] * LONG])
def test_a_finish_whose_answer_was_lost_keeps_its_picture(bench, ledger, store, fates):
    _, [task] = a_placed_job(bench)
    ledger.fates = [WELL, *fates]

    assert attempt(task, bench) is Outcome.OVER

    assert colorway_of(bench, task).status is Status.COMPLETED
    key = rendition_of(bench, task).key
    assert results_in(store) == {key, thumbnail_key(key)}
    assert is_exact(bench, task)
    ledger.fates.clear()
    assert attempt(task, bench) is Outcome.OVER


def test_a_finish_for_which_the_ledger_stays_away_too_long_gives_back(bench, ledger, clock):
    _, [task] = a_placed_job(bench)
    ledger.fates = [WELL, *[BEFORE] * LONG]

    with pytest.raises(TryLater):
        attempt(task, bench)

    assert given_back(bench, task)
    assert colorway_of(bench, task).error["code"] == "unavailable"
    assert ends_when_it_comes_again(bench, task, clock, Status.COMPLETED)


# The failure


@pytest.mark.parametrize(
    ("fates", "outcome"),
    [([BEFORE], Outcome.FAILED), ([AFTER], Outcome.OVER), ([BEFORE, AFTER], Outcome.OVER)],
)
def test_a_failure_is_written_once_however_the_ledger_breaks(bench, ledger, fates, outcome):
    _, [task] = a_placed_job(bench, body=NO_PICTURE)
    ledger.fates = [WELL, *fates]

    assert attempt(task, bench) is outcome

    row = colorway_of(bench, task)
    assert (row.status, row.error["code"]) == (Status.FAILED, "image-undecodable")
    assert is_exact(bench, task)


def test_a_failure_that_could_not_be_written_is_found_again(bench, ledger, clock):
    _, [task] = a_placed_job(bench, body=NO_PICTURE)
    ledger.fates = [WELL, *[BEFORE] * LONG]

    with pytest.raises(TryLater):
        attempt(task, bench)
    assert is_exact(bench, task)
    bench.heartbeat.beat()

    assert given_back(bench, task)
    assert ends_when_it_comes_again(bench, task, clock, Status.FAILED)


# The give-back


@pytest.mark.parametrize("fates", [[BEFORE], [AFTER], [BEFORE, AFTER]])
def test_what_is_given_back_is_given_back_once_however_the_ledger_breaks(
    bench, ledger, store, fates
):
    _, [task] = a_placed_job(bench)
    ledger.fates = [WELL, *fates]
    store.before["open"] = away

    with pytest.raises(TryLater, match="store is away"):
        attempt(task, bench)

    assert given_back(bench, task)
    assert colorway_of(bench, task).error["code"] == "store-unavailable"


def test_a_bug_counts_as_one_try_though_the_give_back_was_repeated(bench, ledger, store):
    _, [task] = a_placed_job(bench)
    ledger.fates = [WELL, AFTER]
    store.before["put"] = lambda key: 1 / 0

    with pytest.raises(Broken):
        attempt(task, bench)

    assert given_back(bench, task, tries=1)


@pytest.fixture
def not_given_back(bench, ledger, store):
    """A colorway whose attempt could not give it back: the store was away, then the ledger."""
    _, [task] = a_placed_job(bench)
    ledger.fates = [WELL, *[BEFORE] * LONG]
    store.before["open"] = away
    with pytest.raises(TryLater, match="store is away"):
        attempt(task, bench)
    store.before.clear()
    return task


def test_what_cannot_be_given_back_is_given_back_by_a_later_beat(
    bench, ledger, clock, not_given_back
):
    ledger.fates = [BEFORE]  # it is away a little longer

    bench.heartbeat.beat()
    still_held = colorway_of(bench, not_given_back).status
    bench.heartbeat.beat()

    assert still_held is Status.PROCESSING
    assert given_back(bench, not_given_back, tries=0)
    assert ends_when_it_comes_again(bench, not_given_back, clock, Status.COMPLETED)


def test_a_later_beat_counts_the_job_that_ends_with_its_last_try(bench, ledger, store):
    job, [task] = a_placed_job(bench)
    with bench.ledger.transaction() as session:
        with_tries(session, task, MAX_TRIES - 1)
    ledger.fates = [WELL, *[BEFORE] * LONG]
    store.before["open"] = lambda *_: 1 / 0
    with pytest.raises(Broken):
        attempt(task, bench)

    ledger.fates = []
    with structlog.testing.capture_logs() as lines:
        bench.heartbeat.beat()

    count = bench.metrics.registry.get_sample_value
    assert count("jobs_total", {"status": "failed"}) == 1
    assert count("colorways_total", {"status": "failed"}) == 1
    assert [line["job"] for line in lines if line["event"] == "job_finished"] == [job]


def test_what_is_never_given_back_is_left_to_its_lease(bench, clock, not_given_back):
    assert colorway_of(bench, not_given_back).status is Status.PROCESSING
    assert is_exact(bench, not_given_back)
    assert ends_when_it_comes_again(bench, not_given_back, clock, Status.COMPLETED)


def test_what_another_has_taken_over_meanwhile_is_not_given_back(bench, clock, not_given_back):
    clock.advance(2 * MINUTE)
    attempt(not_given_back, bench)

    bench.heartbeat.beat()

    assert colorway_of(bench, not_given_back).status is Status.COMPLETED
    assert is_exact(bench, not_given_back)
