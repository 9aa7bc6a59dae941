"""Clients that know nothing but HTTP: they submit, watch, cancel, retry, fetch, whatever happens.

What gets no answer, or a 5xx, is repeated with the same Idempotency-Key until it is accepted.
"""

from __future__ import annotations

import random
import threading
import time
from collections import deque
from collections.abc import Iterator
from typing import Any

from chaos.diary import Diary
from chaos.orders import Order, orders
from chaos.wire import Wire

CLIENTS = 6
_MOST_OPEN = 3
_ORDER_EVERY_S = 5.0  # of one client, on average
_POLL_EVERY_S = 1.0
_LONGEST_WAIT_S = 2.0
_PICTURES_FETCHED = 2
_NAP_S = 0.05


class Crowd:
    """All the clients, each in a thread."""

    def __init__(self, base_url: str, api_key: str, diary: Diary, *, seed: int) -> None:
        self._closing = threading.Event()
        self._leaving = threading.Event()
        self._special: deque[Order] = deque()
        self._threads = [
            threading.Thread(
                target=self._live,
                args=(Wire(base_url, api_key, diary, client=client), diary, seed, client),
                name=f"client-{client}",
                daemon=True,
            )
            for client in range(CLIENTS)
        ]

    def start(self) -> None:
        """Let them come."""
        for thread in self._threads:
            thread.start()

    def also_order(self, order: Order) -> None:
        """Let the next client that is free order this."""
        self._special.append(order)

    def finish(self, *, within_s: float) -> bool:
        """Order no more, and see every open job to its end; whether all did in time."""
        self._closing.set()
        until = time.monotonic() + within_s
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))
        in_time = not any(thread.is_alive() for thread in self._threads)
        self.leave()
        return in_time

    def leave(self) -> None:
        """Leave whatever is open."""
        self._leaving.set()
        for thread in self._threads:
            if thread.ident is not None:
                thread.join()

    def _live(self, wire: Wire, diary: Diary, seed: int, client: int) -> None:
        dice = random.Random(f"manners {seed} {client}")  # noqa: S311
        catalogue: Iterator[Order] = orders(seed, client)
        errands: list[Errand] = []
        next_order_at = time.monotonic() + dice.uniform(0, 1)
        while not self._leaving.is_set():
            now = time.monotonic()
            wants_more = not self._closing.is_set() and len(errands) < _MOST_OPEN
            if wants_more and (self._special or now >= next_order_at):
                errands.append(Errand(self._next(catalogue), wire, diary, dice))
                next_order_at = now + dice.expovariate(1 / _ORDER_EVERY_S)
            for errand in errands:
                errand.step_if_due()
            errands = [errand for errand in errands if not errand.is_over]
            if self._closing.is_set() and not errands and not self._special:
                break
            self._leaving.wait(_NAP_S)
        for errand in errands:
            diary.note("left open", client=client, order=errand.order.key, job=errand.job)
        wire.close()

    def _next(self, catalogue: Iterator[Order]) -> Order:
        try:
            return self._special.popleft()
        except IndexError:
            return next(catalogue)


class Errand:
    """One order, from the first attempt to submit it to the last picture fetched."""

    def __init__(self, order: Order, wire: Wire, diary: Diary, dice: random.Random) -> None:
        self.order = order
        self.job: str | None = None
        self.is_over = False
        self._wire = wire
        self._dice = dice
        self._due_at = 0.0
        self._failures = 0
        self._polls = 0
        self._image: str | None = None
        self._version: int | None = None
        self._cancels_left = order.cancels_at_poll is not None
        self._retries_left = order.retries
        self._wanted: list[tuple[dict[str, Any], bool]] | None = None
        diary.note(
            "orders",
            order=order.key,
            sha256=order.picture.sha256,
            palettes=len(order.document["palettes"]),
            poison=order.is_poison,
        )

    def step_if_due(self) -> None:
        """Do the next thing, if it is time."""
        if time.monotonic() < self._due_at:
            return
        if self._step():
            self._failures = 0
            self._due_at = time.monotonic() + self._dice.uniform(0.5, 1.5) * _POLL_EVERY_S
        else:
            self._failures += 1
            longest = min(_LONGEST_WAIT_S, 0.2 * 2**self._failures)
            self._due_at = time.monotonic() + self._dice.uniform(0.3, 1.0) * longest

    def _step(self) -> bool:
        """Do one thing; whether it was answered."""
        if self.job is None:
            return self._submit()
        if self._wanted is not None:
            return self._fetch_next()
        if self._cancels_left and self._polls >= (self.order.cancels_at_poll or 0):
            return self._cancel(self.job)
        return self._poll(self.job)

    def _submit(self) -> bool:
        if self.order.uploads_first and self._image is None:
            self._image = self._wire.upload(self.order)
            if self._image is None:
                return False
        job = self._wire.submit(self.order, self._image)
        if job is not None:
            self.job = str(job["id"])
        return job is not None

    def _poll(self, job: str) -> bool:
        self._polls += 1
        known = self._version if self._polls % 3 == 0 else None
        seen = self._wire.poll(job, version=known)
        if seen is None:
            return known is not None  # perhaps it has not changed
        self._version = int(seen["version"])
        if not seen["done"]:
            return True
        if self._retries_left and seen["counts"]["cancelled"]:
            return self._retry(job)
        finished = [each for each in seen["colorways"] if each["status"] == "completed"]
        chosen = self._dice.sample(finished, min(_PICTURES_FETCHED, len(finished)))
        self._wanted = [(each, thumbnail) for each in chosen for thumbnail in (False, True)]
        return self._fetch_next()

    def _cancel(self, job: str) -> bool:
        answered = self._wire.cancel(job) is not None
        self._cancels_left = not answered
        return answered

    def _retry(self, job: str) -> bool:
        answer = self._wire.retry(job)
        if answer is None:
            return False
        self._retries_left = False
        return True

    def _fetch_next(self) -> bool:
        assert self._wanted is not None  # noqa: S101 - _step() asks
        if not self._wanted:
            self.is_over = True
            return True
        assert self.job is not None  # noqa: S101
        colorway, thumbnail = self._wanted[0]
        came = self._wire.fetch(self.job, colorway, thumbnail=thumbnail)
        if came:
            self._wanted.pop(0)
            self._due_at = 0.0
        return came
