"""What became of the 509 seconds: `python -m benchmarks.seed_replay`.

The services that this one replaces rendered seven palettes inside one request, on a store that took
67 s for each upload, and were cut off at 540 s. Their jobs are done again on a store that is as
slow, 1:10, in four ways:

    one after another           inside one request, one upload at a time
    pool in one request         the same with a pool of threads, two uploads at a time
    ours, one worker            dispatcher, local queue, SQLite; one worker, two uploads at a time
    ours, slots enough          the same; a slot, and a place to upload, for each picture

Pictures are small, so that it is waiting which is measured. As hardly anything is computed, the
requests run side by side; ours run alone. Nothing is extrapolated: a request that its ceiling has
cut off shows how many pictures it had stored.

Bars, for the first number of pictures: with slots enough, a job takes at most 1.15 times its
slowest colorway (fetch, render, encode and upload); one worker takes at most 0.62 of one after
another. Exit code 1 if one is missed. With the defaults it takes some five minutes.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count, product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from benchmarks.one_request import Answered, Request, seconds_in_one_request
from benchmarks.pictures import encoded, photo
from colorway.client import Client
from colorway.job import Priority
from colorway.palette import Palette
from demo.machine import Machine
from demo.shape import SLOTS, Shape

MAX_TO_SLOWEST = 1.15
MAX_TO_ONE_AFTER_ANOTHER = 0.62
_OLD_UPLOAD_S, _OLD_CEILING_S = 67, 540
_AT_ONCE = 2  # the default of MAX_PARALLEL_UPLOADS
_OLD_WAYS = {"one after another": 1, "pool in one request": _AT_ONCE}

console = Console()


@dataclass(frozen=True, slots=True)
class Finished:
    """Seconds of one job of ours, and of its slowest colorway's own steps."""

    seconds: float
    slowest: float


@dataclass(frozen=True, slots=True)
class Replay:
    """What was measured, by way and number of pictures."""

    old: dict[tuple[str, int], Answered]
    one_worker: dict[int, Finished]
    slots_enough: dict[int, Finished]


def main(
    pictures: Annotated[list[int] | None, typer.Option(help="in a job; 7, 10 and 50")] = None,
    upload_seconds: Annotated[float, typer.Option(help="of one upload; 67 in the past")] = 6.7,
) -> None:
    """Measure, print, and judge."""
    numbers = pictures or [7, 10, 50]
    replay = measure(numbers, upload_seconds)
    console.print(table(replay, numbers, upload_seconds))
    sys.exit(0 if bars_hold(replay, numbers[0]) else 1)


def measure(numbers: Sequence[int], upload_s: float) -> Replay:
    """Do all jobs in all ways."""
    with TemporaryDirectory(prefix="colorway-benchmark-") as name:
        folder = Path(name)
        return Replay(
            _old_ways(numbers, upload_s, folder),
            _ours(numbers, upload_s, folder / "one worker", uploads=_AT_ONCE),
            _ours(numbers, upload_s, folder / "slots enough", uploads=max(numbers)),
        )


def _old_ways(
    numbers: Sequence[int], upload_s: float, folder: Path
) -> dict[tuple[str, int], Answered]:
    picture = _a_picture(folder / "picture.png", seed=0)
    ways = list(product(_OLD_WAYS, numbers))

    def answered(way: tuple[str, int]) -> Answered:
        name, number = way
        own = folder / f"{name}, {number}"
        request = Request(picture, _palettes(number), _OLD_WAYS[name], upload_s, own)
        return seconds_in_one_request(request, ceiling_s=_ceiling(upload_s))

    with ThreadPoolExecutor(len(ways)) as side_by_side:
        return dict(zip(ways, side_by_side.map(answered, ways), strict=True))


def _ours(
    numbers: Sequence[int], upload_s: float, data: Path, *, uploads: int
) -> dict[int, Finished]:
    machine = Machine(
        data,
        worker_app="benchmarks.slow_worker:app",
        settings={"UPLOAD_SECONDS": str(upload_s), "MAX_PARALLEL_UPLOADS": str(uploads)},
        shape=Shape(slots=SLOTS | {Priority.NORMAL: max(uploads, SLOTS[Priority.NORMAL])}),
    )
    with machine.running(), Client(machine.dispatcher_url, machine.api_key) as client:
        seeds = count(1)  # another picture each time, or the second job would be there already
        _finished(client, _a_picture(data / "warm-up.png", seed=0), 1)
        return {
            number: _finished(client, _a_picture(data / f"{number}.png", seed=next(seeds)), number)
            for number in numbers
        }


def _finished(client: Client, picture: Path, number: int) -> Finished:
    began = datetime.now(UTC)
    job = client.wait(client.submit(picture, _palettes(number)).id)
    if job.status != "completed" or job.finished_at is None:
        raise SystemExit(f"the job ended as {job.status}")
    each = [one.timings_ms for one in job.colorways if one.timings_ms]
    slowest = max(ms.fetch + ms.render + ms.encode + ms.upload for ms in each) / 1000
    return Finished((job.finished_at - began).total_seconds(), slowest)


def _a_picture(file: Path, *, seed: int) -> Path:
    file.write_bytes(encoded(photo(64, 48, seed=seed), "png"))
    return file


def _palettes(number: int) -> tuple[Palette, ...]:
    return tuple(
        Palette(f"palette {n}", ("#101010", f"#{n * 5:02x}8060", "#f0f0f0")) for n in range(number)
    )


def _ceiling(upload_s: float) -> float:
    return _OLD_CEILING_S * upload_s / _OLD_UPLOAD_S


def table(replay: Replay, numbers: Sequence[int], upload_s: float) -> Table:
    """Return all of it as a table, in seconds."""
    title = f"Seconds until all is stored, {upload_s:g} s for each upload"
    shown = Table(title=title, title_justify="left")
    shown.add_column("pictures")
    for number in numbers:
        shown.add_column(str(number), justify="right")
    for way in _OLD_WAYS:
        cells = (_cell(replay.old[way, number], number, upload_s) for number in numbers)
        shown.add_row(way, *cells)
    rows = {"ours, one worker": replay.one_worker, "ours, slots enough": replay.slots_enough}
    for way, ours in rows.items():
        shown.add_row(way, *(f"{ours[number].seconds:.1f}" for number in numbers))
    return shown


def _cell(answered: Answered, number: int, upload_s: float) -> str:
    if answered.stored == number:
        return f"{answered.seconds:.1f}"
    ceiling = f"{_OLD_CEILING_S} s\n(scaled {_ceiling(upload_s):.3g} s)"
    return f"cut off at {ceiling}\n{answered.stored} of {number} stored"


def bars_hold(replay: Replay, number: int) -> bool:
    """Print what is judged of a job of so many pictures; whether it holds."""
    enough, worker = replay.slots_enough[number], replay.one_worker[number]
    old = replay.old["one after another", number]
    if old.stored < number:
        raise SystemExit(f"{number} pictures one after another were cut off: nothing to compare")
    to_slowest, to_old = enough.seconds / enough.slowest, worker.seconds / old.seconds
    console.print(
        f"slots enough: {to_slowest:.2f} of its slowest colorway, {enough.slowest:.2f} s"
        f" (bar {MAX_TO_SLOWEST})"
    )
    console.print(f"one worker: {to_old:.2f} of one after another (bar {MAX_TO_ONE_AFTER_ANOTHER})")
    return to_slowest <= MAX_TO_SLOWEST and to_old <= MAX_TO_ONE_AFTER_ANOTHER


if __name__ == "__main__":
    typer.run(main)
