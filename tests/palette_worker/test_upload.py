"""An upload ends where its attempt must, and the log and the metrics tell what became of it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from functools import partial
from io import BytesIO
from threading import Event
from time import perf_counter

import pytest
from structlog.contextvars import merge_contextvars
from structlog.testing import capture_logs

from colorway.errors import TryLater
from colorway.ledger import lapse
from palette_worker.attempt import Outcome, attempt
from palette_worker.patience import MOST_TRIES
from tests.builders import MINUTE
from tests.fakes import HookedStore, away
from tests.palette_worker.workplace import (
    BUDGET,
    ROOM,
    SOON,
    a_bench,
    a_placed_job,
    colorway_of,
    counted,
    given_back,
    results_in,
    until,
)

PICTURE, THUMBNAIL = ".png", ".thumb.webp"
THIRD = 3


class Piecemeal(HookedStore):
    """A store that takes bodies in small pieces, and does `between` after the third of each."""

    def __init__(self):
        super().__init__()
        self.between = lambda key: None
        self.pieces = []

    def put(self, key, body, *, size, **said):
        whole = BytesIO()
        while piece := body.read(size // 10 + 1):
            self.pieces.append(key)
            whole.write(piece)
            if self.pieces.count(key) == THIRD:
                self.between(key)
        whole.seek(0)
        super().put(key, whole, size=size, **said)


@pytest.fixture
def store():
    return Piecemeal()


def nobody(seconds):
    pytest.fail("it asked the store again")


def stopped_at(bench, store, suffix, stop):
    """Attempt a colorway; stop its upload amid this body. Return its task and the log."""
    _, [task] = a_placed_job(bench)
    store.between = lambda key: key.endswith(suffix) and stop()
    with capture_logs([merge_contextvars]) as lines, pytest.raises(TryLater):
        attempt(task, replace(bench, pause=nobody))
    return task, lines


@pytest.mark.parametrize("suffix", [PICTURE, THUMBNAIL])
def test_an_upload_does_not_go_on_when_its_time_is_up(bench, store, clock, suffix):
    task, _ = stopped_at(bench, store, suffix, lambda: clock.advance(BUDGET))

    assert sum(key.endswith(suffix) for key in store.pieces) == THIRD
    assert given_back(bench, task)
    assert colorway_of(bench, task).error["code"] == "too-slow"
    assert results_in(store) == set()


@pytest.mark.parametrize("suffix", [PICTURE, THUMBNAIL])
def test_an_upload_does_not_go_on_when_its_worker_must_stop(bench, store, suffix):
    task, _ = stopped_at(bench, store, suffix, bench.draining.set)

    assert sum(key.endswith(suffix) for key in store.pieces) == THIRD
    assert given_back(bench, task)
    assert colorway_of(bench, task).error["code"] == "worker-stopped"
    assert results_in(store) == set()


@pytest.mark.parametrize("suffix", [PICTURE, THUMBNAIL])
def test_an_upload_does_not_go_on_when_its_lease_is_lost(bench, store, clock, suffix):
    _, [task] = a_placed_job(bench)

    def lose_the_lease(key):
        if key.endswith(suffix):
            with bench.ledger.transaction() as session:
                lapse.take_back(session, task.colorway, now=clock() + 2 * MINUTE)
            bench.heartbeat.beat()

    store.between = lose_the_lease

    assert attempt(task, replace(bench, pause=nobody)) is Outcome.OVER

    assert sum(key.endswith(suffix) for key in store.pieces) == THIRD
    assert given_back(bench, task, tries=1)
    assert results_in(store) == set()


def test_an_upload_that_was_stopped_leaves_its_turn_and_its_room_to_others(bench, store, clock):
    stopped_at(bench, store, PICTURE, lambda: clock.advance(BUDGET))

    with bench.slots.hold(ROOM, wait_for=timedelta(0)):  # all of it is free
        assert all(bench.uploads.acquire(blocking=False) for _ in range(2))


def test_what_a_store_has_taken_in_one_go_is_not_followed_by_its_thumbnail(sqlite_ledger, clock):
    store = HookedStore()
    bench = a_bench(sqlite_ledger, store, clock)
    _, [task] = a_placed_job(bench)
    store.after["put"] = lambda key: bench.draining.set()

    with pytest.raises(TryLater, match="stopping"):
        attempt(task, replace(bench, pause=nobody))

    assert [key.endswith(THUMBNAIL) for key in store.said if "/colorways/" in key] == [False]
    assert given_back(bench, task)
    assert results_in(store) == set()


def test_others_render_while_as_many_upload_as_may(bench, store):
    _, tasks = a_placed_job(bench, ("nord", "ink", "grape", "forest"))
    uploading, most, may_go_on = [], [], Event()

    def stall(key):
        uploading.append(key)
        most.append(len(uploading))
        assert may_go_on.wait(SOON)
        uploading.remove(key)

    store.before["put"] = stall
    with ThreadPoolExecutor(len(tasks)) as pool:
        outcomes = pool.map(partial(attempt, bench=bench), tasks)
        until(lambda: counted(bench, "palette_render_seconds_count") == len(tasks))
        until(lambda: len(uploading) == 2)
        with pytest.raises(TryLater, match="full"), bench.slots.hold(ROOM, wait_for=timedelta(0)):
            pass  # what waits for its turn, or is under way, still has its bytes in memory
        may_go_on.set()
        assert list(outcomes) == [Outcome.COMPLETED] * len(tasks)

    assert max(most) == 2


# What is told of it


def told(bench, task):
    """Attempt the colorway; return what the log says of its upload."""
    with capture_logs([merge_contextvars]) as lines, suppress(TryLater):
        attempt(task, bench)
    return [line for line in lines if line.get("step") == "upload_palette"]


def test_an_upload_is_told_from_its_start_to_its_end(bench, store):
    _, [task] = a_placed_job(bench)
    at = []
    store.before["put"] = lambda key: at.append(perf_counter())

    start, end = told(bench, task)

    stored = sum(len(store.objects[key]) for key in results_in(store))
    assert (start["event"], start["phase"], start["bytes"]) == ("UPLOAD_START", "START", stored)
    assert (end["event"], end["phase"]) == ("UPLOAD_COMPLETE", "END")
    assert {line["colorway"] for line in (start, end)} == {str(task.colorway)}
    assert end["duration"] >= at[1] - at[0]  # of picture and thumbnail
    assert counted(bench, "palette_upload_seconds_count") == 1
    assert counted(bench, "palette_upload_seconds_sum") == end["duration"]


def test_an_upload_that_is_tried_again_says_so_between_its_start_and_its_end(bench, store):
    _, [task] = a_placed_job(bench)
    failures = [away, away]
    store.before["put"] = lambda key: failures and failures.pop()(key)

    lines = told(bench, task)

    again = "trouble, tried again"
    assert [line["event"] for line in lines] == ["UPLOAD_START", again, again, "UPLOAD_COMPLETE"]
    assert [line["tries"] for line in lines[1:3]] == [1, 2]
    assert {line["reason"] for line in lines[1:3]} == {"the store is away"}
    assert counted(bench, "palette_upload_seconds_count") == 1


def test_an_upload_that_fails_says_once_why(bench, store):
    _, [task] = a_placed_job(bench)
    store.before["put"] = away

    *earlier, end = told(bench, task)

    assert len(earlier) == MOST_TRIES
    assert (end["event"], end["phase"]) == ("UPLOAD_FAILED", "END")
    assert end["reason"] == "the store is away"
    assert end["duration"] > 0
    assert counted(bench, "palette_upload_seconds_count") == 0


def test_an_upload_that_was_stopped_says_why_and_is_not_tried_again(bench, store, clock):
    _, lines = stopped_at(bench, store, PICTURE, lambda: clock.advance(BUDGET))

    upload = [line for line in lines if line.get("step") == "upload_palette"]
    assert [line["event"] for line in upload] == ["UPLOAD_START", "UPLOAD_FAILED"]
    assert upload[1]["reason"] == "the attempt has used up its time"
