"""How long until what was lost is under way again: `python -m benchmarks.healing`.

The real processes on one machine, with nothing else to do. Two accidents, each several times:

- a worker is killed while it renders, and started again; how long until its colorway is claimed
  anew? At most the lease and one interval of the reconciler.
- the queue is killed and its file removed, with hundreds of tasks in it; how long, once it is back,
  until it has a task for each of them again? At most two intervals.

The intervals are short, or a run would take an hour; it is the ratios that count. The exit code is
1 where one is above 1.
"""

from __future__ import annotations

import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer
from sqlalchemy import func, select

from benchmarks.pictures import encoded, photo
from colorway.client import Client
from colorway.ledger.connection import Ledger
from colorway.ledger.tables import colorways, outbox
from colorway.lifecycle import Status
from colorway.palette import Palette
from demo.machine import Machine

LEASE_S, INTERVAL_S = 6.0, 4.0
SETTINGS = {
    "LEASE_FOR": str(LEASE_S),
    "HEARTBEAT_EVERY": str(LEASE_S / 4),
    "RECONCILE_EVERY": str(INTERVAL_S),
    "TASK_UNSEEN_FOR": str(INTERVAL_S / 2),
    "OUTBOX_SILENT_FOR": str(INTERVAL_S / 2),
}
"""In the proportions of the defaults: a lease of a minute, a call each minute."""

_LOOK_EVERY_S = 0.02
_GIVE_UP_S = 120.0


def main(
    rounds: Annotated[int, typer.Option(help="accidents of each kind")] = 5,
    tasks: Annotated[int, typer.Option(help="tasks in the queue that is lost")] = 500,
) -> None:
    """Let it happen, measure, and judge."""
    with tempfile.TemporaryDirectory(prefix="colorway-benchmark-") as folder:
        machine = Machine(Path(folder) / "data", settings=SETTINGS)
        large, small = Path(folder) / "large.png", Path(folder) / "small.png"
        large.write_bytes(encoded(photo(4000, 3000), "png"))
        small.write_bytes(encoded(photo(64, 48), "png"))
        ledger = Ledger(machine.database_url)
        with (
            machine.running(),
            Client(machine.dispatcher_url, machine.api_key) as client,
        ):
            killed = [_kill_a_worker(machine, client, ledger, large) for _ in range(rounds)]
            lost = [_lose_the_queue(machine, client, ledger, small, tasks) for _ in range(rounds)]
        ledger.dispose()
    holds = [
        _show("a killed worker's colorway, claimed anew", killed, LEASE_S + INTERVAL_S),
        _show(f"a queue that lost {tasks} tasks, refilled", lost, 2 * INTERVAL_S),
    ]
    sys.exit(0 if all(holds) else 1)


def _kill_a_worker(machine: Machine, client: Client, ledger: Ledger, picture: Path) -> float:
    """Return the seconds from the kill to the next claim."""
    job = client.submit(picture, _palettes(1))
    held = _wait_for(lambda: _row(ledger, status=Status.PROCESSING))
    machine.worker.kill()
    killed_at = time.perf_counter()
    machine.worker.start()
    _wait_for(lambda: _row(ledger, fence=held.fence + 1))
    took = time.perf_counter() - killed_at
    _wait_for(lambda: client.job(job.id).done)
    return took


def _lose_the_queue(
    machine: Machine, client: Client, ledger: Ledger, picture: Path, tasks: int
) -> float:
    """Return the seconds from the queue's return until it has a task for each colorway again."""
    os.kill(machine.worker.pid, signal.SIGSTOP)  # so that nobody empties it
    job = client.submit(picture, _palettes(tasks))
    _wait_for(lambda: not _undelivered(ledger))
    machine.queue.kill()
    for file in machine.data.glob(f"{machine.queue_file.name}*"):
        file.unlink()
    machine.queue.start()
    machine.queue.wait_until_ready()
    back_at = time.perf_counter()
    _wait_for(lambda: not _undelivered(ledger) and not _never_sent_again(ledger))
    took = time.perf_counter() - back_at
    os.kill(machine.worker.pid, signal.SIGCONT)
    _wait_for(lambda: client.job(job.id).done)
    return took


def _palettes(count: int) -> list[Palette]:
    return [Palette(f"palette {n}", ("#101010", f"#{n + 0x808080:06x}")) for n in range(count)]


def _row(ledger: Ledger, **wanted: Any) -> Any:
    """Return the newest colorway if it is as wanted, else None."""
    newest = select(colorways).order_by(colorways.c.id.desc()).limit(1)
    with ledger.reading() as session:
        row = session.execute(newest).one()
    return row if all(getattr(row, name) == value for name, value in wanted.items()) else None


def _undelivered(ledger: Ledger) -> int:
    with ledger.reading() as session:
        return session.execute(select(func.count()).select_from(outbox)).scalar_one()


def _never_sent_again(ledger: Ledger) -> int:
    waiting = select(func.count()).where(
        colorways.c.status == Status.PENDING, colorways.c.nudge == 0
    )
    with ledger.reading() as session:
        return session.execute(waiting).scalar_one()


def _wait_for(look: Callable[[], Any]) -> Any:
    """Return what `look` sees, once it sees anything."""
    give_up_at = time.monotonic() + _GIVE_UP_S
    while not (seen := look()):
        if time.monotonic() > give_up_at:
            raise SystemExit("it did not heal")
        time.sleep(_LOOK_EVERY_S)
    return seen


def _show(what: str, seconds: list[float], limit_s: float) -> bool:
    each = " ".join(f"{took:5.2f}" for took in seconds)
    worst = max(seconds) / limit_s
    print(f"{what:45} {each} s   worst {worst:.2f} of {limit_s:.0f} s (bar 1)")  # noqa: T201
    return worst <= 1


if __name__ == "__main__":
    typer.run(main)
