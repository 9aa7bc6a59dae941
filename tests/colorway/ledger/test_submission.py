from __future__ import annotations

import pytest
from sqlalchemy import event, func, select

from colorway.fingerprint import ENGINE_VERSION, fingerprint, options_digest
from colorway.job import JobRequest, JobStatus, OutputOptions, PaletteOrder, Priority, RenderOptions
from colorway.ledger.outbox import undelivered
from colorway.ledger.progress import progress_of
from colorway.ledger.submission import record_job
from colorway.ledger.tables import colorways, jobs, outbox
from colorway.lifecycle import Status
from tests.builders import (
    DAY,
    MINUTE,
    NOON,
    a_claim,
    a_job,
    a_job_request,
    a_palette,
    an_image,
    finish_it,
    row_of,
)

LATER = NOON + MINUTE


def colorways_of(session, job):
    found = select(colorways).where(colorways.c.job_id == job).order_by(colorways.c.position)
    return list(session.execute(found))


def test_a_job_is_recorded_as_it_was_asked_for(session):
    image = an_image(session)
    wanted = JobRequest(
        image.id,
        (PaletteOrder("nord", a_palette("Nord")),),
        render=RenderOptions(strength=0.5, preserve_luminance=False),
        output=OutputOptions(format="webp", quality=80),
        priority=Priority.LOW,
        on_error="stop",
        reuse="force",
        metadata={"campaign": "spring"},
    )

    job = record_job(session, image.account_id, image, wanted, keep_for=30 * DAY, now=NOON).id

    row = row_of(session, jobs, job)
    assert (row.account_id, row.image_id) == (image.account_id, image.id)
    assert (row.priority, row.on_error, row.reuse) == (Priority.LOW, "stop", "force")
    assert row.render == {
        "strength": 0.5,
        "preserve_luminance": False,
        "engine_version": ENGINE_VERSION,
    }
    assert (row.output["format"], row.output["quality"]) == ("webp", 80)
    assert row.client_metadata == {"campaign": "spring"}
    assert (row.created_at, row.expires_at) == (NOON, NOON + 30 * DAY)


def test_a_new_job_is_pending_in_all_its_parts(session):
    job, _ = a_job(session, palettes=("nord", "ink"), now=NOON)

    row = row_of(session, jobs, job)
    assert (row.total, row.version) == (2, 1)
    assert (row.processing, row.completed, row.failed, row.cancelled) == (0, 0, 0, 0)
    assert (row.started_at, row.finished_at, row.cancelled_at) == (None, None, None)
    for colorway in colorways_of(session, job):
        assert (colorway.status, colorway.cached) == (Status.PENDING, False)
        assert (colorway.epoch, colorway.nudge, colorway.fence, colorway.tries) == (0, 0, 0, 0)
        assert (colorway.queue_seen_at, colorway.error) == (NOON, None)


def test_colorways_keep_the_order_of_their_palettes(session):
    names = ("nord", "ink", "grape", "forest")

    job, _ = a_job(session, palettes=names)

    rows = colorways_of(session, job)
    assert [(row.position, row.key) for row in rows] == list(enumerate(names))
    assert [row.colors for row in rows] == [list(a_palette(name).colors) for name in names]


def test_a_colorway_carries_the_fingerprint_of_its_picture(session):
    image = an_image(session)
    options = options_digest(RenderOptions(), OutputOptions())

    job, _ = a_job(session, palettes=("nord",), image=image)

    [row] = colorways_of(session, job)
    assert row.fingerprint == fingerprint(image.sha256, a_palette("nord"), options)


def test_five_hundred_palettes_take_as_many_statements_as_one(ledger):
    def statements_for(palettes):
        statements = []
        with ledger.transaction() as session:
            image = an_image(session)
            connection = session.connection()
            event.listen(
                connection,
                "before_cursor_execute",
                lambda *seen: statements.append(seen[2].partition(" IN (")[0]),
            )
            wanted = JobRequest(
                image.id,
                tuple(PaletteOrder(f"p{number}", a_palette()) for number in range(palettes)),
            )
            record_job(session, image.account_id, image, wanted, keep_for=DAY, now=NOON)
        return statements

    assert statements_for(palettes=500) == statements_for(palettes=1)
    with ledger.reading() as session:
        assert session.scalar(select(func.count()).select_from(colorways)) == 501
        assert session.scalar(select(func.count()).select_from(outbox)) == 501


def test_what_there_is_a_picture_of_begins_completed_and_the_rest_pending(session):
    image = an_image(session)
    _, [task] = a_job(session, ("nord",), image=image)
    finish_it(session, a_claim(session, task))

    job, _ = a_job(session, ("ink", "nord"), image=image, now=LATER)

    row = row_of(session, jobs, job)
    ink, nord = colorways_of(session, job)
    assert (row.total, row.completed, row.cached) == (2, 1, 1)
    assert (row.version, row.started_at, row.finished_at) == (1, None, None)
    assert (ink.status, ink.cached, ink.rendition_id) == (Status.PENDING, False, None)
    assert (nord.status, nord.cached) == (Status.COMPLETED, True)
    assert (nord.finished_at, nord.attempts, nord.queued_ms) == (LATER, 0, None)
    assert nord.rendition_id == row_of(session, colorways, task.colorway).rendition_id
    assert [nudge.task.colorway for nudge in undelivered(session, job, most=9)] == [ink.id]


def test_a_job_of_pictures_that_are_all_there_is_done_at_once(session):
    image = an_image(session)
    _, tasks = a_job(session, ("nord", "ink"), image=image)
    for task in tasks:
        finish_it(session, a_claim(session, task))
    wanted = a_job_request(image.id, ("ink", "nord"))

    job = record_job(session, image.account_id, image, wanted, keep_for=DAY, now=LATER)

    row = row_of(session, jobs, job.id)
    assert (job.nudges, job.cached) == ([], 2)
    assert (progress_of(row).status, row.finished_at) == (JobStatus.COMPLETED, LATER)
    assert undelivered(session, job.id, most=9) == []


def test_whoever_forces_it_has_everything_rendered(session):
    image = an_image(session)
    _, [task] = a_job(session, image=image)
    finish_it(session, a_claim(session, task))

    job, [again] = a_job(session, image=image, reuse="force")
    finish_it(session, a_claim(session, again))

    before, after = (row_of(session, colorways, it.colorway) for it in (task, again))
    assert row_of(session, jobs, job).cached == 0
    assert (after.cached, after.attempts) == (False, 1)
    assert after.rendition_id == before.rendition_id  # of equal pictures, one is kept


def test_nobody_is_given_the_pictures_of_another_account(session):
    image = an_image(session)
    _, [task] = a_job(session, image=image)
    finish_it(session, a_claim(session, task))

    job, _ = a_job(session, image=an_image(session))  # of the same bytes

    assert row_of(session, jobs, job).cached == 0


def test_a_job_is_recorded_whole_or_not_at_all(ledger):
    def record_and_break():
        with ledger.transaction() as session:
            a_job(session, palettes=("nord", "ink"))
            raise RuntimeError("something broke before the commit")

    with pytest.raises(RuntimeError):
        record_and_break()

    with ledger.reading() as session:
        for table in (jobs, colorways, outbox):
            assert session.scalar(select(func.count()).select_from(table)) == 0
