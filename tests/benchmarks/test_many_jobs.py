"""The past that benchmarks write in bulk is one that the service itself could have had."""

from __future__ import annotations

from sqlalchemy import select

from benchmarks.many_jobs import PALETTES, record_past
from colorway.job import JobStatus
from colorway.ledger.progress import job_view
from colorway.ledger.tables import jobs
from tests.builders import NOON, an_account, counts_of


def test_the_past_is_whole_and_its_counters_are_those_of_its_rows(ledger):
    with ledger.transaction() as session:
        account = an_account(session)

    past = record_past(ledger, account, 120, now=NOON)

    with ledger.reading() as session:
        assert list(session.scalars(select(jobs.c.id).order_by(jobs.c.id))) == past
        for job in past:
            counted, rows = counts_of(session, job)
            assert counted == rows
        view = job_view(session, account, past[-1], most=100)
    assert view.progress.status is JobStatus.COMPLETED
    assert [row.rendition_bytes for row in view.colorways] == [1_200_000] * PALETTES
