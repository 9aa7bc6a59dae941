"""What a palette worker's memory comes to at its worst: `python -m benchmarks.worker_memory`.

A 12 MP photo in eight palettes, two renders at once, on a fresh worker for every kind of output.
The peak is the kernel's own (VmHWM), of the process that renders, with all it has ever loaded.

Bar: 400 MB. Exit code 1 if it is missed. Lossless WebP is shown and not judged: libwebp takes some
300 MB for one picture of that size, so the worker renders them one after another.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter, sleep
from typing import Annotated, Any

import psutil
import typer
from rich.console import Console
from rich.table import Table

from benchmarks.pictures import encoded, photo
from colorway.client import Client
from colorway.palette import Palette
from demo.machine import Machine

MAX_MB = 400
PALETTES = 8
_LOOK_EVERY_S = 0.05

OUTPUTS: dict[str, dict[str, Any]] = {
    "PNG": {"format": "png"},
    "JPEG": {"format": "jpeg"},
    "WebP": {"format": "webp", "lossless": False},
    "lossless WebP": {"format": "webp"},
}
JUDGED = ("PNG", "JPEG", "WebP")

console = Console()


@dataclass(frozen=True, slots=True)
class Footprint:
    """Megabytes of one worker before, at the most, and after; and how many it rendered at once."""

    idle: float
    peak: float
    after: float
    at_once: int
    seconds: float


def main(
    width: Annotated[int, typer.Option(help="of the photo, pixels")] = 4000,
    height: Annotated[int, typer.Option(help="of the photo, pixels")] = 3000,
) -> None:
    """Measure, print, and judge."""
    with TemporaryDirectory() as folder:
        picture = Path(folder) / "photo.jpg"
        picture.write_bytes(encoded(photo(width, height), "jpeg"))
        footprints = {
            kind: _footprint(Path(folder) / kind.replace(" ", "-"), picture, output)
            for kind, output in OUTPUTS.items()
        }
    _print(footprints, pixels=width * height)
    sys.exit(0 if all(footprints[kind].peak <= MAX_MB for kind in JUDGED) else 1)


def _footprint(data: Path, picture: Path, output: dict[str, Any]) -> Footprint:
    machine = Machine(data, settings={"MAX_PARALLEL_RENDERS": "2"})
    with machine.running(), Client(machine.dispatcher_url, machine.api_key) as client:
        [worker] = psutil.Process(machine.worker.pid).children()
        idle = _resident(worker)
        began = perf_counter()
        job = client.submit(picture, map(_palette, range(PALETTES)), output=output)
        at_once = 0
        while not job.done:
            sleep(_LOOK_EVERY_S)
            job = client.job(job.id)
            at_once = max(at_once, job.counts.processing)
        if job.status != "completed":
            raise SystemExit(f"the job ended as {job.status}")
        seconds = perf_counter() - began
        return Footprint(idle, _peak(worker), _resident(worker), at_once, seconds)


def _resident(process: psutil.Process) -> float:
    return float(process.memory_info().rss) / 1e6


def _peak(process: psutil.Process) -> float:
    for line in Path(f"/proc/{process.pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024 / 1e6
    raise SystemExit("this kernel does not tell a process's peak")


def _palette(index: int) -> Palette:
    shades = [f"#{(index * 37 + step * 53) % 256:02x}{step * 60:02x}80" for step in range(5)]
    return Palette(f"palette {index}", tuple(shades))


def _print(footprints: dict[str, Footprint], *, pixels: int) -> None:
    title = f"A worker's MB, {PALETTES} palettes of {pixels / 1e6:.0f} MP (bar {MAX_MB})"
    table = Table(title=title, title_justify="left")
    for column in ("output", "idle", "peak", "after", "attempts at once", "s"):
        table.add_column(column, justify="left" if column == "output" else "right")
    for kind, found in footprints.items():
        megabytes = (f"{size:.0f}" for size in (found.idle, found.peak, found.after))
        table.add_row(kind, *megabytes, str(found.at_once), f"{found.seconds:.1f}")
    console.print(table)


if __name__ == "__main__":
    typer.run(main)
