"""Whole lives of colorways are led on a real Postgres, those of one job and those of many."""

from __future__ import annotations

import pytest

from benchmarks.contention import calls_while_locked, measured


@pytest.fixture
def url(postgres, migrated_postgres):
    with postgres.database(copy_of=migrated_postgres) as url:
        yield url


def test_each_round_of_both_is_measured(url):
    meeting = measured(url, threads=2, colorways=8, rounds=2)

    assert len(meeting.one) == len(meeting.many) == 2
    assert min(meeting.one + meeting.many) > 0


def test_a_job_s_row_is_locked_for_no_more_than_six_calls(url):
    # claim, counters, commit; finish, counters, commit
    assert calls_while_locked(url) == 6
