"""The queue's file: a promise is on disk before it is told, and nobody else waits for that."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest

from local_tasks import store as queue_file
from local_tasks.store import Store

NAMES = [f"projects/p/locations/l/queues/q/tasks/{name}" for name in "ab"]


class SlowDisk:
    """Syncs when it is told to, and says how many wait for it."""

    def __init__(self) -> None:
        self.is_asked, self.may_go_on = Event(), Event()
        self.waiting = 0

    def sync(self, _: int) -> None:
        self.waiting += 1
        self.is_asked.set()
        assert self.may_go_on.wait(10)


@pytest.fixture
def store(tmp_path):
    store = Store(tmp_path / "queue.db")
    yield store
    store.close()


@pytest.fixture
def disk(store, monkeypatch):
    disk = SlowDisk()
    monkeypatch.setattr(queue_file, "_sync", disk.sync)
    yield disk
    disk.may_go_on.set()


def add(store, name):
    return store.add(name, b"a task", due_at=0, now=0)


def test_a_task_is_promised_once_the_disk_has_it_and_attempts_do_not_wait_for_that(store, disk):
    with ThreadPoolExecutor(1) as pool:
        adding = pool.submit(add, store, NAMES[0])
        assert disk.is_asked.wait(10)

        begun = store.begin_attempt(NAMES[0], now=1)

        assert begun is not None
        assert not adding.done()
        disk.may_go_on.set()
        assert adding.result(10)


def test_tasks_that_come_at_once_are_synced_at_once(store, disk):
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(add, store, NAMES[0])
        assert disk.is_asked.wait(10)
        disk.is_asked.clear()
        second = pool.submit(add, store, NAMES[1])

        assert disk.is_asked.wait(10)
        assert disk.waiting == 2
        disk.may_go_on.set()
        assert first.result(10)
        assert second.result(10)


def test_a_name_that_is_taken_is_refused_only_once_the_disk_has_its_task(store, disk):
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(add, store, NAMES[0])
        assert disk.is_asked.wait(10)
        disk.is_asked.clear()
        again = pool.submit(add, store, NAMES[0])

        assert disk.is_asked.wait(10)
        assert not again.done()
        disk.may_go_on.set()
        assert (first.result(10), again.result(10)) == (True, False)
