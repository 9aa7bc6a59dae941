"""The limits of `benchmarks.capacity`, held against this machine: `python -m benchmarks.scaling`.

The real service (dispatcher, local queue, OIDC, one worker, SQLite, a folder) does jobs of seven
palettes of a 1 MP photo, under several loads. The first has one slot and a store that takes no
time, and is all that the model is told: from what a colorway took there, it predicts how many a
second the others will do, and which limit will hold them back. Stores are slowed by a fixed time
for each upload, so that slots and places to upload decide, as they do with a store far away.

How many processors there are for it is measured too, around each load: others may be busy here.

Bar: what was measured is 0.7 to 1.1 times what was predicted. Exit code 1 if one is missed. Bounds
are what nobody gets above, so somewhat less is expected.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from math import inf
from pathlib import Path
from statistics import mean
from subprocess import PIPE, Popen
from tempfile import TemporaryDirectory
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from benchmarks.capacity import PALETTES, Limit, Shape, Work, limits
from benchmarks.end_to_end import cpu_of
from benchmarks.pictures import encoded, photo
from colorway.client import Client, Job
from colorway.job import Priority
from colorway.palette import Palette
from demo.machine import Machine
from demo.shape import RENDERS, SLOTS
from demo.shape import Shape as MachineShape

LEAST, MOST = 0.7, 1.1
_SLOW_S = 0.3
_COUNT = """
from time import perf_counter, process_time
began, used = perf_counter(), process_time()
while perf_counter() < began + 1:
    pass
print((process_time() - used) / (perf_counter() - began))
"""
_WANTED = [
    Palette(f"palette {n}", ("#101010", f"#{n * 5:02x}8060", "#f0f0f0")) for n in range(PALETTES)
]

console = Console(width=110)


@dataclass(frozen=True, slots=True)
class Load:
    """How many tasks and uploads there may be at once, and how long the store takes for one."""

    slots: int
    uploads: int
    upload_s: float


ALONE = Load(1, 1, 0)
LOADS = (
    Load(1, 1, _SLOW_S),
    Load(2, 2, _SLOW_S),
    Load(4, 2, _SLOW_S),
    Load(6, 6, _SLOW_S),
    Load(4, 4, 0),
)


@dataclass(frozen=True, slots=True)
class Run:
    """What one load did: colorways in seconds, on so many processors.

    The rest is of one colorway: CPU by process, and means.
    """

    colorways: int
    seconds: float
    cpu_s: dict[str, float]
    upload_s: float
    megabytes: float
    processors: float

    @property
    def per_second(self) -> float:
        """Colorways a second."""
        return self.colorways / self.seconds


def main(
    jobs: Annotated[int, typer.Option(help="of each load")] = 10,
    width: Annotated[int, typer.Option(help="of a photo, pixels")] = 1200,
    height: Annotated[int, typer.Option(help="of a photo, pixels")] = 850,
) -> None:
    """Measure, print, and judge."""
    with TemporaryDirectory(prefix="colorway-benchmark-") as name:
        pictures = drawn(jobs + 1, Path(name), width, height)
        alone = measure(ALONE, pictures)
        console.print(what_one_takes(alone))
        runs = {load: measure(load, pictures) for load in LOADS}
    console.print(comparison(alone, runs))
    sys.exit(0 if bars_hold(alone, runs) else 1)


def drawn(number: int, folder: Path, width: int, height: int) -> list[Path]:
    """Return files of so many different photos."""
    files = [folder / f"{seed}.png" for seed in range(number)]
    for seed, file in enumerate(files):
        file.write_bytes(encoded(photo(width, height, seed=seed), "png"))
    return files


def measure(load: Load, pictures: Sequence[Path]) -> Run:
    """Do a job of each picture under this load, all at once; the first one warms everything up."""
    with TemporaryDirectory(prefix="colorway-benchmark-") as data:
        machine = Machine(
            Path(data),
            worker_app="benchmarks.slow_worker:app",
            settings={
                "UPLOAD_SECONDS": str(load.upload_s),
                "MAX_PARALLEL_UPLOADS": str(load.uploads),
            },
            shape=MachineShape(slots=SLOTS | {Priority.NORMAL: load.slots}),
        )
        with machine.running(), Client(machine.dispatcher_url, machine.api_key) as client:
            client.wait(client.submit(pictures[0], _WANTED).id)
            free = [processors()]
            before = cpu_of(machine)
            ids = [client.submit(picture, _WANTED).id for picture in pictures[1:]]
            done = [client.wait(job) for job in ids]
            after = cpu_of(machine)
            free.append(processors())
    return _run_of(done, {name: after[name] - before[name] for name in after}, mean(free))


def processors() -> float:
    """Return how many processors this machine has for as many processes that only count."""
    counting = [sys.executable, "-c", _COUNT]
    with ExitStack() as running:
        processes = [
            running.enter_context(Popen(counting, stdout=PIPE))  # noqa: S603 - our own
            for _ in range(RENDERS)
        ]
        return sum(float(process.communicate()[0]) for process in processes)


def _run_of(jobs: Sequence[Job], cpu_s: dict[str, float], free: float) -> Run:
    began = min(job.started_at for job in jobs if job.started_at)
    ended = max(job.finished_at for job in jobs if job.finished_at)
    each = [colorway for job in jobs for colorway in job.colorways]
    timings = [colorway.timings_ms for colorway in each if colorway.timings_ms]
    results = [colorway.result for colorway in each if colorway.result]
    if len(timings) < len(each) or len(results) < len(each):
        raise SystemExit("a colorway did not complete")
    return Run(
        colorways=len(each),
        seconds=(ended - began).total_seconds(),
        cpu_s={name: seconds / len(each) for name, seconds in cpu_s.items()},
        upload_s=mean(taken.upload for taken in timings) / 1000,
        megabytes=mean(result.bytes for result in results) / 1e6,
        processors=free,
    )


def work_of(alone: Run, load: Load) -> Work:
    """Return what a colorway takes under this load, told from what one alone took."""
    return Work(
        attempt_s=1 / alone.per_second - alone.upload_s,
        upload_s=alone.upload_s + load.upload_s,
        worker_cpu_s=sum(alone.cpu_s.values()),
    )


def predicted(alone: Run, load: Load, processors: float) -> Limit:
    """Return the limit that will be met first, and where.

    Every process computes on the same processors, so all of it counts as the worker's.
    """
    here = Shape(
        workers=1,
        worker_cpu=processors,
        worker_slots=load.slots,
        worker_uploads=load.uploads,
        queue_at_once=load.slots,
        budget=inf,  # nothing is paid for here
    )
    return limits(here, work_of(alone, load))[0]


def what_one_takes(alone: Run) -> Table:
    """Return what one colorway took, as a table."""
    table = Table(title="What one colorway takes, in one slot", title_justify="left")
    table.add_column("")
    table.add_column("", justify="right")
    table.add_row("seconds from one to the next", f"{1 / alone.per_second:.3f}")
    table.add_row("of these, upload into a folder", f"{alone.upload_s:.3f}")
    for name, seconds in alone.cpu_s.items():
        table.add_row(f"seconds of CPU, {name}", f"{seconds:.4f}")
    table.add_row("megabytes of picture", f"{alone.megabytes:.2f}")
    return table


def comparison(alone: Run, runs: Mapping[Load, Run]) -> Table:
    """Return what was predicted beside what was measured."""
    table = Table(title="Colorways a second", title_justify="left")
    for column in ("slots", "uploads", "upload s", "processors", "predicted", "measured", "ratio"):
        table.add_column(column, justify="right")
    table.add_column("held back by")
    for load, run in runs.items():
        limit = predicted(alone, load, run.processors)
        figures = (load.upload_s, run.processors, limit.per_second, run.per_second)
        table.add_row(
            str(load.slots),
            str(load.uploads),
            *(f"{figure:.1f}" for figure in figures),
            f"{run.per_second / limit.per_second:.2f}",
            limit.name,
        )
    return table


def bars_hold(alone: Run, runs: Mapping[Load, Run]) -> bool:
    """Print by how much the model is off; whether that is little enough."""
    ratios = [
        run.per_second / predicted(alone, load, run.processors).per_second
        for load, run in runs.items()
    ]
    console.print(f"{min(ratios):.2f} to {max(ratios):.2f} of predicted (bar {LEAST} to {MOST})")
    return min(ratios) >= LEAST and max(ratios) <= MOST


if __name__ == "__main__":
    typer.run(main)
