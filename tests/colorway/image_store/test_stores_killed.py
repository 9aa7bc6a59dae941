"""Whatever becomes of a store amid an upload: what the ledger calls completed is there, whole.

Attempts of a palette worker are real, on a real ledger; between it and the store stands a front.
"""

from __future__ import annotations

import pytest

from colorway.errors import TryLater
from palette_worker.attempt import Outcome, attempt
from tests.fakes import Clock
from tests.faulty_front import Answer, CutAnswer, CutRequest, Hang
from tests.palette_worker.workplace import a_bench, a_placed_job, given_back, is_whole

TENTHS = range(11)


@pytest.fixture
def bench(sqlite_ledger, far):
    return a_bench(sqlite_ledger, far.store, Clock())


@pytest.fixture
def task(bench):
    """A colorway whose source is decoded: all that is left to ask the store for is its upload."""
    _, [task, other] = a_placed_job(bench, ("nord", "ink"))
    assert attempt(other, bench) is Outcome.COMPLETED
    return task


def tenths_of_an_upload(front, tenth):
    """Return so many tenths of what the other colorway's picture took, which is as large."""
    uploads = [seen for seen in front.seen if int(seen.headers.get("Content-Length", 0)) > 0]
    return max(int(seen.headers["Content-Length"]) for seen in uploads) * tenth // 10


@pytest.mark.parametrize("tenth", TENTHS)
def test_a_store_that_dies_at_any_tenth_of_an_upload_and_stays_away(far, bench, task, tenth):
    far.front.fail(CutRequest(after=tenths_of_an_upload(far.front, tenth)))

    with pytest.raises(TryLater):
        attempt(task, bench)

    assert given_back(bench, task)
    far.front.heal()
    assert attempt(task, bench) is Outcome.COMPLETED
    assert is_whole(bench, task)


@pytest.mark.parametrize("tenth", TENTHS)
def test_a_store_that_dies_at_any_tenth_of_an_upload_and_comes_back(far, bench, task, tenth):
    far.front.fail(CutRequest(after=tenths_of_an_upload(far.front, tenth)), times=1)

    assert attempt(task, bench) is Outcome.COMPLETED

    assert is_whole(bench, task)


@pytest.mark.parametrize("fault", [CutAnswer(None), Hang(), Answer(500)], ids=repr)
def test_a_store_whose_answer_is_lost_late_or_bad(far, bench, task, fault):
    far.front.fail(fault, times=1)

    assert attempt(task, bench) is Outcome.COMPLETED

    assert is_whole(bench, task)
