"""What calls of the API cost with 100,000 jobs in the ledger: `python -m benchmarks.api`.

A real dispatcher under gunicorn, on Postgres and on SQLite, with the same past. Every figure is
held against an empty authenticated route of the same app, measured in the same turns; the client's
own share is some 0.1 ms of each. The bars are ratios; exit code 1 if one is missed.

- One caller after another: a job's status, the same unchanged (304), the queue's statistics, and
  /health, medians.
- 5, 10, then 20 requests a second, a quarter of them submissions of small pictures and the others
  polls, while two workers render large jobs, one picture at a time each, which keeps both cores of
  a small machine busy: no errors, and at each rate the 95th percentile beside that of the empty
  route, which is called as often in the same seconds. Times run from when a request was due. As
  many requests at each rate, for the percentile of a hundred is that of the five slowest; the first
  ones warm up. The more of them submit, the more the percentile is that of a submission.
- A hundred clients in long-polls, as many of them held as the dispatcher holds: /health, the 95th
  percentile, beside that without them.

Absolute figures are printed beside what people expect of such an API, and judge nothing: how fast
this machine is, is not ours to say.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from statistics import median, quantiles
from tempfile import TemporaryDirectory
from typing import Annotated
from uuid import UUID

import typer
from rich.console import Console
from rich.table import Table
from sqlalchemy import select

from benchmarks.api_load import Load, LongPolls, Server
from benchmarks.line import EMPTY_ROUTE, Answer, Line
from benchmarks.many_jobs import record_past
from benchmarks.pictures import encoded, photo
from chaos.front import Front
from colorway.ledger.connection import Ledger
from colorway.ledger.tables import accounts
from demo.machine import Machine
from demo.supervisor import Service, free_port
from tests.databases import postgres_server

EMPTY, JOB, UNCHANGED, STATS, HEALTH = (
    "empty route",
    "GET /v1/jobs/{id}",
    "the same, 304",
    "GET /v1/queue/stats",
    "/health",
)
BARS = {JOB: 4.0, UNCHANGED: 2.5, STATS: 5.0, HEALTH: 1.5}
"""How many times as long as the empty route each may take, medians."""

MAX_UNDER_LOAD = 5.0
MAX_BESIDE_LONG_POLLS = 3.0
RATES = (5, 10, 20)
LONG_POLLS = 100
EXPECTED_P95_MS = 500

_SETTINGS = {
    "RATE_LIMIT": "1000000/minute",
    "RECONCILE_EVERY": "3600",
    "TASK_UNSEEN_FOR": "600",
}
_LARGE_JOBS = 2
_WARMING_UP = 50
console = Console()


@dataclass(frozen=True, slots=True)
class Trial:
    """What is asked of each database; `main` tells what of."""

    jobs: int
    rounds: int
    requests: int
    submissions: float
    renders: int


def main(
    jobs: Annotated[int, typer.Option(help="in the ledger before it begins")] = 100_000,
    rounds: Annotated[int, typer.Option(help="calls of each route, one after another")] = 300,
    requests: Annotated[int, typer.Option(help="under load, at each rate")] = 400,
    submissions: Annotated[float, typer.Option(help="of the requests under load, 0 to 1")] = 0.25,
    renders: Annotated[int, typer.Option(help="that each of the two workers does at once")] = 1,
) -> None:
    """Measure, print, and judge."""
    trial = Trial(jobs, rounds, requests, submissions, renders)
    with postgres_server() as server, server.database() as url:
        missed = _measured("Postgres", url, trial)
    missed += _measured("SQLite", None, trial)
    for bar in missed:
        console.print(f"missed: {bar}", style="red")
    sys.exit(1 if missed else 0)


def _measured(name: str, url: str | None, trial: Trial) -> list[str]:
    """Measure on one database; return the bars that are missed."""
    with TemporaryDirectory(prefix="colorway-benchmark-") as folder:
        front_port, second_port = free_port(), free_port()
        settings = _SETTINGS | {
            "WORKER_URL": f"http://127.0.0.1:{front_port}",
            "MAX_PARALLEL_RENDERS": str(trial.renders),
        }
        machine = Machine(Path(folder), database_url=url, settings=settings)
        past = _record_past(machine, trial.jobs)
        console.print(f"[bold]{name}[/], {len(past):,} jobs")
        server = Server(machine.dispatcher_url, machine.api_key)
        with _running(_with_empty_route(machine.dispatcher), machine.queue):
            missed = _one_after_another(server, past, trial.rounds)
            missed += _beside_long_polls(server, past[-1], trial.rounds)
            front = Front(
                front_port, [("127.0.0.1", machine.ports.worker), ("127.0.0.1", second_port)]
            )
            with _running(machine.worker, _another_worker(machine, second_port)):
                missed += _under_load(server, trial)
            front.close()
    return [f"{name}: {bar}" for bar in missed]


def _one_after_another(server: Server, past: list[UUID], rounds: int) -> list[str]:
    chance = random.Random(1)  # noqa: S311 - no secret
    with server.line() as line:
        etags = {
            job: line.get(f"/v1/jobs/{job}").headers["ETag"] for job in chance.sample(past, 50)
        }
        some = list(etags)
        calls: dict[str, Callable[[], Answer]] = {
            EMPTY: lambda: line.get(EMPTY_ROUTE),
            JOB: lambda: line.get(f"/v1/jobs/{chance.choice(past)}"),
            UNCHANGED: lambda: _unchanged(line, chance.choice(some), etags),
            STATS: lambda: line.get("/v1/queue/stats"),
            HEALTH: lambda: line.get("/health"),
        }
        expected = {EMPTY: 204, JOB: 200, UNCHANGED: 304, STATS: 200, HEALTH: 200}
        took: dict[str, list[float]] = {name: [] for name in calls}
        for number in range(rounds + 20):
            # back and forth, so that a noisy moment hits all of them alike
            for name in calls if number % 2 else reversed(calls):
                answer = calls[name]()
                if answer.status != expected[name]:
                    raise SystemExit(f"{name}: {answer.status} {answer.body[:500]!r}")
                if number >= 20:  # the first ones warm up
                    took[name].append(answer.seconds)
    table = _table("one after another", "median ms", "p95 ms", "x empty", "bar")
    cost = {name: median(seconds) / median(took[EMPTY]) for name, seconds in took.items()}
    for name, seconds in took.items():
        bar = f"{BARS[name]:g}" if name in BARS else ""
        ms = (f"{1000 * median(seconds):.2f}", f"{1000 * _p95(seconds):.2f}")
        table.add_row(name, *ms, f"{cost[name]:.2f}", bar)
    console.print(table)
    return [f"{name} takes {cost[name]:.2f} x" for name, bar in BARS.items() if cost[name] > bar]


def _unchanged(line: Line, job: UUID, etags: Mapping[UUID, str]) -> Answer:
    return line.get(f"/v1/jobs/{job}", If_None_Match=etags[job])


def _beside_long_polls(server: Server, job: UUID, rounds: int) -> list[str]:
    with server.line() as line:
        idle = [line.get("/health").seconds for _ in range(rounds)]
        with LongPolls(server, str(job), LONG_POLLS):
            beside = [line.get("/health").seconds for _ in range(rounds)]
    table = _table("/health", "median ms", "p95 ms", "x idle, p95", "bar")
    cost = _p95(beside) / _p95(idle)
    table.add_row("idle", f"{1000 * median(idle):.2f}", f"{1000 * _p95(idle):.2f}", "", "")
    table.add_row(
        f"beside {LONG_POLLS} long-polls",
        f"{1000 * median(beside):.2f}",
        f"{1000 * _p95(beside):.2f}",
        f"{cost:.2f}",
        f"{MAX_BESIDE_LONG_POLLS:g}",
    )
    console.print(table)
    return [f"/health beside long-polls: {cost:.2f} x"] if cost > MAX_BESIDE_LONG_POLLS else []


def _under_load(server: Server, trial: Trial) -> list[str]:
    load, missed = Load(server, encoded(photo(64, 48), "png"), trial.submissions), []
    load.keep_workers_busy(encoded(photo(6000, 4000), "png"), _LARGE_JOBS)
    load.run(RATES[0], _WARMING_UP)
    table = _table(
        "under load, p95 ms", "submit", "poll", "both", "empty", "x empty", "bar", "errors"
    )
    for rate in RATES:
        tally = load.run(rate, trial.requests)
        figures = (tally.submissions, tally.polls, tally.mixed, tally.empty)
        cost = _p95(tally.mixed) / _p95(tally.empty)
        table.add_row(
            f"{rate} a second",
            *(f"{1000 * _p95(each):.1f}" for each in figures),
            f"{cost:.2f}",
            f"{MAX_UNDER_LOAD:g}",
            str(len(tally.errors)),
        )
        if cost > MAX_UNDER_LOAD:
            missed.append(f"{rate} a second: {cost:.2f} x the empty route")
        missed += [f"{rate} a second: {error}" for error in tally.errors[:3]]
    if not load.are_workers_busy():
        missed.append("the large jobs ended before the load did: the workers were idle")
    load.close()
    console.print(table)
    console.print(f"people expect a p95 of {EXPECTED_P95_MS} ms or less of the third column")
    return missed


def _record_past(machine: Machine, count: int) -> list[UUID]:
    ledger = Ledger(machine.database_url)
    try:
        with ledger.reading() as session:
            account = session.scalars(select(accounts.c.id)).one()
        return record_past(ledger, account, count, now=datetime.now(UTC))
    finally:
        ledger.dispose()


@contextmanager
def _running(*services: Service) -> Iterator[None]:
    with ExitStack() as running:
        for service in services:
            running.callback(service.stop)
            service.start()
        for service in services:
            service.wait_until_ready()
        yield


def _with_empty_route(dispatcher: Service) -> Service:
    return replace(dispatcher, command=[*dispatcher.command[:-1], "benchmarks.empty_route:app"])


def _another_worker(machine: Machine, port: int) -> Service:
    worker = machine.worker
    return replace(
        worker,
        name="worker-2",
        environment=dict(worker.environment) | {"PORT": str(port)},
        health_url=f"http://127.0.0.1:{port}/health",
        log=machine.logs / "worker-2.log",
    )


def _table(title: str, *columns: str) -> Table:
    table = Table("", title=title, title_justify="left")
    for column in columns:
        table.add_column(column, justify="right")
    return table


def _p95(seconds: list[float]) -> float:
    return quantiles(seconds, n=20)[18]


if __name__ == "__main__":
    typer.run(main)
