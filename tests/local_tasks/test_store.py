"""The queue's file: a promise is on disk before it is told, and nobody else waits for that."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Event, Semaphore

import pytest

from local_tasks.store import Store

NAMES = [f"projects/p/locations/l/queues/q/tasks/{name}" for name in "ab"]


class SlowDisk:
    """Syncs once it may, and says how many wait for it."""

    def __init__(self) -> None:
        self.waiting = Semaphore(0)
        self.may_go_on = Event()
        self.may_go_on.set()

    def sync(self, _: int) -> None:
        self.waiting.release()
        assert self.may_go_on.wait(10)

    def hang(self) -> None:
        self.waiting = Semaphore(0)
        self.may_go_on.clear()

    def has_waiting(self, count: int) -> bool:
        return all(self.waiting.acquire(timeout=10) for _ in range(count))


@pytest.fixture
def disk():
    disk = SlowDisk()
    yield disk
    disk.may_go_on.set()


@pytest.fixture
def store(tmp_path, disk):
    store = Store(tmp_path / "queue.db", sync=disk.sync)
    yield store
    store.close()


def add(store, name):
    return store.add(name, b"a task", due_at=0, now=0)


def test_a_task_is_promised_once_the_disk_has_it_and_attempts_do_not_wait_for_that(store, disk):
    disk.hang()
    with ThreadPoolExecutor(1) as pool:
        adding = pool.submit(add, store, NAMES[0])
        assert disk.has_waiting(1)

        begun = store.begin_attempt(NAMES[0], now=1)

        assert begun is not None
        assert not adding.done()
        disk.may_go_on.set()
        assert adding.result(10)


@pytest.mark.parametrize(
    ("names", "are_new"),
    [
        pytest.param(NAMES, [True, True], id="two tasks"),
        pytest.param(NAMES[:1] * 2, [False, True], id="one task twice"),
    ],
)
def test_what_comes_at_once_waits_for_the_disk_at_once(store, disk, names, are_new):
    disk.hang()
    with ThreadPoolExecutor(2) as pool:
        adding = [pool.submit(add, store, name) for name in names]

        assert disk.has_waiting(2)
        assert not any(each.done() for each in adding)
        disk.may_go_on.set()
        assert sorted(each.result(10) for each in adding) == are_new
