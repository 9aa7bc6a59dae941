"""What an account's last jobs tell: its own, those that completed, what they rendered."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import insert, update
from sqlalchemy.orm import Session
from uuid_utils.compat import uuid7

from colorway.job import OutputOptions
from colorway.ledger.commands import cancel_job
from colorway.ledger.history import COMPLETED, PastJob, past_jobs
from colorway.ledger.job_list import BEFORE_ALL
from colorway.ledger.lease import fail
from colorway.ledger.tables import Record, colorways, jobs
from tests.builders import BROKEN, MINUTE, NOON, a_claim, a_job, an_image, finish_it, row_of
from tests.colorway.ledger.test_queue_stats import A_TALLER_TREE, work_of

PICTURE = 64 * 48
BYTES = 500
"""Of a picture that `finish_it` stores, like the size above."""


def a_completed_job(
    session: Session, image: Record, palettes: tuple[str, ...] = ("nord",), **matters
) -> UUID:
    """Record a job that took a minute."""
    job, tasks = a_job(session, palettes, image=image, **matters)
    for task in tasks:
        finish_it(session, a_claim(session, task), now=NOON + MINUTE)
    return job


def test_a_job_tells_what_it_took_and_what_it_made(session):
    image = an_image(session)
    a_completed_job(session, image, ("nord", "ink"), output=OutputOptions(format="auto"))

    assert past_jobs(session, image.account_id) == [
        PastJob(
            image=image.id,
            source_pixels=64 * 48,
            format="auto",
            took=MINUTE,
            rendered=2,
            pixels=2 * PICTURE,
            bytes=2 * BYTES,
        )
    ]


def test_other_accounts_jobs_tell_nothing(session):
    accounts = sorted(an_image(session).account_id for _ in range(3))
    images = [an_image(session, account, seed="mine") for account in accounts]
    for image in images:
        a_completed_job(session, image)

    assert [[past.image for past in past_jobs(session, account)] for account in accounts] == [
        [image.id] for image in images
    ]


def test_jobs_that_did_not_complete_whole_tell_nothing(session):
    image = an_image(session)
    for end in ("open", "partial", "failed", "cancelled"):
        job, [first, second] = a_job(session, (f"{end}-1", f"{end}-2"), image=image)
        if end in {"partial", "failed"}:
            fail(session, a_claim(session, first), BROKEN, now=NOON)
        if end == "partial":
            finish_it(session, a_claim(session, second))
        if end == "failed":
            fail(session, a_claim(session, second), BROKEN, now=NOON)
        if end == "cancelled":
            finish_it(session, a_claim(session, first))
            cancel_job(session, image.account_id, job, now=NOON)

    assert past_jobs(session, image.account_id) == []


def test_what_a_job_did_not_render_itself_tells_nothing(session):
    image = an_image(session)
    half, whole = (a_completed_job(session, image, (f"{n}-1", f"{n}-2")) for n in range(2))
    session.execute(
        update(colorways)
        .where((colorways.c.job_id == whole) | (colorways.c.position == 0))
        .values(cached=True)
    )

    [past] = past_jobs(session, image.account_id)

    assert half != whole
    assert (past.rendered, past.pixels, past.bytes) == (1, PICTURE, BYTES)


def test_the_newest_tell_and_no_more_than_twenty(session):
    image = an_image(session)
    pictures = [an_image(session, image.account_id, seed=str(n)) for n in range(21)]
    for picture in pictures:
        a_completed_job(session, picture)

    told = [past.image for past in past_jobs(session, image.account_id)]

    assert len(told) == 20
    assert told == [picture.id for picture in pictures[:0:-1]]


def test_behind_a_thousand_others_no_job_is_looked_for(session):
    image = an_image(session)
    a_completed_job(session, image)
    pattern = row_of(session, jobs, a_job(session, ("ink",), image=image)[0])._asdict()

    session.execute(insert(jobs), [pattern | {"id": uuid7()} for _ in range(1000 - 2)])
    assert len(past_jobs(session, image.account_id)) == 1
    session.execute(insert(jobs), pattern | {"id": uuid7()})
    assert past_jobs(session, image.account_id) == []


def test_other_accounts_jobs_cost_nothing(ledger):
    with ledger.transaction() as session:
        mine, busy = an_image(session), an_image(session)
        a_completed_job(session, mine)
        pattern = row_of(session, jobs, a_completed_job(session, busy))._asdict()
        session.execute(insert(jobs), [pattern | {"id": uuid7()} for _ in range(1000)])
    asked = {"account": mine.account_id, "older_than": BEFORE_ALL}
    few = work_of(ledger, COMPLETED, asked)
    with ledger.transaction() as session:
        session.execute(insert(jobs), [pattern | {"id": uuid7()} for _ in range(3000)])

    assert work_of(ledger, COMPLETED, asked) <= few + A_TALLER_TREE
