"""So many may do a thing at once, and no more: what keeps a thread, or memory, for long."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Hashable
from contextlib import ExitStack
from datetime import timedelta

from colorway.errors import TryLater


def nobody() -> Hashable:
    """Return None: it is not known who asks."""
    return None


class Places:
    """Places of one kind; whoever finds none free is asked to come back.

    Nobody who is known holds more than three quarters of four places or more: one client that is
    slow, or means harm, leaves some to the others.
    """

    def __init__(
        self,
        count: int,
        *,
        full: str,
        wait_for: timedelta = timedelta(0),
        whose: Callable[[], Hashable] = nobody,
    ) -> None:
        """`full` tells a client why it must come back, `wait_for` is how long we look for a place.

        Whoever waits keeps a thread, so the wait is short, or none. `whose` tells who asks.
        """
        self._free = threading.BoundedSemaphore(count)
        self._most_each = count - count // 4
        self._held: Counter[Hashable] = Counter()
        self._counting = threading.Lock()
        self._full = full
        self._wait_s = wait_for.total_seconds()
        self._whose = whose

    def take(self) -> ExitStack:
        """Return a place, taken until it is closed, or raise TryLater; closing twice is harmless.

        `with places.take():` is the usual form. A streamed answer outlives its view, so there the
        place is closed with the response.
        """
        with ExitStack() as place:
            self._enter(self._whose(), place)
            if not self._free.acquire(timeout=self._wait_s):
                raise TryLater(self._full, retry_after=2)
            place.callback(self._free.release)
            return place.pop_all()

    def _enter(self, holder: Hashable, place: ExitStack) -> None:
        if holder is None:
            return
        with self._counting:
            if self._held[holder] >= self._most_each:
                raise TryLater(self._full, retry_after=2)
            self._held[holder] += 1
        place.callback(self._leave, holder)

    def _leave(self, holder: Hashable) -> None:
        with self._counting:
            self._held[holder] -= 1
            if not self._held[holder]:
                del self._held[holder]
