"""What the service adds to bare rendering: `python -m benchmarks.end_to_end`.

One job of a 1 MP photo in many palettes through dispatcher, ledger, local queue, OIDC and worker,
against two bare rivals that do the same decodes, renders, encodes, thumbnails and fsynced writes in
the same run: a pool of two processes, and two threads in one process. All do so in turn, several
rounds; medians count.

Bars: the service adds at most 6 ms of CPU per palette to the pool's, and takes at most 1.25 times
its wall time for PNG. Exit code 1 if one is missed. The first is a small difference of large,
noisy numbers, so every round's is printed.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache, partial
from io import BytesIO
from multiprocessing import get_context
from pathlib import Path
from statistics import mean, median
from tempfile import TemporaryDirectory
from time import perf_counter, process_time, sleep
from typing import Annotated

import psutil
import typer
from rich.console import Console
from rich.table import Table

from benchmarks.pictures import encoded, photo
from benchmarks.stopwatch import cpu_of_tree
from colorway.client import Client, Job
from colorway.image_keys import thumbnail_key
from colorway.image_store.local_folder import LocalFolderStore
from colorway.job import OutputOptions, RenderOptions
from colorway.palette import Palette
from demo.machine import Machine
from palette_worker.rendering import Source, decode, render

MAX_CPU_MS = 6.0
MAX_WALL_RATIO = 1.25
_WORKERS = 2

console = Console()


@dataclass(frozen=True, slots=True)
class Cost:
    """What one round took: seconds by the clock, and of CPU by process."""

    wall: float
    cpu: dict[str, float]
    job: Job | None = None

    @property
    def total_cpu(self) -> float:
        """Seconds of CPU of all processes together."""
        return sum(self.cpu.values())


def main(
    palettes: Annotated[int, typer.Option(help="colorways in the job")] = 100,
    rounds: Annotated[int, typer.Option(help="how often each rival has its turn")] = 7,
    kind: Annotated[str, typer.Option(help="png, webp or jpeg")] = "png",
    look_every: Annotated[
        float, typer.Option(help="seconds between polls; 2 is what Retry-After asks for")
    ] = 2.0,
) -> None:
    """Measure, print, and judge."""
    wanted = [_palette(index) for index in range(palettes)]
    costs: dict[str, list[Cost]] = {"processes": [], "threads": [], "service": []}
    with TemporaryDirectory() as folder:
        machine = Machine(Path(folder) / "data")
        with machine.running(), Client(machine.dispatcher_url, machine.api_key) as client:
            for number in range(rounds + 1):  # the first round warms everything up
                picture = Path(folder) / f"photo-{number}.png"
                picture.write_bytes(encoded(photo(1200, 850, seed=number), "png"))
                turn = {
                    "processes": partial(_processes, picture, wanted, kind),
                    "threads": partial(_threads, picture, wanted, kind),
                    "service": partial(
                        _service, machine, client, picture, wanted, kind, look_every
                    ),
                }
                # back and forth, so that a machine which slows down slows all of them
                for rival in turn if number % 2 else reversed(turn):
                    cost = turn[rival]()
                    if number:
                        costs[rival].append(cost)
    _print_rivals(costs, palettes)
    _print_breakdown(costs, palettes)
    sys.exit(0 if _bars_hold(costs, palettes, kind) else 1)


def _service(
    machine: Machine,
    client: Client,
    picture: Path,
    palettes: list[Palette],
    kind: str,
    look_every: float,
) -> Cost:
    before, mine = cpu_of(machine), process_time()
    began = datetime.now(UTC)
    job = client.submit(picture, palettes, output={"format": kind})
    while job.finished_at is None:
        sleep(look_every)
        job = client.job(job.id)
    wall = (job.finished_at - began).total_seconds()
    after = cpu_of(machine)
    cpu = {name: after[name] - before[name] for name in before} | {"client": process_time() - mine}
    if job.status != "completed":
        raise SystemExit(f"the job ended as {job.status}")
    return Cost(wall, cpu, job)


def _processes(picture: Path, palettes: list[Palette], kind: str) -> Cost:
    context = get_context("forkserver")
    with ProcessPoolExecutor(_WORKERS, mp_context=context) as pool:
        list(pool.map(_warm_up, range(_WORKERS * 4)))
        children = [psutil.Process(pid) for pid in pool._processes]
        return _bare(pool, picture, palettes, kind, lambda: sum(map(_cpu, children)))


def _threads(picture: Path, palettes: list[Palette], kind: str) -> Cost:
    with ThreadPoolExecutor(_WORKERS) as pool:
        return _bare(pool, picture, palettes, kind, process_time)


def _bare(
    pool: Executor, picture: Path, palettes: list[Palette], kind: str, cpu: Callable[[], float]
) -> Cost:
    with TemporaryDirectory() as folder:
        before, began = cpu(), perf_counter()
        tasks = [(picture, Path(folder), index, one, kind) for index, one in enumerate(palettes)]
        list(pool.map(_render_and_store, tasks))
        return Cost(perf_counter() - began, {"renderer": cpu() - before})


def _render_and_store(task: tuple[Path, Path, int, Palette, str]) -> None:
    picture, folder, index, palette, kind = task
    output = OutputOptions(format=kind)  # type: ignore[arg-type]  # one of three words
    rendition = render(_source(picture), palette, RenderOptions(), output)
    store = _store(folder)
    key = f"{index}.{rendition.format}"
    for name, body in ((key, rendition.body), (thumbnail_key(key), rendition.thumbnail)):
        digest = hashlib.sha256(body).hexdigest()
        store.put(name, BytesIO(body), size=len(body), sha256=digest, media_type="image/png")


@cache
def _source(picture: Path) -> Source:
    return decode(picture.read_bytes())


@cache
def _store(folder: Path) -> LocalFolderStore:
    return LocalFolderStore(folder, "not used here, but as long as a key")


def _warm_up(_: int) -> None:
    source = decode(encoded(photo(64, 64), "png"))
    render(source, _palette(0), RenderOptions(), OutputOptions())
    sleep(0.05)  # so that every process of the pool gets some


def _palette(index: int) -> Palette:
    shades = [f"#{(index * 37 + step * 53) % 256:02x}{step * 60:02x}80" for step in range(5)]
    return Palette(f"palette {index}", tuple(shades))


def cpu_of(machine: Machine) -> dict[str, float]:
    """Return the seconds of CPU that each service has taken so far."""
    return {service.name: cpu_of_tree(psutil.Process(service.pid)) for service in machine.services}


def _cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def _print_rivals(costs: dict[str, list[Cost]], palettes: int) -> None:
    table = Table(title=f"{palettes} palettes of a 1 MP photo, medians", title_justify="left")
    for column in ("", "wall s", "to the pool", "CPU ms per palette"):
        table.add_column(column, justify="right" if column else "left")
    pool = median(cost.wall for cost in costs["processes"])
    for rival, rounds in costs.items():
        wall = median(cost.wall for cost in rounds)
        cpu = median(cost.total_cpu for cost in rounds) / palettes * 1000
        table.add_row(rival, f"{wall:.2f}", f"{wall / pool:.2f}", f"{cpu:.1f}")
    console.print(table)


def _print_breakdown(costs: dict[str, list[Cost]], palettes: int) -> None:
    table = Table(title="What the service adds, CPU ms per palette", title_justify="left")
    table.add_column("part")
    table.add_column("ms", justify="right")
    for part, ms in _added_ms(costs, palettes).items():
        table.add_row(part, f"{ms:.2f}")
    console.print(table)
    jobs = [cost.job for cost in costs["service"] if cost.job is not None]
    each = [colorway.timings_ms for job in jobs for colorway in job.colorways]
    taken = [timings.model_dump() for timings in each if timings]
    steps = {
        step: mean(timings[step] for timings in taken)
        for step in ("fetch", "render", "encode", "upload")
    }
    told = ", ".join(f"{step} {ms:.1f}" for step, ms in steps.items())
    console.print(f"Wall ms of an attempt's steps, means: {told}")


def _added_ms(costs: dict[str, list[Cost]], palettes: int) -> dict[str, float]:
    """Return CPU ms per palette by part; the worker's share is what it takes beyond the pool.

    Each is the median over the rounds, and so is `all`: it need not be the sum of the others.
    """
    pairs = list(zip(costs["service"], costs["processes"], strict=True))  # of the same picture
    added = {
        name: [service.cpu[name] for service, _ in pairs]
        for name in ("queue", "dispatcher", "client")
    }
    added["worker, beyond the pool"] = [s.cpu["worker"] - pool.total_cpu for s, pool in pairs]
    added["all"] = [service.total_cpu - pool.total_cpu for service, pool in pairs]
    return {name: median(seconds) / palettes * 1000 for name, seconds in added.items()}


def _bars_hold(costs: dict[str, list[Cost]], palettes: int, kind: str) -> bool:
    added = _added_ms(costs, palettes)["all"]
    pairs = zip(costs["service"], costs["processes"], strict=True)
    ratio = median(service.wall / pool.wall for service, pool in pairs)
    each = [
        (service.total_cpu - pool.total_cpu) / palettes * 1000
        for service, pool in zip(costs["service"], costs["processes"], strict=True)
    ]
    console.print(f"added CPU by round: {', '.join(f'{ms:.1f}' for ms in sorted(each))}")
    console.print(f"added CPU {added:.2f} ms per palette (bar {MAX_CPU_MS})")
    console.print(f"wall {ratio:.2f} of the pool's (bar {MAX_WALL_RATIO}, for PNG)")
    return added <= MAX_CPU_MS and (kind != "png" or ratio <= MAX_WALL_RATIO)


if __name__ == "__main__":
    typer.run(main)
