"""So many may do a thing at once, and no more: what keeps a thread, or memory, for long."""

from __future__ import annotations

import threading
from contextlib import ExitStack
from datetime import timedelta

from colorway.errors import TryLater


class Places:
    """Places of one kind; whoever finds none free is asked to come back."""

    def __init__(self, count: int, *, full: str, wait_for: timedelta = timedelta(0)) -> None:
        """`full` tells a client why it must come back, `wait_for` is how long we look for a place.

        Whoever waits keeps a thread, so the wait is short, or none.
        """
        self._free = threading.BoundedSemaphore(count)
        self._full = full
        self._wait_s = wait_for.total_seconds()

    def take(self) -> ExitStack:
        """Return a place, taken until it is closed, or raise TryLater; closing twice is harmless.

        `with places.take():` is the usual form. A streamed answer outlives its view, so there the
        place is closed with the response.
        """
        if not self._free.acquire(timeout=self._wait_s):
            raise TryLater(self._full, retry_after=2)
        place = ExitStack()
        place.callback(self._free.release)
        return place
