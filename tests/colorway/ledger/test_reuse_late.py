"""A pending colorway is completed with a picture that was finished since it was ordered."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from uuid import UUID

import pytest
from sqlalchemy import update
from sqlalchemy.orm import Session

from colorway.job import JobStatus
from colorway.ledger.commands import cancel_job
from colorway.ledger.lease import fail, give_back
from colorway.ledger.reuse import Reused, reuse
from colorway.ledger.tables import Record, colorways, jobs
from colorway.lifecycle import Status
from colorway.render_task import RenderTask
from tests.builders import (
    BROKEN,
    MINUTE,
    NOON,
    a_claim,
    a_job,
    an_account,
    an_image,
    counts_of,
    finish_it,
    row_of,
)

LATER = NOON + MINUTE


@pytest.fixture
def image(session: Session) -> Record:
    return an_image(session)


@pytest.fixture
def job(session: Session, image: Record) -> UUID:
    """A job of two palettes, one of which an equal colorway has finished since."""
    _, [first] = a_job(session, image=image)
    job, _ = a_job(session, ("nord", "ink"), image=image)
    finish_it(session, a_claim(session, first))
    return job


@pytest.fixture
def nord(session: Session, job: UUID) -> Record:
    """Its colorway of that palette."""
    return session.execute(
        colorways.select().where(colorways.c.job_id == job, colorways.c.key == "nord")
    ).one()


def reused(session: Session, image: Record, nord: Record, **matters: int) -> Reused | None:
    task = replace(RenderTask(nord.id, nord.epoch), **matters)
    return reuse(session, image.account_id, task, nord.fingerprint, now=LATER)


def test_it_is_completed_as_if_it_had_never_been_tried(session, image, job, nord):
    held = a_claim(session, RenderTask(nord.id, 0))
    give_back(session, held, BROKEN, counts=False, now=NOON)
    session.execute(update(colorways).where(colorways.c.id == nord.id).values(alone=True))

    end = reused(session, image, nord)

    row = row_of(session, colorways, nord.id)
    assert end == Reused(None)
    assert (row.status, row.cached, row.finished_at) == (Status.COMPLETED, True, LATER)
    assert (row.error, row.alone, row.leased_until) == (None, False, None)
    assert row.rendition_id is not None
    said, counted = counts_of(session, job)
    assert said == counted


def test_the_last_one_ends_its_job(session, image, job, nord):
    ink = session.execute(
        colorways.select().where(colorways.c.job_id == job, colorways.c.key == "ink")
    ).one()
    finish_it(session, a_claim(session, RenderTask(ink.id, 0)))

    end = reused(session, image, nord)

    assert end.job_end.progress.status is JobStatus.COMPLETED
    assert end.job_end.overall == MINUTE
    assert row_of(session, jobs, job).finished_at == LATER


@pytest.mark.parametrize(
    "become",
    [
        lambda session, image, held: None,
        lambda session, image, held: fail(session, held, BROKEN, now=NOON),
        lambda session, image, held: cancel_job(session, image.account_id, held.job, now=NOON),
        lambda session, image, held: finish_it(session, held),
    ],
    ids=["processing", "failed", "cancelled", "completed"],
)
def test_what_is_pending_no_more_is_left_alone(
    session, image, job, nord, become: Callable[..., object]
):
    become(session, image, a_claim(session, RenderTask(nord.id, 0)))
    before = row_of(session, colorways, nord.id), row_of(session, jobs, job)

    assert reused(session, image, nord) is None

    assert (row_of(session, colorways, nord.id), row_of(session, jobs, job)) == before


def test_a_task_of_another_epoch_is_over(session, image, nord):
    assert reused(session, image, nord, epoch=1) is None
    assert row_of(session, colorways, nord.id) == nord


def test_the_picture_of_another_account_is_none(session, nord):
    other = an_image(session, an_account(session, "Rival"))

    assert reused(session, other, nord) is None
    assert row_of(session, colorways, nord.id) == nord
