"""Room for so many bytes of pictures at once, handed out in the order of asking."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from time import monotonic

from colorway.errors import TryLater


class RenderSlots:
    """A semaphore weighted by bytes. What is larger than all the room has it alone."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._free = capacity
        self._queue: deque[object] = deque()
        self._changed = threading.Condition()

    @contextmanager
    def hold(self, weight: int, *, wait_for: timedelta) -> Iterator[None]:
        """Hold room for `weight` bytes; TryLater if there is none within `wait_for`."""
        taken = min(weight, self._capacity)
        self._take(taken, wait_for)
        try:
            yield
        finally:
            with self._changed:
                self._free += taken
                self._changed.notify_all()

    def _take(self, weight: int, wait_for: timedelta) -> None:
        me = object()
        until = monotonic() + wait_for.total_seconds()
        with self._changed:
            self._queue.append(me)
            try:
                while self._queue[0] is not me or self._free < weight:
                    if not self._changed.wait(until - monotonic()) and monotonic() >= until:
                        raise TryLater("this worker is full", retry_after=2)
                self._free -= weight
            finally:
                self._queue.remove(me)
                self._changed.notify_all()
