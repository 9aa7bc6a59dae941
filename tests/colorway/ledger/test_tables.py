"""What the database itself refuses, whoever asks."""

from __future__ import annotations

import pytest
from sqlalchemy import delete, insert, select, update
from sqlalchemy.exc import IntegrityError
from uuid_utils.compat import uuid7

from colorway.ledger.tables import Row, colorways, images, jobs, outbox, renditions
from colorway.lifecycle import Status
from tests.builders import a_claim, a_job, an_account, an_image, finish_it, row_of


def test_an_image_that_a_job_uses_cannot_be_deleted(session):
    image = an_image(session)
    a_job(session, image=image)

    with pytest.raises(IntegrityError):
        session.execute(delete(images).where(images.c.id == image.id))


def test_a_rendition_that_a_colorway_shows_cannot_be_deleted(session):
    _, [task] = a_job(session)
    held = a_claim(session, task)
    finish_it(session, held)

    with pytest.raises(IntegrityError):
        session.execute(delete(renditions))


def test_an_image_is_recorded_once_per_account(session):
    image = an_image(session)
    twin = {**image._asdict(), "id": uuid7()}

    with pytest.raises(IntegrityError):
        session.execute(insert(images).values(twin))


def test_two_accounts_may_have_the_same_image(session):
    first, second = an_image(session, seed="same"), an_image(session, seed="same")

    assert first.sha256 == second.sha256
    assert first.account_id != second.account_id


def test_a_deleted_job_takes_its_colorways_and_outbox_along(session):
    job, _ = a_job(session, palettes=("nord", "ink"))
    kept, _ = a_job(session)

    session.execute(delete(jobs).where(jobs.c.id == job))

    assert session.scalars(select(colorways.c.job_id)).all() == [kept]
    assert session.scalars(select(outbox.c.job_id)).all() == [kept]


def test_a_status_comes_back_as_what_it_is(session):
    _, [task] = a_job(session)

    session.execute(update(colorways).values(status=Status.FAILED))

    assert row_of(session, colorways, task.colorway).status is Status.FAILED


def test_rows_get_ids_that_sort_by_time(session):
    accounts = [an_account(session) for _ in range(3)]

    assert accounts == sorted(accounts)
    assert {account.version for account in accounts} == {7}


def test_no_row_loads_others_by_surprise():
    for mapper in Row.registry.mappers:
        assert not mapper.relationships, mapper
