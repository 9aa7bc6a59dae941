"""Long-polls: a request that waits until there is news of its job, `Prefer: wait=20` (RFC 7240).

Each takes a thread while it waits, so only so many may, and whoever finds no place is answered at
once. Between two looks at the ledger, a waiter holds no connection to it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from time import monotonic
from uuid import UUID

from flask import Request

from colorway.errors import TryLater
from colorway.ledger.connection import Ledger
from colorway.ledger.progress import glance_at_job
from colorway.ledger.tables import Record
from dispatcher.places import Places

LONGEST_WAIT = timedelta(seconds=25)
"""Longer wishes are cut to this: many proxies give up on an answer after 30 seconds."""

LOOK_EVERY = timedelta(milliseconds=250)

_WAIT = re.compile(r'(?:^|,)\s*wait\s*=\s*"?(\d{1,9})"?\s*(?:[;,]|$)', re.IGNORECASE | re.ASCII)

Pause = Callable[[float], bool]
"""Waits so many seconds, or until the process is to end; whether it is. As Event.wait does."""


class Waiting:
    """Holds requests back until there is news, or they have waited for long enough."""

    def __init__(
        self,
        ledger: Ledger,
        places: Places,
        *,
        pause: Pause,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._ledger = ledger
        self._places = places
        self._pause = pause
        self._clock = clock

    def until(
        self, is_news: Callable[[Record], bool], account: UUID, job: UUID, *, at_most: timedelta
    ) -> bool:
        """Return once what a glance at the job shows is news, or that time is over.

        False if there was no place, or the process is about to end. Raises NotFound, also for a
        job that is deleted meanwhile.
        """
        ends_at = self._clock() + at_most.total_seconds()
        if self._is(is_news, account, job):
            return True
        try:
            place = self._places.take()
        except TryLater:
            return False
        with place:
            while (left := ends_at - self._clock()) > 0:
                if self._pause(min(left, LOOK_EVERY.total_seconds())):
                    return False
                if self._is(is_news, account, job):
                    break
        return True

    def _is(self, is_news: Callable[[Record], bool], account: UUID, job: UUID) -> bool:
        with self._ledger.reading() as session:
            return is_news(glance_at_job(session, account, job))


def wait_preferred(request: Request) -> timedelta:
    """Return how long the caller prefers to wait; zero where there is no such wish.

    What cannot be understood is ignored, and of several wishes the first counts: RFC 7240,
    section 2.
    """
    found = _WAIT.search(", ".join(request.headers.getlist("Prefer")))
    return min(timedelta(seconds=int(found[1])), LONGEST_WAIT) if found else timedelta(0)
