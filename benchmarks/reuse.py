"""What the same job costs a second time: `python -m benchmarks.reuse`.

A 1 MP photo in many palettes, twice, through the whole service on one machine; several rounds, each
with another photo. From before the submission until the job is seen to be done.

Bars: no second job renders anything, and the median one takes less than a tenth of its first. Exit
code 1 if one is missed.
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Annotated

import requests
import typer
from rich.console import Console
from rich.table import Table

from benchmarks.pictures import encoded, photo
from colorway.client import Client
from colorway.palette import Palette
from demo.machine import Machine

MAX_RATIO = 0.1
_HOLD_S = 25
_RENDERS = re.compile(r"^palette_render_seconds_count (\S+)$", re.MULTILINE)

console = Console()


@dataclass(frozen=True, slots=True)
class Run:
    """Seconds of one job, and how many pictures the worker rendered for it."""

    seconds: float
    renders: int


@dataclass(frozen=True, slots=True)
class Round:
    """The same job twice."""

    first: Run
    second: Run

    @property
    def ratio(self) -> float:
        """The second's time, as a share of the first's."""
        return self.second.seconds / self.first.seconds


def main(
    palettes: Annotated[int, typer.Option(help="colorways in the job")] = 20,
    rounds: Annotated[int, typer.Option(help="photos")] = 5,
    width: Annotated[int, typer.Option(help="of a photo, pixels")] = 1200,
    height: Annotated[int, typer.Option(help="of a photo, pixels")] = 850,
) -> None:
    """Measure, print, and judge."""
    measured = measure(palettes, rounds, width=width, height=height)
    table = Table(title=f"The same job of {palettes} palettes, twice", title_justify="left")
    for column in ("first s", "renders", "second s", "renders", "ratio"):
        table.add_column(column, justify="right")
    for each in measured:
        runs = ((f"{run.seconds:.3f}", str(run.renders)) for run in (each.first, each.second))
        table.add_row(*(cell for run in runs for cell in run), f"{each.ratio:.3f}")
    console.print(table)
    sys.exit(0 if bars_hold(measured) else 1)


def measure(palettes: int, rounds: int, *, width: int, height: int) -> list[Round]:
    """Submit each photo's job twice; before that another, which warms everything up."""
    with TemporaryDirectory(prefix="colorway-benchmark-") as folder:
        machine = Machine(Path(folder) / "data")
        picture = Path(folder) / "photo.png"
        measured = []
        with machine.running(), Client(machine.dispatcher_url, machine.api_key) as client:
            for seed in range(rounds + 1):
                picture.write_bytes(encoded(photo(width, height, seed=seed), "png"))
                first = _run(machine, client, picture, palettes)
                measured.append(Round(first, _run(machine, client, picture, palettes)))
        return measured[1:]


def bars_hold(measured: list[Round]) -> bool:
    """Print what is judged; whether it holds."""
    renders = sum(each.second.renders for each in measured)
    ratio = median(each.ratio for each in measured)
    console.print(f"{renders} renders in second jobs (bar 0)")
    console.print(f"a second job takes {ratio:.3f} of its first (bar {MAX_RATIO})")
    return renders == 0 and ratio < MAX_RATIO


def _run(machine: Machine, client: Client, picture: Path, palettes: int) -> Run:
    wanted = [Palette(f"palette {n}", ("#101010", f"#{n:02x}8060")) for n in range(palettes)]
    before, began = _renders(machine), perf_counter()
    job = client.submit(picture, wanted, hold_s=_HOLD_S)
    if not job.done:
        job = client.wait(job.id)
    seconds = perf_counter() - began
    if job.status != "completed":
        raise SystemExit(f"the job ended as {job.status}")
    return Run(seconds, _renders(machine) - before)


def _renders(machine: Machine) -> int:
    metrics = f"{machine.worker_url}/metrics"
    said = requests.get(metrics, headers=machine.task_headers(), timeout=5).text
    [count] = _RENDERS.findall(said)
    return round(float(count))


if __name__ == "__main__":
    typer.run(main)
