"""Callers that come when they come: a steady rate, whatever the server makes of it.

A request's time runs from when it was due, so a server that is slow for one is blamed for all that
had to wait behind it. https://github.com/giltene/wrk2 tells why.
"""

from __future__ import annotations

import json
import random
import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import accumulate
from multiprocessing import get_context
from multiprocessing.synchronize import Event
from time import perf_counter, sleep
from typing import Any

from benchmarks.line import EMPTY_ROUTE, Answer, Line
from dispatcher.delivery import CHUNK

_CALLERS = 40
_PARTS = "multipart/form-data; boundary=limit"


@dataclass(frozen=True, slots=True)
class Server:
    """Where to call, and as whom."""

    url: str
    api_key: str

    def line(self) -> Line:
        """Return a connection of one's own."""
        return Line(self.url, self.api_key)


@dataclass(slots=True)
class Tally:
    """Seconds by what was asked, and what went wrong."""

    submissions: list[float] = field(default_factory=list)
    polls: list[float] = field(default_factory=list)
    empty: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    @property
    def mixed(self) -> list[float]:
        """Submissions and polls together."""
        return self.submissions + self.polls


class Load:
    """Small jobs, and looks at them, at a rate; beside them as many calls of the empty route."""

    def __init__(self, server: Server, small_picture: bytes, submissions: float) -> None:
        """So many of the mixed requests submit, from 0 to 1; the others poll."""
        self._server = server
        self._submissions = submissions
        self._picture = small_picture
        self._own = threading.local()
        self._lines = ExitStack()
        self._numbers = iter(range(10**9))
        self._jobs: deque[str] = deque(maxlen=200)
        self._chance = random.Random(1)  # noqa: S311 - no secret
        self._large_jobs: list[str] = []

    def keep_workers_busy(self, picture: bytes, jobs: int) -> None:
        """Order so many jobs of 200 colorways of a large picture; return once the queue has all.

        That is as many as one call of the deliver route hands over, so that none comes in between.
        """
        palettes = [
            {"name": f"Palette {index}", "colors": [f"#{index * 977:06x}", "#7788aa", "#ffffff"]}
            for index in range(CHUNK)
        ]
        for number in range(jobs):
            another = picture + number.to_bytes()  # behind its end: another source
            answer = self._line().post("/v1/jobs", _parts(another, {"palettes": palettes}), _PARTS)
            if answer.status != 202:
                raise SystemExit(f"{answer.status} {answer.body[:500]!r}")
            self._large_jobs.append(json.loads(answer.body)["links"]["self"])
        while self._stats()["undelivered"]:
            sleep(0.1)

    def are_workers_busy(self) -> bool:
        """Whether that goes on."""
        with self._server.line() as line:  # one that was kept for so long may be closed by now
            return not all(json.loads(line.get(job).body)["done"] for job in self._large_jobs)

    def _stats(self) -> dict[str, Any]:
        stats: dict[str, Any] = json.loads(self._line().get("/v1/queue/stats").body)
        return stats

    def run(self, rate: float, requests: int) -> Tally:
        """Send so many mixed requests, `rate` a second; return once all are answered."""
        tally = Tally()
        with ThreadPoolExecutor(_CALLERS) as callers:
            for due, call in self._schedule(tally, rate, requests):
                with suppress(ValueError):  # it was due a moment ago
                    sleep(due - perf_counter())
                callers.submit(call, due)
        return tally

    def close(self) -> None:
        """Hang up."""
        self._lines.close()

    def _schedule(
        self, tally: Tally, rate: float, requests: int
    ) -> Iterator[tuple[float, Callable[[float], None]]]:
        began = perf_counter()
        for after, is_mixed in sorted(
            (after, is_mixed)
            for is_mixed in (True, False)
            for after in self._arrivals(rate, requests)
        ):
            is_submission = not self._jobs or self._chance.random() < self._submissions
            mixed = self._submit if is_submission else self._poll
            yield began + after, partial(mixed if is_mixed else self._call_empty_route, tally)

    def _arrivals(self, rate: float, requests: int) -> list[float]:
        """Return when they come, as callers do who know nothing of each other: a Poisson process.

        Such arrivals meet the server as busy as it is on average (R. W. Wolff, "Poisson Arrivals
        See Time Averages", 1982). Evenly spaced, the empty route's would always come half-way
        between two others, when at low rates there is nothing else to do.
        """
        pauses = (self._chance.expovariate(rate) for _ in range(requests))
        return list(accumulate(pauses))

    def _submit(self, tally: Tally, due: float) -> None:
        number = next(self._numbers)
        palettes = [
            {"name": f"Palette {index}", "colors": [f"#{number % 0xFFFFFF:06x}", "#ffffff"]}
            for index in range(2)
        ]
        picture = self._picture + number.to_bytes(8)  # behind its end: another source each time
        answer = self._line().post(
            "/v1/jobs", _parts(picture, {"palettes": palettes, "priority": "high"}), _PARTS
        )
        if self._note(tally.submissions, tally, due, answer, 202):
            self._jobs.append(json.loads(answer.body)["id"])

    def _poll(self, tally: Tally, due: float) -> None:
        job = self._chance.choice(self._jobs)
        self._note(tally.polls, tally, due, self._line().get(f"/v1/jobs/{job}"), 200)

    def _call_empty_route(self, tally: Tally, due: float) -> None:
        self._note(tally.empty, tally, due, self._line().get(EMPTY_ROUTE), 204)

    def _note(
        self, seconds: list[float], tally: Tally, due: float, answer: Answer, expected: int
    ) -> bool:
        seconds.append(perf_counter() - due)
        if answer.status != expected:
            tally.errors.append(f"{answer.status} {answer.body[:200].decode(errors='replace')}")
        return answer.status == expected

    def _line(self) -> Line:
        """Return this thread's connection."""
        if not hasattr(self._own, "line"):
            self._own.line = self._lines.enter_context(self._server.line())
        line: Line = self._own.line
        return line


def _parts(picture: bytes, job: dict[str, Any]) -> bytes:
    return b"".join(
        (
            b'--limit\r\nContent-Disposition: form-data; name="image"; filename="a.png"\r\n\r\n',
            picture,
            b'\r\n--limit\r\nContent-Disposition: form-data; name="job"\r\n\r\n',
            json.dumps(job).encode(),
            b"\r\n--limit--\r\n",
        )
    )


class LongPolls:
    """So many clients that wait for news of a job, in a process of their own.

    Whoever is not held comes again after `Retry-After`, as the API asks.
    """

    def __init__(self, server: Server, job: str, count: int) -> None:
        context = get_context("spawn")
        self._stop = context.Event()
        self._all_there = context.Semaphore(0)
        self._count = count
        self._process = context.Process(
            target=_poll_long, args=(server, job, count, self._stop, self._all_there), daemon=True
        )

    def __enter__(self) -> None:
        self._process.start()
        for _ in range(self._count):
            self._all_there.acquire()

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._process.join()


def _poll_long(server: Server, job: str, count: int, stop: Event, all_there: object) -> None:
    def wait_for_news() -> None:
        with server.line() as line:
            etag = line.get(f"/v1/jobs/{job}").headers["ETag"]
            all_there.release()  # type: ignore[attr-defined]
            while not stop.is_set():
                answer = line.get(f"/v1/jobs/{job}", Prefer="wait=5", If_None_Match=etag)
                if "Preference-Applied" not in answer.headers:
                    stop.wait(float(answer.headers.get("Retry-After", 2)))

    with ThreadPoolExecutor(count) as waiters:
        for _ in range(count):
            waiters.submit(wait_for_news)
