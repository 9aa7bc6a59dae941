"""A store in trouble is waited for inside the attempt for a moment; for longer, by the queue."""

from __future__ import annotations

import gc
import hashlib
import threading
import weakref
from contextlib import suppress
from dataclasses import replace
from functools import partial
from io import BytesIO

import pytest
from tenacity import sleep_using_event

from colorway.errors import Misconfigured, TryLater
from colorway.ledger import lapse
from colorway.lifecycle import Status
from palette_worker.attempt import Outcome, attempt
from palette_worker.patience import MOST_TRIES
from tests.builders import MINUTE
from tests.fakes import HookedStore, away
from tests.palette_worker.workplace import (
    BUDGET,
    SOON,
    a_bench,
    a_placed_job,
    at_once,
    colorway_of,
    counted,
    given_back,
    rendition_of,
    results_in,
)


def cut_off(key):
    raise OSError("connection reset by peer")


def failing(times, trouble=away):
    """Return the hook of a store that is in trouble so many times, and the keys it was asked."""
    asked = []

    def hook(key):
        asked.append(key)
        if len(asked) <= times:
            trouble(key)

    return hook, asked


class LossyStore(HookedStore):
    """A store whose streams do to their bytes what `losses` says, one loss a stream."""

    def __init__(self, *losses):
        super().__init__()
        self.losses = list(losses)
        self.opened = []

    def open(self, key):
        stream = super().open(key)
        if self.losses:
            stream = BytesIO(self.losses.pop(0)(stream.read()))
        self.opened.append(weakref.ref(stream))
        return stream


def cut_short(body):
    return body[: len(body) // 2]


def spoil(body):
    return bytes([body[0] ^ 1]) + body[1:]


# Trouble that passes


@pytest.mark.parametrize("method", ["open", "put"])
def test_a_store_that_comes_back_in_time_costs_nothing_but_the_wait(bench, store, method):
    pauses = []
    _, [task] = a_placed_job(bench)
    store.before[method], _ = failing(MOST_TRIES - 1)

    assert attempt(task, replace(bench, pause=pauses.append)) is Outcome.COMPLETED

    row = colorway_of(bench, task)
    assert (row.attempts, row.tries, row.error) == (1, 0, None)
    assert len(pauses) == MOST_TRIES - 1
    assert pauses == sorted(pauses)  # each at least as long as the one before
    assert len(results_in(store)) == 2


def test_a_stream_that_breaks_off_is_read_again(bench, store):
    _, [task] = a_placed_job(bench)
    store.before["open"], _ = failing(1, cut_off)

    assert attempt(task, bench) is Outcome.COMPLETED


@pytest.mark.parametrize(
    "trouble", [TryLater("too many requests", retry_after=60), Misconfigured("the key is refused")]
)
def test_a_store_that_asks_for_more_time_is_not_asked_again_by_the_same_attempt(
    bench, store, trouble
):
    def ask_for_time(key):
        raise trouble

    _, [task] = a_placed_job(bench)
    store.before["open"], asked = failing(MOST_TRIES, ask_for_time)

    with pytest.raises(TryLater) as put_off:
        attempt(task, bench)

    assert len(asked) == 1
    assert put_off.value.retry_after == trouble.retry_after  # which the queue is told
    assert given_back(bench, task)


def test_a_body_that_came_cut_short_is_read_again(sqlite_ledger, clock):
    bench = a_bench(sqlite_ledger, LossyStore(cut_short, lambda body: b""), clock)
    _, [task] = a_placed_job(bench)

    assert attempt(task, bench) is Outcome.COMPLETED


def test_a_body_that_is_always_cut_short_is_not_damaged_for_good(sqlite_ledger, clock):
    bench = a_bench(sqlite_ledger, LossyStore(*[cut_short] * MOST_TRIES), clock)
    _, [task] = a_placed_job(bench)

    with pytest.raises(TryLater, match="cut short"):
        attempt(task, bench)

    assert given_back(bench, task)
    assert colorway_of(bench, task).error["code"] == "store-unavailable"
    assert attempt(task, bench) is Outcome.COMPLETED


def test_a_source_that_is_shorter_in_the_store_itself_is_damaged(bench, store):
    _, [task] = a_placed_job(bench)
    [key] = store.objects
    store.objects[key] = cut_short(store.objects[key])

    assert attempt(task, bench) is Outcome.FAILED

    assert colorway_of(bench, task).error["code"] == "source-damaged"


def test_bytes_that_were_spoilt_on_their_way_are_read_once_more(sqlite_ledger, clock):
    bench = a_bench(sqlite_ledger, LossyStore(spoil), clock)
    _, [task] = a_placed_job(bench)

    assert attempt(task, bench) is Outcome.COMPLETED


def test_bytes_that_are_spoilt_twice_are_damaged(sqlite_ledger, clock):
    bench = a_bench(sqlite_ledger, LossyStore(spoil, spoil), clock)
    _, [task] = a_placed_job(bench)

    assert attempt(task, bench) is Outcome.FAILED

    assert colorway_of(bench, task).error["code"] == "source-damaged"


def test_a_put_that_failed_halfway_is_repeated_from_its_first_byte(bench, store):
    _, [task] = a_placed_job(bench)
    whole = store.put
    lost = []

    class HalfPut:
        """Reads half of the first body, then breaks."""

        def __getattr__(self, name):
            return getattr(store, name)

        def put(self, key, body, **said):
            if not lost:
                lost.append(body.read(10))
                raise TryLater("cut off")
            whole(key, body, **said)

    assert attempt(task, replace(bench, store=HalfPut())) is Outcome.COMPLETED

    rendition = rendition_of(bench, task)
    assert hashlib.sha256(store.objects[rendition.key]).hexdigest() == rendition.sha256


# Trouble that does not pass


@pytest.mark.parametrize("method", ["open", "put"])
def test_a_store_that_stays_away_is_asked_a_few_times_and_then_the_queue_waits(
    bench, store, method
):
    _, [task] = a_placed_job(bench)
    store.before[method], asked = failing(1000)

    with pytest.raises(TryLater, match="store is away"):
        attempt(task, bench)

    assert len(asked) == MOST_TRIES
    assert given_back(bench, task)
    assert colorway_of(bench, task).error["code"] == "store-unavailable"


def test_all_who_wait_for_one_source_survive_its_trouble(bench, store):
    _, tasks = a_placed_job(bench, ("nord", "ink", "grape", "forest"))
    store.before["open"], _ = failing(2)

    outcomes = at_once(*(partial(attempt, task, bench) for task in tasks))

    assert outcomes == [Outcome.COMPLETED] * 4
    assert counted(bench, "source_decodes_total") == 1


def test_who_stops_while_the_store_is_in_trouble_stops_nobody_else(bench, store, clock):
    _, [late, other] = a_placed_job(bench, ("nord", "ink"))
    store.before["open"], _ = failing(1)
    is_pausing, may_go_on = threading.Event(), threading.Event()

    def pause(seconds):
        is_pausing.set()
        assert may_go_on.wait(SOON)
        with bench.ledger.transaction() as session:
            lapse.take_back(session, late.colorway, now=clock() + 2 * MINUTE)
        bench.heartbeat.beat()

    def follow():
        assert is_pausing.wait(SOON)
        outcome = attempt(other, bench)  # reads for itself, though the first has not given up
        may_go_on.set()
        return outcome

    first, second = at_once(partial(attempt, late, replace(bench, pause=pause)), follow)

    assert (first, second) == (Outcome.OVER, Outcome.COMPLETED)
    assert colorway_of(bench, late).status is Status.PENDING


def test_an_attempt_whose_time_is_up_asks_no_more(bench, store, clock):
    _, [task] = a_placed_job(bench)
    store.before["put"], asked = failing(1000)

    with pytest.raises(TryLater, match="time"):
        attempt(task, replace(bench, pause=lambda seconds: clock.advance(BUDGET)))

    assert len(asked) == 1
    assert given_back(bench, task)
    assert colorway_of(bench, task).error["code"] == "too-slow"


def test_a_worker_that_is_stopped_does_not_sleep_on(bench, store):
    _, [task] = a_placed_job(bench)
    asked = []

    def stop(key):
        asked.append(key)
        bench.draining.set()
        away(key)

    store.before["open"] = stop

    with pytest.raises(TryLater, match="stopping"):
        attempt(task, replace(bench, pause=sleep_using_event(bench.draining)))

    assert len(asked) == 1
    assert given_back(bench, task)
    assert colorway_of(bench, task).error["code"] == "worker-stopped"


def test_a_bug_is_not_mistaken_for_trouble(bench, store):
    _, [task] = a_placed_job(bench, body=b"no picture")
    store.before["open"], asked = failing(0)

    assert attempt(task, bench) is Outcome.FAILED

    assert len(asked) == 1


def test_a_failure_keeps_no_source_in_memory(sqlite_ledger, clock):
    store = LossyStore(*[cut_short] * MOST_TRIES)
    bench = a_bench(sqlite_ledger, store, clock)
    _, [task] = a_placed_job(bench)
    gc.collect()
    gc.disable()
    try:
        with suppress(TryLater):
            attempt(task, bench)
        kept = [stream for stream in store.opened if stream() is not None]
    finally:
        gc.enable()

    assert len(store.opened) == MOST_TRIES
    assert kept == []  # no cycle of an error and its frames holds a stream, or its bytes
