"""Which limit comes first as load grows: `python -m benchmarks.capacity`.

A calculation; nothing is measured here. Each limit is a ceiling in colorways a second, and the
lowest is what the service does: the bounds of operational analysis (Lazowska et al., Quantitative
System Performance, 1984, chapter 5). What has places, such as slots, follows Little's law: so many
at once, each for as long as one takes. Bounds are optimistic where work waits for other work, so
what is needed is reckoned with a fifth to spare. `python -m benchmarks.scaling` holds them against
the service on this machine.

The shape is production's in infra/, where a test keeps it. What a colorway takes was measured (see
docs/scaling.md), but for uploads into a bucket: `--upload-seconds` is the dashboard's chart.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import Annotated

import typer
from rich.box import MARKDOWN
from rich.console import Console
from rich.table import Table

from benchmarks.cost import (
    SECONDS_OF_A_MONTH,
    AlwaysOn,
    Orders,
    Prices,
    bill,
    month_of,
    total,
)

PALETTES = 7
BASE_PER_SECOND = 1000 * PALETTES / 3600
"""The load that others are multiples of: 1,000 jobs of 7 palettes an hour."""

FACTORS = (1, 10, 100, 1000)

_QUEUE_PER_SECOND, _QUEUE_AT_ONCE = (
    500,
    5000,
)  # Cloud Tasks' own, cloud.google.com/tasks/docs/quotas
_WRITES_PER_SECOND = 1000  # of a bucket to begin with, cloud.google.com/storage/docs/request-rate
_OBJECTS = 2  # of a colorway: the picture and its thumbnail
_KEPT_FOR_OTHERS = 10  # connections: Postgres's own, and whoever looks into it
_SHARE_THAT_WAITS = 3  # one thread in so many may hold a request that waits for news
_HEADROOM = 0.8

console = Console(width=120)


@dataclass(frozen=True, slots=True)
class Shape:
    """How much there is of everything, by default in production."""

    workers: int = 25
    worker_cpu: float = 2
    worker_slots: int = 4
    worker_uploads: int = 2
    worker_pool: int = 8
    dispatchers: int = 6
    dispatcher_cpu: float = 1
    dispatcher_threads: int = 128
    dispatcher_pool: int = 10
    queue_at_once: int = 44  # the normal one
    queue_per_second: float = _QUEUE_PER_SECOND
    connections: int = 300
    database_cpu: float = 2
    budget: float = 500  # USD a month


@dataclass(frozen=True, slots=True)
class Work:
    """What one colorway takes, in seconds; of a picture of 1 MP by default.

    `attempt_s` is what it holds a slot for, but for the upload. `row_s` is for how long its job's
    row is locked by it, on a server at hand, and `locked_calls` how many calls to the server that
    is; each takes `round_trip_s` longer where the server is elsewhere.
    """

    upload_s: float = 0.2
    attempt_s: float = 0.2
    worker_cpu_s: float = 0.075
    dispatcher_cpu_s: float = 0.009
    ledger_cpu_s: float = 0.0033
    row_s: float = 0.010
    locked_calls: int = 6
    round_trip_s: float = 0.0005
    attempts: float = 1

    @property
    def slot_s(self) -> float:
        """For how long it holds a slot, with all its attempts."""
        return self.attempts * (self.attempt_s + self.upload_s)


@dataclass(frozen=True, slots=True)
class Limit:
    """A ceiling in colorways a second, and what moves it."""

    name: str
    per_second: float
    moved_by: str


def limits(shape: Shape, work: Work) -> list[Limit]:
    """Return every limit, the lowest first."""
    at_once = min(shape.queue_at_once, _QUEUE_AT_ONCE)
    dispatched = min(shape.queue_per_second, _QUEUE_PER_SECOND)
    slots, uploads = shape.workers * shape.worker_slots, shape.workers * shape.worker_uploads
    waiting = shape.dispatchers * (shape.dispatcher_threads // _SHARE_THAT_WAITS)
    upload_s, worker_cpu_s = work.attempts * work.upload_s, work.attempts * work.worker_cpu_s
    found = [
        Limit(
            "tasks of a queue at once",
            at_once / work.slot_s,
            "`queues.normal.max_concurrent_dispatches`",
        ),
        Limit("slots", slots / work.slot_s, "`worker.max_instances`, `worker.concurrency`"),
        Limit("uploads at once", uploads / upload_s, "`worker.uploads`, `worker.max_instances`"),
        Limit(
            "workers' processors",
            shape.workers * shape.worker_cpu / worker_cpu_s,
            "`worker.max_instances`, `worker.cpu`",
        ),
        Limit(
            "connections to the ledger",
            connected_workers(shape) * per_worker(shape, work),
            "`database.max_connections`",
        ),
        Limit(
            "the ledger's processors",
            shape.database_cpu / (work.attempts * work.ledger_cpu_s),
            "`database.tier`",
        ),
        Limit(
            "dispatches of a queue a second",
            dispatched / work.attempts,
            "more queues, by code: 500 is Cloud Tasks' own",
        ),
        Limit(
            "objects into a new bucket a second",
            _WRITES_PER_SECOND / _OBJECTS,
            "time: it follows what doubles in 20 minutes",
        ),
        Limit(
            "dispatchers' processors",
            shape.dispatchers * shape.dispatcher_cpu / work.dispatcher_cpu_s,
            "`dispatcher.max_instances`",
        ),
        Limit(
            "clients that wait for news",
            waiting * PALETTES / work.slot_s,
            "`dispatcher.threads`; beyond them, clients poll",
        ),
        Limit("the budget, all month long", affordable(shape, work), "`budget.amount`"),
    ]
    return sorted(found, key=lambda limit: limit.per_second)


def per_worker(shape: Shape, work: Work) -> float:
    """Return the colorways a second that one worker does."""
    each = (
        shape.worker_slots / (work.attempt_s + work.upload_s),
        shape.worker_uploads / work.upload_s,
        shape.worker_cpu / work.worker_cpu_s,
    )
    return min(each) / work.attempts


def connected_workers(shape: Shape) -> int:
    """Return for how many workers there are connections, beside dispatchers and the migrator."""
    for_workers = shape.connections - _KEPT_FOR_OTHERS - 1
    return (for_workers - shape.dispatchers * shape.dispatcher_pool) // shape.worker_pool


def of_one_job(work: Work) -> float:
    """Return how many colorways of one and the same job can be done a second: its row decides."""
    return 1 / (work.attempts * (work.row_s + work.locked_calls * work.round_trip_s))


def month_at(per_second: float, shape: Shape, work: Work) -> float:
    """Return the USD of a month under this load, with what is always on."""
    jobs = per_second / PALETTES * SECONDS_OF_A_MONTH
    each = 1 / per_worker(shape, work) / work.attempts
    orders = Orders(jobs, PALETTES, each, attempts=work.attempts, vcpu=shape.worker_cpu)
    return total(month_of(AlwaysOn(), Prices())) + total(bill(orders, Prices()))


def affordable(shape: Shape, work: Work) -> float:
    """Return the load that the budget bears."""
    nothing, one = (month_at(load, shape, work) for load in (0, 1))
    return max(0, shape.budget - nothing) / (one - nothing)


@dataclass(frozen=True, slots=True)
class Need:
    """What a load needs of everything, with a fifth to spare."""

    workers: int
    at_once: int
    queues: int
    dispatchers: int
    connections: int
    database_cpu: int


def needed(per_second: float, shape: Shape, work: Work) -> Need:
    """Return what this load needs, of workers and dispatchers as they are now."""
    wanted = per_second / _HEADROOM
    workers = ceil(wanted / per_worker(shape, work))
    at_once = ceil(wanted * work.slot_s)
    dispatchers = ceil(wanted * work.dispatcher_cpu_s / shape.dispatcher_cpu)
    pools = workers * shape.worker_pool + dispatchers * shape.dispatcher_pool
    return Need(
        workers=workers,
        at_once=at_once,
        queues=ceil(max(wanted * work.attempts / _QUEUE_PER_SECOND, at_once / _QUEUE_AT_ONCE)),
        dispatchers=dispatchers,
        connections=pools + 1 + _KEPT_FOR_OTHERS,
        database_cpu=ceil(wanted * work.attempts * work.ledger_cpu_s),
    )


def main(
    upload_seconds: Annotated[float, typer.Option(help="of one upload")] = Work().upload_s,
    worker_uploads: Annotated[
        int, typer.Option(help="of one worker at once")
    ] = Shape().worker_uploads,
    workers: Annotated[int, typer.Option(help="worker.max_instances")] = Shape().workers,
    queue_at_once: Annotated[
        int, typer.Option(help="queues.normal.max_concurrent_dispatches")
    ] = Shape().queue_at_once,
    connections: Annotated[
        int, typer.Option(help="database.max_connections")
    ] = Shape().connections,
    round_trip_ms: Annotated[
        float, typer.Option(help="from a worker to the ledger and back")
    ] = 1000 * Work().round_trip_s,
    attempts: Annotated[float, typer.Option(help="at each colorway")] = Work().attempts,
) -> None:
    """Print each limit, and what loads need."""
    shape = Shape(
        workers=workers,
        worker_uploads=worker_uploads,
        queue_at_once=queue_at_once,
        connections=connections,
    )
    work = Work(upload_s=upload_seconds, attempts=attempts, round_trip_s=round_trip_ms / 1000)
    console.print(_limits_table(limits(shape, work)))
    console.print(_needs_table(shape, work))
    console.print(f"\nColorways of one and the same job: {of_one_job(work):,.0f} a second.")


def _limits_table(found: Sequence[Limit]) -> Table:
    table = Table(box=MARKDOWN)
    table.add_column("limit")
    table.add_column("colorways/s", justify="right")
    table.add_column("load", justify="right")
    table.add_column("moved by")
    for limit in found:
        times = limit.per_second / BASE_PER_SECOND
        table.add_row(limit.name, _short(limit.per_second), f"{_short(times)} x", limit.moved_by)
    return table


def _needs_table(shape: Shape, work: Work) -> Table:
    table = Table(box=MARKDOWN)
    table.add_column("needed")
    for factor in FACTORS:
        table.add_column(f"{factor:,} x", justify="right")
    loads = [factor * BASE_PER_SECOND for factor in FACTORS]
    needs = [needed(load, shape, work) for load in loads]
    rows = {
        "colorways a second": map(_short, loads),
        "`worker.max_instances`": (f"{need.workers:,}" for need in needs),
        "`queues.normal.max_concurrent_dispatches`": (f"{need.at_once:,}" for need in needs),
        "queues of a priority": (f"{need.queues:,}" for need in needs),
        "`dispatcher.max_instances`": (f"{need.dispatchers:,}" for need in needs),
        "`database.max_connections`": (f"{need.connections:,}" for need in needs),
        "vCPUs of `database.tier`": (f"{need.database_cpu:,}" for need in needs),
        "USD a month": (f"{month_at(load, shape, work):,.0f}" for load in loads),
    }
    for name, cells in rows.items():
        table.add_row(name, *cells)
    return table


def _short(figure: float) -> str:
    return f"{figure:,.0f}" if figure >= 20 else f"{figure:.1f}"


if __name__ == "__main__":
    typer.run(main)
