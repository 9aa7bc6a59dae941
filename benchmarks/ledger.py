"""What finishing costs the ledger, and finding duplicates: `python -m benchmarks.ledger`.

Sixteen threads finish what they hold of one job, as a worker does it: the rendition, the colorway
and the job's counters in one transaction. Claims are made before the clock runs. The rival is a
bare UPDATE of one row and a COMMIT, from as many threads, through the same engine and sessions.

Finishing has to lock the job's row until its commit, or else there would be instants without exact
counters. So one finish waits for the other's commit, and a rival that is held against it has to
wait as well: all its threads update the same row. One whose threads never meet is shown beside it,
and one without SQLAlchemy; they tell what meeting at the row costs, and what sessions cost.

Rivals and sizes of jobs take turns, back and forth, after a round that warms up. All make the same
number of calls; small jobs are many, one after another, since two at once would not meet. The clock
runs from a job's first finish to its last: until the first, threads only get going, which is dear
to a small job and says nothing of the ledger. Of the rounds' ratios the median counts.

Bars, on Postgres, exit code 1 if one is missed: finishing in a job of 1,000 costs at most 4 times
the bare rival on the same row; jobs of 5,000 are finished at 0.9 times the rate of jobs of 100 or
better. The tenth is for noise; a finish that counts its job's rows, to try this, kept 0.54. SQLite
is shown and not judged: it has one writer at a time, whatever the rows.

Then the duplicates of an image are sought among a thousand and a million, which has bars on both
databases: see `duplicates`.
"""

from __future__ import annotations

import hashlib
import sys
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import chain, cycle, islice
from queue import SimpleQueue
from statistics import median, quantiles
from tempfile import TemporaryDirectory
from threading import Barrier
from time import perf_counter
from typing import Annotated
from uuid import UUID

import psycopg
import typer
from rich.console import Console
from rich.table import Table
from sqlalchemy import bindparam, func, make_url, select, update

from benchmarks.duplicates import found_as_soon_among_many
from benchmarks.stopwatch import Call, ratio
from colorway.image_keys import rendition_key
from colorway.ledger import lease
from colorway.ledger.connection import Ledger, is_sqlite
from colorway.ledger.lease import Claim
from colorway.ledger.renditions import record_rendition
from colorway.ledger.tables import Record, jobs
from colorway.render_task import RenderTask
from tests.builders import NOON, TIMINGS, a_claim, a_job, a_stored_rendition, an_image
from tests.databases import PostgresServer, migrate, postgres_server

MAX_COST = 4.0
MIN_KEPT = 0.9
CLAIMED_AT_ONCE = 100  # in a transaction; each leaves a dead version of the job's row
MANY_ROWS = 64  # enough that threads which take turns at them do not meet

PSYCOPG, OWN_ROWS, SAME_ROW = "psycopg alone, same row", "bare, own rows", "bare, same row"

TOUCH = update(jobs).where(jobs.c.id == bindparam("job")).values(version=jobs.c.version + 1)
TOUCH_BY_PSYCOPG = "UPDATE jobs SET version = version + 1 WHERE id = %s"
UNFINISHED = (
    select(func.count()).select_from(jobs).where(jobs.c.total > 1, jobs.c.completed < jobs.c.total)
)

Rival = Callable[[], Iterator[Sequence[Call]]]
"""The calls of a turn, one job's after another's; what prepares them is not timed."""

console = Console()


@dataclass(frozen=True, slots=True)
class Turn:
    """Seconds of a turn's calls, all together and each by itself."""

    seconds: float
    calls: list[float]

    def __add__(self, later: Turn) -> Turn:
        """Return both as one, without what was between them."""
        return Turn(self.seconds + later.seconds, self.calls + later.calls)


Turns = dict[str, list[Turn]]
"""By rival, one a round."""


def main(
    rounds: Annotated[int, typer.Option(help="turns of each rival")] = 3,
    threads: Annotated[int, typer.Option(help="that finish at once")] = 16,
    colorways: Annotated[int, typer.Option(help="of the job that is judged")] = 1000,
    images: Annotated[int, typer.Option(help="among which duplicates are sought")] = 1_000_000,
    database_url: Annotated[
        str | None, typer.Option(help="a Postgres server on which databases may be created")
    ] = None,
) -> None:
    """Measure, print, and judge."""
    small, large = colorways // 10, colorways * 5
    sizes = (small, colorways, large)
    with postgres(database_url) as server:
        with server.database() as url:
            found = _measured(url, sizes, rounds, threads)
        is_flat = found_as_soon_among_many(server, images, console)
    _print(f"Postgres, {threads} threads", found)
    with TemporaryDirectory(prefix="colorway-benchmark-") as folder:
        embedded = _measured(f"sqlite:///{folder}/ledger.db", sizes, rounds, threads)
    _print(f"SQLite, {threads} threads (not judged)", embedded)
    cost = _cost(found, _finish_of(colorways), SAME_ROW)
    kept = _cost(found, _finish_of(small), _finish_of(large))
    console.print(f"a finish costs {cost:.2f} x {SAME_ROW} (bar {MAX_COST:g})")
    console.print(f"jobs of {large:,} keep {kept:.2f} of the rate of {small:,} (bar {MIN_KEPT:g})")
    sys.exit(0 if cost <= MAX_COST and kept >= MIN_KEPT and is_flat else 1)


def together(
    calls: Sequence[Call], threads: int, *, clock: Callable[[], float] = perf_counter
) -> Turn:
    """Make the calls in their order, each by the next free thread, and time them.

    All threads are there before the first call begins; there are two calls or more.
    """
    left, took, ready = deque(calls), deque[tuple[float, float]](), Barrier(threads)

    def work() -> None:
        ready.wait()
        while left:
            try:
                call = left.popleft()
            except IndexError:  # another thread took the last
                return
            began = clock()
            call()
            took.append((began, clock()))

    with ThreadPoolExecutor(threads) as pool:
        for worker in [pool.submit(work) for _ in range(threads)]:
            worker.result()
    ends = sorted(end for _, end in took)
    each = (ends[-1] - ends[0]) / (len(ends) - 1)
    return Turn(each * len(ends), [end - began for began, end in took])


def in_turn(rivals: Mapping[str, Rival], rounds: int, threads: int) -> Turns:
    """Give every rival a turn a round, back and forth, after a round that warms up."""
    turns: Turns = {name: [] for name in rivals}
    for number in range(rounds + 1):
        for name in rivals if number % 2 else reversed(list(rivals)):
            turn = sum((together(calls, threads) for calls in rivals[name]()), Turn(0, []))
            if number:
                turns[name].append(turn)
    return turns


@contextmanager
def postgres(url: str | None) -> Iterator[PostgresServer]:
    """Yield the server at this URL, or one of its own."""
    if url is not None:
        yield PostgresServer(url)
        return
    with postgres_server() as server:
        yield server


def _measured(url: str, sizes: Sequence[int], rounds: int, threads: int) -> Turns:
    migrate(url)
    ledger, calls = Ledger(url, pool_size=threads), max(sizes)
    with ledger.transaction() as session:
        image = an_image(session)
    rows = [new_job(ledger, image, 1)[0] for _ in range(MANY_ROWS)]
    with ExitStack() as open_still:
        open_still.callback(ledger.dispose)
        rivals: dict[str, Rival] = {}
        if not is_sqlite(url):
            touch = open_still.enter_context(_without_sqlalchemy(url, threads))
            rivals[PSYCOPG] = partial(_bare, touch, rows[:1], calls)
        rivals[OWN_ROWS] = partial(_bare, partial(_touch, ledger), rows, calls)
        rivals[SAME_ROW] = partial(_bare, partial(_touch, ledger), rows[:1], calls)
        for size in sizes:
            rivals[_finish_of(size)] = partial(_finishes, ledger, image, size, calls // size)
        turns = in_turn(rivals, rounds, threads)
        with ledger.reading() as session:
            unfinished = session.scalar(UNFINISHED)
    if unfinished:
        raise SystemExit(f"{unfinished} jobs have not ended")
    return turns


def new_job(ledger: Ledger, image: Record, colorways: int) -> tuple[UUID, list[RenderTask]]:
    """Record a job of so many colorways; return it with its tasks."""
    with ledger.transaction() as session:
        return a_job(session, tuple(f"p{index}" for index in range(colorways)), image=image)


def _touch(ledger: Ledger, job: UUID) -> None:
    with ledger.transaction() as session:
        session.execute(TOUCH, {"job": job})


@contextmanager
def _without_sqlalchemy(url: str, threads: int) -> Iterator[Callable[[UUID], None]]:
    """Yield the bare rival for threads that each find a connection open."""
    free: SimpleQueue[psycopg.Connection] = SimpleQueue()
    address = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    for _ in range(threads):
        free.put(psycopg.connect(address))

    def touch(job: UUID) -> None:
        connection = free.get()
        connection.execute(TOUCH_BY_PSYCOPG, (job,))
        connection.commit()
        free.put(connection)

    yield touch
    for _ in range(threads):
        free.get().close()


def _bare(
    touch: Callable[[UUID], object], rows: Sequence[UUID], calls: int
) -> Iterator[Sequence[Call]]:
    yield [partial(touch, row) for row in islice(cycle(rows), calls)]


def _finishes(
    ledger: Ledger, image: Record, colorways: int, count: int
) -> Iterator[Sequence[Call]]:
    """Yield the finishes of so many jobs, each claimed as a whole."""
    for _ in range(count):
        _, tasks = new_job(ledger, image, colorways)
        claims = chain.from_iterable(
            _claims(ledger, tasks[first : first + CLAIMED_AT_ONCE])
            for first in range(0, colorways, CLAIMED_AT_ONCE)
        )
        yield [partial(finish_one, ledger, image.account_id, held) for held in claims]


def _claims(ledger: Ledger, tasks: Sequence[RenderTask]) -> list[Claim]:
    with ledger.transaction() as session:
        return [a_claim(session, task) for task in tasks]


def finish_one(ledger: Ledger, account: UUID, held: Claim) -> None:
    """Do what a worker does once its picture is stored, from steps.py."""
    fingerprint = hashlib.sha256(held.colorway.bytes).hexdigest()
    key = rendition_key(account, fingerprint, held.colorway, held.fence, "png")
    stored = a_stored_rendition(key)
    with ledger.transaction() as session:
        winner = record_rendition(session, account, fingerprint, stored, now=NOON)
        lease.finish(session, held, winner.id, TIMINGS, now=NOON)


def _finish_of(colorways: int) -> str:
    return f"finish, jobs of {colorways:,}"


def _cost(turns: Turns, name: str, rival: str) -> float:
    return ratio([turn.seconds for turn in turns[name]], [turn.seconds for turn in turns[rival]])


def _print(title: str, turns: Turns) -> None:
    table = Table(title=title, title_justify="left")
    for column in ("", "calls/s", "p50 ms", "p99 ms", f"x {SAME_ROW}"):
        table.add_column(column, justify="right" if column else "left")
    for name, found in turns.items():
        rate = median(len(turn.calls) / turn.seconds for turn in found)
        cuts = quantiles([1000 * call for turn in found for call in turn.calls], n=100)
        cost = _cost(turns, name, SAME_ROW)
        table.add_row(name, f"{rate:,.0f}", f"{cuts[49]:.1f}", f"{cuts[98]:.1f}", f"{cost:.2f}")
    console.print(table)


if __name__ == "__main__":
    typer.run(main)
