"""What a service imports before it can serve, and how long that takes.

`python -m benchmarks.import_time`: an instance that starts on Cloud Run imports first, and somebody
may be waiting for it. Every round imports each service, and the frameworks both are made of, in
processes of their own; then each is imported once more to tell which packages take the time.

Bars: so many times the frameworks' processor time, and nothing loaded that only some instances
need. The exit code is 1 where one is missed.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter
from statistics import median
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

FRAMEWORKS = "flask, pydantic_settings, sqlalchemy.orm, structlog"
BARS = {"dispatcher": 2.75, "palette_worker": 2.5}
"""How many times as long as the frameworks alone."""

NOT_AT_START = {
    "dispatcher": {"PIL", "google.cloud.storage", "numpy", "typer"},
    "palette_worker": {"google.auth", "grpc", "requests", "typer"},
}
"""What only some stores and commands need, or the other service."""

TOLD = 5
"""Packages that are told with their times, the slowest."""

console = Console()


def main(rounds: Annotated[int, typer.Option(min=1)] = 5) -> None:
    """Measure, print, and judge."""
    imports = {"frameworks": FRAMEWORKS} | {service: f"{service}.app" for service in BARS}
    seconds: dict[str, list[float]] = {name: [] for name in imports}
    for _ in range(rounds):
        for name, modules in imports.items():
            seconds[name].append(_processor_seconds(modules))
    took = {name: median(times) for name, times in seconds.items()}
    own = {service: _own_times(imports[service]) for service in BARS}
    too_early = {service: NOT_AT_START[service] & own[service].keys() for service in BARS}
    _print(took, own)
    for service, early in too_early.items():
        if early:
            console.print(f"{service} need not load {', '.join(sorted(early))}")
    slow = any(took[service] > bar * took["frameworks"] for service, bar in BARS.items())
    sys.exit(1 if slow or any(too_early.values()) else 0)


def _processor_seconds(modules: str) -> float:
    code = f"import {modules}, time; print(time.process_time())"
    return float(_python("-c", code).stdout)


def _own_times(modules: str) -> Counter[str]:
    """Return the microseconds of each module, without those that it imports."""
    lines = _python("-X", "importtime", "-c", f"import {modules}").stderr
    found = re.findall(r"^import time: +(\d+) \| +\d+ \| +(\S+)$", lines, flags=re.MULTILINE)
    return Counter({name: int(microseconds) for microseconds, name in found})


def _python(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 - ourselves
        [sys.executable, *arguments], capture_output=True, text=True, check=True
    )


def _print(took: dict[str, float], own: dict[str, Counter[str]]) -> None:
    table = Table(title="Imports, processor time", title_justify="left")
    for column in ("what", "s", "frameworks", "bar", "modules", "slowest packages, ms"):
        table.add_column(column, justify="left" if column == "what" else "right")
    table.add_row("frameworks", f"{took['frameworks']:.2f}", "1.00", "", "", FRAMEWORKS)
    for service, bar in BARS.items():
        packages: Counter[str] = Counter()
        for module, microseconds in own[service].items():
            packages[module.partition(".")[0]] += microseconds
        slowest = ", ".join(f"{name} {us // 1000}" for name, us in packages.most_common(TOLD))
        times = f"{took[service] / took['frameworks']:.2f}"
        modules = str(len(own[service]))
        table.add_row(service, f"{took[service]:.2f}", times, str(bar), modules, slowest)
    console.print(table)


if __name__ == "__main__":
    typer.run(main)
