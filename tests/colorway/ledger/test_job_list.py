"""The list of jobs: what it chooses, in which order, and that pages neither skip nor repeat."""

from __future__ import annotations

from datetime import timedelta
from itertools import product

import pytest
from sqlalchemy import delete, insert, text
from uuid_utils.compat import uuid7

from colorway.job import JobStatus
from colorway.ledger.job_list import BEFORE_ALL, PAGE, JobsWanted, job_page
from colorway.ledger.progress import progress_of
from colorway.ledger.tables import jobs
from tests.builders import MINUTE, NOON, a_job, an_image, row_of

COUNTERS = ("processing", "completed", "failed", "cancelled")
MICROSECOND = timedelta(microseconds=1)
ALL = JobsWanted()


def ids_of(session, account, wanted=ALL, *, older_than=BEFORE_ALL, most=999):
    page = job_page(session, account, wanted, older_than=older_than, most=most)
    return [listed.job.id for listed in page]


def with_every_progress(session, image):
    """Record a job for each way in which up to three colorways may have come along."""
    pattern = row_of(session, jobs, a_job(session, image=image)[0])._asdict()
    ways = [
        dict(zip(COUNTERS, counts, strict=True)) | {"total": total}
        for total in (1, 2, 3)
        for counts in product(range(total + 1), repeat=4)
        if sum(counts) <= total
    ]
    times = [{"started_at": s, "cancelled_at": c} for s in (None, NOON) for c in (None, NOON)]
    rows = [pattern | way | time | {"id": uuid7()} for way, time in product(ways, times)]
    session.execute(insert(jobs), rows)


@pytest.mark.parametrize("status", JobStatus)
def test_a_status_chooses_just_the_jobs_that_show_it(session, status):
    image = an_image(session)
    with_every_progress(session, image)
    listed = job_page(session, image.account_id, ALL, older_than=BEFORE_ALL, most=999)
    expected = [it.job.id for it in listed if progress_of(it.job).status is status]

    chosen = ids_of(session, image.account_id, JobsWanted(status=status))

    assert len(listed) == 221
    assert expected
    assert chosen == expected


def test_the_newest_comes_first_and_with_its_own_source(session):
    image = an_image(session)
    other = an_image(session, image.account_id, seed="other")
    oldest, newest = [a_job(session, image=source)[0] for source in (image, other)]
    same_source, _ = a_job(session, image=image)

    page = job_page(session, image.account_id, ALL, older_than=BEFORE_ALL, most=9)

    assert [it.job.id for it in page] == [same_source, newest, oldest]
    assert [it.image.id for it in page] == [image.id, other.id, image.id]
    assert [it.progress.total for it in page] == [1, 1, 1]


def test_other_accounts_jobs_are_not_listed_be_they_older_or_younger(session):
    accounts = sorted(an_image(session).account_id for _ in range(3))
    made = {account: a_job(session, image=an_image(session, account))[0] for account in accounts}

    assert [ids_of(session, account) for account in accounts] == [[job] for job in made.values()]


def test_pages_neither_skip_nor_repeat_whatever_comes_and_goes_meanwhile(session):
    image = an_image(session)
    made = [a_job(session, image=image)[0] for _ in range(5)]
    first = ids_of(session, image.account_id, most=2)
    a_job(session, image=image)
    session.execute(delete(jobs).where(jobs.c.id == first[-1]))

    rest = ids_of(session, image.account_id, older_than=first[-1], most=9)

    assert first + rest == made[::-1]


def test_times_are_bounds_that_are_not_reached(session):
    image = an_image(session)
    before, job, after = [
        a_job(session, image=image, now=NOON + since)[0] for since in (-MINUTE, 0 * MINUTE, MINUTE)
    ]

    def chosen(**bounds):
        return ids_of(session, image.account_id, JobsWanted(**bounds))

    assert chosen(created_after=NOON) == [after]
    assert chosen(created_before=NOON) == [before]
    assert chosen(created_after=NOON - MICROSECOND, created_before=NOON + MICROSECOND) == [job]
    assert chosen(created_after=NOON - MINUTE, created_before=NOON + MINUTE) == [job]


def test_choices_are_made_together(session):
    image = an_image(session)
    [early, late] = [a_job(session, image=image, now=NOON + n * MINUTE)[0] for n in range(2)]
    session.execute(jobs.update().values(completed=1))
    a_job(session, image=image)

    wanted = JobsWanted(status=JobStatus.COMPLETED, created_before=NOON + MINUTE)

    assert ids_of(session, image.account_id, wanted) == [early]
    assert ids_of(session, image.account_id, JobsWanted(JobStatus.COMPLETED)) == [late, early]


def test_whoever_has_no_job_has_an_empty_list(session):
    assert ids_of(session, an_image(session).account_id) == []


def test_a_page_of_an_account_that_was_idle_reads_nobody_elses_jobs(postgres_ledger):
    with postgres_ledger.transaction() as session:
        idle, busy = an_image(session), an_image(session)
        pattern = row_of(session, jobs, a_job(session, image=idle)[0])._asdict()
        owners = [{"account_id": it.account_id, "image_id": it.id} for it in (idle, busy)]
        rows = [pattern | owner | {"id": uuid7()} for owner in owners for _ in range(1000)]
        session.execute(insert(jobs), rows)
        session.execute(text("ANALYZE jobs"))

    page = PAGE.params(account=idle.account_id, older_than=BEFORE_ALL).limit(20)
    with postgres_ledger.reading() as session:
        asked = page.compile(session.connection(), compile_kwargs={"literal_binds": True})
        plan = "\n".join(session.scalars(text(f"EXPLAIN ANALYZE {asked}")))

    assert "Index Scan Backward using ix_jobs_account_id_id" in plan
    assert "Removed by Filter" not in plan
