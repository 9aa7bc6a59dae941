"""Upkeep by a timer, where no scheduler calls."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta

from colorway.errors import TryLater
from dispatcher.timer import call_every


def test_the_timer_goes_on_after_trouble_and_stops_when_told() -> None:
    stopping, called = threading.Event(), threading.Semaphore(0)
    times: list[datetime] = []

    def work(now: datetime) -> None:
        times.append(now)
        called.release()
        if len(times) == 1:
            raise TryLater("away")
        if len(times) == 2:
            raise RuntimeError("a bug")

    timer = call_every(timedelta(milliseconds=1), "upkeep", work, stopping)

    for _ in range(3):
        assert called.acquire(timeout=20)
    stopping.set()
    timer.join(20)
    assert not timer.is_alive()
    assert times == sorted(times)
