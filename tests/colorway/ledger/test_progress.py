from __future__ import annotations

import pytest

from colorway.errors import NotFound
from colorway.job import JobStatus
from colorway.ledger.lease import fail, give_back
from colorway.ledger.progress import colorway_page, find_colorway, find_job, job_view
from colorway.lifecycle import Status
from tests.builders import (
    BROKEN,
    NOON,
    a_claim,
    a_job,
    an_account,
    an_image,
    finish_it,
)


def test_another_accounts_job_is_not_found(session):
    image = an_image(session)
    job, _ = a_job(session, image=image)
    stranger = an_account(session)

    assert find_job(session, image.account_id, job).id == job
    with pytest.raises(NotFound):
        find_job(session, stranger, job)
    with pytest.raises(NotFound):
        job_view(session, stranger, job, most=9)
    with pytest.raises(NotFound):
        find_colorway(session, stranger, job, "nord")


def test_a_job_that_does_not_exist_is_not_found(session):
    image = an_image(session)

    with pytest.raises(NotFound):
        job_view(session, image.account_id, image.id, most=9)


def test_a_view_says_all_about_a_job(session):
    image = an_image(session)
    job, tasks = a_job(session, palettes=("nord", "ink", "grape", "forest"), image=image)
    give_back(session, a_claim(session, tasks[0]), BROKEN, counts=True, now=NOON)
    retried = a_claim(session, tasks[0])
    finish_it(session, retried)
    fail(session, a_claim(session, tasks[1]), BROKEN, now=NOON)
    a_claim(session, tasks[2])

    view = job_view(session, image.account_id, job, most=3)

    assert (view.job.id, view.image.id) == (job, image.id)
    assert view.progress.status is JobStatus.PROCESSING
    assert [view.progress.count(status) for status in Status] == [1, 1, 1, 1, 0]
    assert [row.key for row in view.colorways] == ["nord", "ink", "grape"]
    assert (view.stats.attempts, view.stats.retries, view.stats.cached) == (4, 1, 0)
    assert (view.stats.render_ms, view.stats.upload_ms, view.stats.bytes) == (30, 50, 500)


def test_a_job_that_nobody_has_touched_has_stats_of_zero(session):
    image = an_image(session)
    job, _ = a_job(session, image=image)

    view = job_view(session, image.account_id, job, most=9)

    assert tuple(view.stats) == (0, 0, 0, 0, 0, 0)
    assert view.progress.status is JobStatus.PENDING


def test_a_completed_colorway_comes_with_its_rendition(session):
    image = an_image(session)
    job, [task, _] = a_job(session, palettes=("nord", "ink"), image=image)
    held = a_claim(session, task)
    finish_it(session, held)

    done = find_colorway(session, image.account_id, job, "nord")
    waiting = find_colorway(session, image.account_id, job, "ink")

    assert done.rendition_key == f"{held.colorway}-{held.fence}.png"
    assert (done.rendition_bytes, done.rendition_format) == (500, "png")
    assert (done.rendition_width, done.rendition_height) == (64, 48)
    assert waiting.rendition_key is None


def test_a_key_that_the_job_does_not_have_is_not_found(session):
    image = an_image(session)
    job, _ = a_job(session, palettes=("nord",), image=image)

    with pytest.raises(NotFound, match="'ink'"):
        find_colorway(session, image.account_id, job, "ink")


def test_colorways_are_paged_in_the_order_of_submission(session):
    job, _ = a_job(session, palettes=("nord", "ink", "grape"))
    a_job(session, palettes=("forest",))

    first = colorway_page(session, job, after=-1, most=2)
    second = colorway_page(session, job, after=first[-1].position, most=2)

    assert [row.key for row in first + second] == ["nord", "ink", "grape"]


def test_colorways_can_be_asked_for_by_status(session):
    job, tasks = a_job(session, palettes=("nord", "ink", "grape"))
    fail(session, a_claim(session, tasks[1]), BROKEN, now=NOON)

    failed = colorway_page(session, job, after=-1, most=9, status="failed")
    pending = colorway_page(session, job, after=-1, most=9, status="pending")

    assert [row.key for row in failed] == ["ink"]
    assert [row.key for row in pending] == ["nord", "grape"]
