"""What time it is, and waiting for a time; tests bring a clock they move by hand.

Everything that waits for a moment does so on a condition through a Clock, so that a test of an
hour's back-off takes no time. Only the dispatch deadline runs on real time: it is the socket's.
"""

import threading
import time
from typing import Protocol

# A laptop that slept, or a wall clock that was set, is noticed after this many seconds.
LONGEST_WAIT = 30.0


class Clock(Protocol):
    def now(self) -> float:
        """Seconds since the epoch."""

    def wait(self, condition: threading.Condition, until: float | None) -> None:
        """Wait, holding the condition, until it is notified or the time has come.

        It may return early; the caller looks again.
        """


class SystemClock:
    def now(self) -> float:
        return time.time()

    def wait(self, condition: threading.Condition, until: float | None) -> None:
        if until is None:
            condition.wait()
        else:
            condition.wait(min(max(until - time.time(), 0.0), LONGEST_WAIT))


class ManualClock:
    """Stands still until advance() is called. Starts now, or tokens would be out of date."""

    def __init__(self, start: float | None = None) -> None:
        self._now = time.time() if start is None else start
        self._lock = threading.Lock()
        self._waiting: set[threading.Condition] = set()

    def now(self) -> float:
        return self._now

    def wait(self, condition: threading.Condition, until: float | None) -> None:
        # Registered and compared under one lock: an advance() in between cannot be missed.
        with self._lock:
            self._waiting.add(condition)
            if until is not None and until <= self._now:
                return
        condition.wait()

    def advance(self, seconds: float) -> None:
        with self._lock:
            self._now += seconds
            waiting = tuple(self._waiting)
        for condition in waiting:
            with condition:
                condition.notify_all()
