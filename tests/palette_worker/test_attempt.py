"""What becomes of a task, when nothing is wrong."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from functools import partial
from io import BytesIO
from threading import Event

import pytest
from PIL import Image
from sqlalchemy import update

from colorway.image_keys import thumbnail_key
from colorway.job import JobStatus, OutputOptions
from colorway.ledger.progress import progress_of
from colorway.ledger.tables import colorways
from colorway.lifecycle import Status
from colorway.render_task import RenderTask
from palette_worker.attempt import Outcome, attempt
from palette_worker.slots import RenderSlots
from tests.builders import MINUTE, NOON, a_claim, an_account, counts_of
from tests.palette_worker.workplace import (
    ROOM,
    SOON,
    a_picture,
    a_placed_job,
    at_once,
    colorway_of,
    counted,
    job_of,
    rendition_of,
    results_in,
)

SEVEN = ("nord", "ink", "grape", "forest", "harbour", "rosewood", "terracotta")


def test_a_colorway_is_completed_with_the_picture_that_lies_in_the_store(bench, store, clock):
    job, [task] = a_placed_job(bench)
    clock.advance(timedelta(seconds=3))

    assert attempt(task, bench) is Outcome.COMPLETED

    rendition = rendition_of(bench, task)
    body, said = store.objects[rendition.key], store.said[rendition.key]
    assert (hashlib.sha256(body).hexdigest(), len(body)) == (rendition.sha256, rendition.bytes)
    assert (said.sha256, said.media_type) == (rendition.sha256, "image/png")
    assert Image.open(BytesIO(body)).size == (rendition.width, rendition.height) == (32, 24)
    thumbnail = thumbnail_key(rendition.key)
    assert Image.open(BytesIO(store.objects[thumbnail])).format == "WEBP"
    assert store.said[thumbnail].media_type == "image/webp"
    row = colorway_of(bench, task)
    assert (row.status, row.fence, row.tries, row.error) == (Status.COMPLETED, 1, 0, None)
    assert (row.queued_ms, row.finished_at, row.leased_until) == (3000, clock(), None)
    assert job_of(bench, job).finished_at == clock()


def test_seven_palettes_of_a_source_decode_once_and_end_their_job(shared_bench):
    bench = shared_bench
    job, tasks = a_placed_job(bench, SEVEN)

    outcomes = at_once(*(partial(attempt, task, bench) for task in tasks))

    assert outcomes == [Outcome.COMPLETED] * 7
    assert counted(bench, "source_decodes_total") == 1
    assert progress_of(job_of(bench, job)).status is JobStatus.COMPLETED
    with bench.ledger.reading() as session:
        counters, rows = counts_of(session, job)
    assert counters == rows
    assert counted(bench, "colorways_total", status="completed") == 7
    assert counted(bench, "colorway_attempts_total", outcome="completed") == 7
    assert counted(bench, "jobs_total", status="completed") == 1
    assert len({rendition_of(bench, task).key for task in tasks}) == 7


def test_what_an_equal_job_has_rendered_meanwhile_is_not_rendered_again(bench, store):
    with bench.ledger.transaction() as session:
        account = an_account(session)
    _, first = a_placed_job(bench, ("nord", "ink"), account=account)
    job, [nord, ink] = a_placed_job(bench, ("nord", "ink"), account=account)
    for task in first:
        attempt(task, bench)
    store.is_away = True

    assert [attempt(task, bench) for task in (nord, ink)] == [Outcome.COMPLETED] * 2

    row = colorway_of(bench, ink)
    assert (row.status, row.cached, row.attempts) == (Status.COMPLETED, True, 0)
    assert rendition_of(bench, ink) == rendition_of(bench, first[1])
    assert progress_of(job_of(bench, job)).status is JobStatus.COMPLETED
    assert counted(bench, "reuse_hits_total") == 2
    assert counted(bench, "jobs_total", status="completed") == 2
    assert attempt(ink, bench) is Outcome.OVER


def test_what_must_be_made_anew_is_rendered_and_of_equal_pictures_the_first_is_kept(bench, store):
    with bench.ledger.transaction() as session:
        account = an_account(session)
    _, [first] = a_placed_job(bench, account=account)
    _, [again] = a_placed_job(bench, account=account, reuse="force")
    attempt(first, bench)

    attempt(again, bench)

    row = colorway_of(bench, again)
    assert (row.status, row.cached, row.attempts) == (Status.COMPLETED, False, 1)
    kept = rendition_of(bench, first)
    assert rendition_of(bench, again) == kept
    assert results_in(store) == {kept.key, thumbnail_key(kept.key)}
    assert counted(bench, "reuse_hits_total") == 0


def test_what_was_asked_for_is_what_comes_out(bench, store):
    output = OutputOptions(format="jpeg", max_edge=16, thumbnail_edge=64)
    _, [task] = a_placed_job(bench, output=output)

    attempt(task, bench)

    rendition = rendition_of(bench, task)
    assert (rendition.format, rendition.width, rendition.height) == ("jpeg", 16, 12)
    assert Image.open(BytesIO(store.objects[rendition.key])).format == "JPEG"


def test_a_task_that_comes_twice_changes_nothing_the_second_time(bench, store):
    job, [task] = a_placed_job(bench)
    attempt(task, bench)
    before = colorway_of(bench, task), job_of(bench, job), dict(store.objects)

    assert attempt(task, bench) is Outcome.OVER

    assert (colorway_of(bench, task), job_of(bench, job), store.objects) == before


def test_one_task_delivered_four_times_at_once_is_rendered_once(shared_bench, store):
    bench = shared_bench
    job, [task] = a_placed_job(bench)

    outcomes = at_once(*[partial(attempt, task, bench)] * 4)

    assert outcomes.count(Outcome.COMPLETED) == 1
    assert set(outcomes) <= {Outcome.COMPLETED, Outcome.HELD, Outcome.OVER}
    assert colorway_of(bench, task).attempts == 1
    assert job_of(bench, job).completed == 1
    assert len(results_in(store)) == 2


@pytest.mark.parametrize("epoch", [0, 2])
def test_a_task_of_another_epoch_is_over(bench, store, epoch):
    _, [task] = a_placed_job(bench)
    with bench.ledger.transaction() as session:
        session.execute(update(colorways).values(epoch=1))

    assert attempt(RenderTask(task.colorway, epoch), bench) is Outcome.OVER

    assert colorway_of(bench, task).status is Status.PENDING
    assert results_in(store) == set()


def test_a_task_for_what_is_not_there_is_over(bench):
    job, _ = a_placed_job(bench)

    assert attempt(RenderTask(job, 0), bench) is Outcome.OVER


def test_a_task_that_another_attempt_holds_must_come_again_and_takes_no_room(bench):
    _, [task] = a_placed_job(bench)
    with bench.ledger.transaction() as session:
        a_claim(session, task)

    with bench.slots.hold(10**9, wait_for=timedelta(0)):
        assert attempt(task, bench) is Outcome.HELD

    assert colorway_of(bench, task).fence == 1


def test_an_attempt_that_another_outran_while_it_waited_must_come_again(bench):
    _, [task] = a_placed_job(bench)

    def now():  # the first to ask does so between the look and the claim
        if colorway_of(bench, task).status is Status.PENDING:
            with bench.ledger.transaction() as session:
                a_claim(session, task)
        return NOON

    late = replace(bench, now=now)

    assert attempt(task, late) is Outcome.HELD


def test_a_lease_that_ran_out_is_taken_over_and_the_slow_attempt_leaves_no_trace(
    shared_bench, store, clock
):
    bench = shared_bench
    job, [task] = a_placed_job(bench)
    is_uploading, may_go_on = Event(), Event()

    def stall(key):
        store.before.clear()
        is_uploading.set()
        assert may_go_on.wait(SOON)

    store.before["put"] = stall
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(attempt, task, bench)
        assert is_uploading.wait(SOON)
        clock.advance(2 * MINUTE)
        second = attempt(task, replace(bench, slots=RenderSlots(ROOM)))  # in another process
        may_go_on.set()
        first = slow.result(SOON)

    assert (second, first) == (Outcome.COMPLETED, Outcome.OVER)
    winner = rendition_of(bench, task).key
    assert "-2." in winner
    assert results_in(store) == {winner, thumbnail_key(winner)}
    row = colorway_of(bench, task)
    assert (row.status, row.fence, row.tries) == (Status.COMPLETED, 2, 1)
    counts = job_of(bench, job)
    assert (counts.completed, counts.processing) == (1, 0)


def test_equal_pictures_that_finish_at_once_share_one_object(shared_bench, store):
    bench = shared_bench
    with bench.ledger.transaction() as session:
        account = an_account(session)
    tasks = [a_placed_job(bench, account=account)[1][0] for _ in range(4)]

    outcomes = at_once(*(partial(attempt, task, bench) for task in tasks))

    assert outcomes == [Outcome.COMPLETED] * 4
    [winner] = {rendition_of(bench, task).key for task in tasks}
    assert results_in(store) == {winner, thumbnail_key(winner)}


def test_sources_of_different_pictures_are_kept_apart(bench, store):
    _, [one] = a_placed_job(bench, body=a_picture(1))
    _, [other] = a_placed_job(bench, body=a_picture(2))

    attempt(one, bench)
    attempt(other, bench)

    assert counted(bench, "source_decodes_total") == 2
    assert rendition_of(bench, one).sha256 != rendition_of(bench, other).sha256
