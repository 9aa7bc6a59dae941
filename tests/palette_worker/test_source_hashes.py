"""A source's perceptual hashes come with its first colorway, and cost no colorway anything."""

from __future__ import annotations

import pytest
from sqlalchemy import update

from colorway.ledger.orders import order_of
from colorway.ledger.tables import Record, images, jobs
from palette_worker.attempt import Outcome, attempt
from palette_worker.rendering import Source, decode
from palette_worker.steps import Bench
from tests.builders import row_of
from tests.palette_worker.workplace import a_picture, a_placed_job, at_once

HASHES = ("phash", "ahash", "dhash", "whash")


def image_of(bench: Bench, job: object) -> Record:
    with bench.ledger.reading() as session:
        return row_of(session, images, row_of(session, jobs, job).image_id)


def hashes_in(row: Record) -> tuple[int | None, ...]:
    return tuple(getattr(row, name) for name in HASHES)


def hashes_of(body: bytes) -> tuple[int, ...]:
    found = decode(body).hashes()
    return tuple(getattr(found, name) for name in HASHES)


def source_of(bench: Bench, task: object) -> Source:
    """Return what this worker has decoded for the task, or will use for it."""
    with bench.ledger.reading() as session:
        return bench.sources.fetch(order_of(session, task).source, within_s=1)


def when_hashed(source: Source, instead: object) -> None:
    """Let this be done whenever the picture's greys are asked for, as hashing does."""
    image = source.image
    convert = image.convert

    def watched(mode: str) -> object:
        return instead(lambda: convert(mode)) if mode == "L" else convert(mode)

    image.convert = watched


def test_the_first_colorway_notes_what_its_source_looks_like(shared_bench):
    job, [task, _] = a_placed_job(shared_bench, ("nord", "ink"), body=a_picture(5))
    assert hashes_in(image_of(shared_bench, job)) == (None,) * 4

    attempt(task, shared_bench)

    assert hashes_in(image_of(shared_bench, job)) == hashes_of(a_picture(5))


def test_what_the_ledger_knows_is_not_worked_out_again(bench):
    asked = []
    job, tasks = a_placed_job(bench, ("nord", "ink", "grape"))
    when_hashed(source_of(bench, tasks[0]), lambda convert: asked.append(1) or convert())

    assert [attempt(task, bench) for task in tasks] == [Outcome.COMPLETED] * 3

    assert len(asked) == 1
    assert hashes_in(image_of(bench, job)) == hashes_of(a_picture())


def test_several_colorways_at_once_work_it_out_once(shared_bench):
    asked = []
    job, tasks = a_placed_job(shared_bench, ("nord", "ink", "grape"))
    when_hashed(source_of(shared_bench, tasks[0]), lambda convert: asked.append(1) or convert())

    outcomes = at_once(*(lambda task=task: attempt(task, shared_bench) for task in tasks))

    assert outcomes == [Outcome.COMPLETED] * 3
    assert len(asked) == 1
    assert hashes_in(image_of(shared_bench, job)) == hashes_of(a_picture())


@pytest.mark.parametrize("trouble", [MemoryError(), RuntimeError("a bug of ours")])
def test_a_colorway_is_completed_though_hashing_breaks_and_the_next_one_tries_again(bench, trouble):
    def break_once(convert: object) -> object:
        if troubles:
            raise troubles.pop()
        return convert()

    troubles = [trouble]
    job, [first, second] = a_placed_job(bench, ("nord", "ink"))
    when_hashed(source_of(bench, first), break_once)

    assert attempt(first, bench) is Outcome.COMPLETED
    assert hashes_in(image_of(bench, job)) == (None,) * 4
    assert image_of(bench, job).frames == 1

    assert attempt(second, bench) is Outcome.COMPLETED
    assert hashes_in(image_of(bench, job)) == hashes_of(a_picture())


def test_a_source_that_an_earlier_release_has_seen_is_hashed_with_its_next_colorway(bench):
    job, [task] = a_placed_job(bench)
    with bench.ledger.transaction() as session:
        session.execute(update(images).values(frames=1))

    attempt(task, bench)

    assert hashes_in(image_of(bench, job)) == hashes_of(a_picture())
