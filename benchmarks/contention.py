"""What a job's row costs those who meet at it: `python -m benchmarks.contention`.

A colorway's whole life in the ledger, as a worker leads it: looked up, claimed, finished, each in
a transaction of its own, on Postgres. Both writers lock the row of the job, since its counters are
exact at every instant. The colorways of one job are the worst case; those of many jobs hardly meet.

Both take turns, back and forth, after a round that warms up, with few threads and with many. Shown
are colorways a second, what is left of the rate of many jobs, and the server's CPU for one. Not
judged: it is what the calculation in `benchmarks.capacity` begins with. Calls to the server while
the row is locked are counted, for each takes a round trip longer where the server is elsewhere.
The CPU is seen of a server on this machine alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from statistics import median
from typing import Annotated

import psutil
import typer
from rich.console import Console
from rich.table import Table
from sqlalchemy import event, text
from sqlalchemy.orm import Session

from benchmarks.ledger import Rival, finish_one, in_turn, new_job, postgres
from benchmarks.stopwatch import Call, cpu_of_tree, ratio
from colorway.ledger.connection import Ledger
from colorway.ledger.lease import Claim, claim
from colorway.ledger.orders import order_of
from colorway.ledger.tables import Record
from colorway.render_task import RenderTask
from tests.builders import NOON, an_image
from tests.databases import migrate

ONE, MANY = "one job", "many jobs"
_LEASE = timedelta(minutes=1)
_OF_MANY = 7  # colorways in each of many jobs

console = Console()


@dataclass(frozen=True, slots=True)
class Meeting:
    """Colorways a second of each round, in one job and in many; and the server's CPU for each."""

    one: list[float]
    many: list[float]
    server_cpu_s: float | None


def main(
    rounds: Annotated[int, typer.Option(help="turns of each")] = 3,
    colorways: Annotated[int, typer.Option(help="in a turn")] = 350,
    threads: Annotated[list[int] | None, typer.Option(help="at once; 1, 4 and 16")] = None,
) -> None:
    """Measure and print."""
    table = Table(title="Colorways claimed and finished a second", title_justify="left")
    for column in ("threads", ONE, MANY, "ratio", "server's CPU ms"):
        table.add_column(column, justify="right")
    with postgres(None) as server, server.database() as url:
        migrate(url)
        for at_once in threads or (1, 4, 16):
            meeting = measured(url, at_once, colorways, rounds)
            table.add_row(
                str(at_once),
                f"{median(meeting.one):,.0f}",
                f"{median(meeting.many):,.0f}",
                f"{ratio(meeting.one, meeting.many):.2f}",
                "?" if meeting.server_cpu_s is None else f"{1000 * meeting.server_cpu_s:.2f}",
            )
        locked = calls_while_locked(url)
    console.print(table)
    console.print(f"calls to the server while the row is locked, claim and finish: {locked}")


def measured(url: str, threads: int, colorways: int, rounds: int) -> Meeting:
    """Let so many threads do so many colorways of one job, and of many."""
    ledger, jobs = Ledger(url, pool_size=threads), -(-colorways // _OF_MANY)
    try:
        with ledger.transaction() as session:
            image = an_image(session, seed=f"{threads} threads")
            server = _server_of(session)
        before = cpu_of_tree(server) if server else 0
        rivals: dict[str, Rival] = {
            ONE: partial(_lives, ledger, image, 1, colorways),
            MANY: partial(_lives, ledger, image, jobs, _OF_MANY),
        }
        turns = in_turn(rivals, rounds, threads)
        done = (rounds + 1) * (colorways + jobs * _OF_MANY)
        server_cpu_s = (cpu_of_tree(server) - before) / done if server else None
    finally:
        ledger.dispose()
    one, many = ([len(turn.calls) / turn.seconds for turn in turns[name]] for name in (ONE, MANY))
    return Meeting(one, many, server_cpu_s)


def _server_of(session: Session) -> psutil.Process | None:
    backend = session.scalar(text("SELECT pg_backend_pid()"))
    with suppress(psutil.NoSuchProcess):
        process = psutil.Process(backend)
        if process.name().startswith("postgres"):
            return process.parent()
    return None  # it is on another machine


def calls_while_locked(url: str) -> int:
    """Return how often the server is called from a job's lock to the commit, in both writers."""
    ledger = Ledger(url, pool_size=1)
    said: list[str] = []
    with ledger.transaction() as session:
        image = an_image(session, seed="counted")
    _, (task,) = new_job(ledger, image, 1)
    event.listen(ledger.engine, "before_cursor_execute", lambda *call: said.append(call[2]))
    event.listen(ledger.engine, "commit", lambda _: said.append("COMMIT"))
    _live(ledger, image, task)
    ledger.dispose()
    locked, calls = False, 0
    for statement in said:
        calls += locked
        locked = (locked or "FOR UPDATE" in statement) and statement != "COMMIT"
    return calls


def _lives(ledger: Ledger, image: Record, jobs: int, colorways: int) -> Iterator[Sequence[Call]]:
    tasks = [new_job(ledger, image, colorways)[1] for _ in range(jobs)]
    # one of each job in turn
    yield [partial(_live, ledger, image, task) for row in zip(*tasks, strict=True) for task in row]


def _live(ledger: Ledger, image: Record, task: RenderTask) -> None:
    with ledger.reading() as session:
        order_of(session, task)
    with ledger.transaction() as session:
        held = claim(session, task, now=NOON, lease_for=_LEASE)
    if not isinstance(held, Claim):
        raise SystemExit("somebody else has claimed it")
    finish_one(ledger, image.account_id, held)


if __name__ == "__main__":
    typer.run(main)
