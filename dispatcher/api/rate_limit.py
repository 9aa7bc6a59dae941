"""How often an API key may call, counted by Flask-Limiter and told in every answer to a caller.

Each process counts what comes to it: of three of them, a key may call three times as often. That
keeps one client from taking all threads; what an account may have in all is the ledger's affair.
A key's window begins with a call and ends after its time, whatever came in it, so that around that
end twice as many may come.

Flask-Limiter's own check comes before the route, when nobody knows whose key it is. So it is given
no limit to check, and authentication.py has its strategy asked once the key is known, for half of
what a check costs. What nobody has authenticated is neither counted nor told anything.
"""

from __future__ import annotations

from collections.abc import Callable
from math import ceil
from threading import Lock
from time import monotonic
from typing import Any

from flask import Flask, Response, g
from flask_limiter import Limiter
from limits import parse
from limits.storage import Storage

from colorway.errors import TooMany
from colorway.ledger.accounts import Caller

Clock = Callable[[], float]
"""Seconds since some moment that stays the same."""


def limit_rates(app: Flask, rate: str, *, clock: Clock = monotonic) -> None:
    """Let no API key call this app more often than this; an empty rate is no limit.

    The headers are those of draft-ietf-httpapi-ratelimit-headers-09.
    """
    if not rate:
        return
    most = parse(rate)
    calls, seconds = most.amount, most.get_expiry()
    limiter = Limiter(
        lambda: g.calling_key,
        app=app,
        request_identifier=lambda: "",  # spares it the search for limits that are not there
        strategy="fixed-window",
        storage_uri="windows://",
        storage_options={"clock": clock},  # type: ignore[dict-item]  # for Windows
    ).limiter

    def count(key: str) -> None:
        if not limiter.hit(most, key):
            raise TooMany(
                f"an API key may call {calls:,} times in {seconds:,} s",
                code="rate-limited",
                retry_after=max(1, state(key)[1]),
            )

    def state(key: str) -> tuple[int, int]:
        """Return how many calls are left, and for how many seconds."""
        window = limiter.get_window_stats(most, key)
        return window.remaining, max(0, ceil(window.reset_time - clock()))

    @app.before_request
    def expect() -> None:
        g.count_call = count

    @app.after_request
    def tell(answer: Response) -> Response:
        if "calling_key" in g:
            left, ends_in = state(g.calling_key)
            answer.headers["RateLimit-Policy"] = f'"default";q={calls};w={seconds}'
            answer.headers["RateLimit"] = f'"default";r={left};t={ends_in}'
        return answer


def count_call(caller: Caller) -> None:
    """Count this request against the rate of its key, or raise TooMany; once per request."""
    g.calling_key = str(caller.key)
    if "count_call" in g:
        g.count_call(g.calling_key)


class Windows(Storage):
    """Counts in this process's memory, each until its window ends.

    The memory storage of limits starts a thread to tidy up for nearly every call, which costs three
    times what counting does, and knows no clock but the system's.
    """

    STORAGE_SCHEME = ["windows"]  # noqa: RUF012 - as limits declares it
    base_exceptions = ()

    def __init__(self, uri: str | None = None, *, clock: Clock, **_: Any) -> None:
        super().__init__(uri)
        self._clock = clock
        self._lock = Lock()
        self._windows: dict[str, tuple[int, float]] = {}
        self._tidy_at = 0.0

    def incr(self, key: str, expiry: float, amount: int = 1) -> int:
        """Count, in a window of so many seconds that begins now if none is open."""
        now = self._clock()
        with self._lock:
            if now >= self._tidy_at:
                self._windows = {k: each for k, each in self._windows.items() if each[1] > now}
                self._tidy_at = now + expiry
            count, ends_at = self._windows.get(key, (0, now + expiry))
            if ends_at <= now:
                count, ends_at = 0, now + expiry
            self._windows[key] = (count + amount, ends_at)
        return count + amount

    def get(self, key: str) -> int:
        """Return what the open window has counted."""
        count, ends_at = self._windows.get(key, (0, 0.0))
        return count if ends_at > self._clock() else 0

    def get_expiry(self, key: str) -> float:
        """Return when the window ends, by the clock; now, if none is open."""
        _, ends_at = self._windows.get(key, (0, 0.0))
        return max(ends_at, self._clock())

    def check(self) -> bool:
        """Whether this works: always."""
        return True

    def reset(self) -> int:
        """Forget every window; return how many."""
        with self._lock:
            forgotten, self._windows = len(self._windows), {}
        return forgotten

    def clear(self, key: str) -> None:
        """Forget the window of this key."""
        with self._lock:
            self._windows.pop(key, None)
