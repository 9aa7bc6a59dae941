"""What the demo shows: progress while it runs, a table of times at the end."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from time import sleep
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from demo.client import Job

_LOOK_EVERY_S = 0.1
_STYLES = {"pending": "dim", "processing": "yellow", "completed": "green", "failed": "bold red"}
_STEPS = ("queued", "fetch", "render", "encode", "upload")


def watch(console: Console, job: Job, look: Callable[[], Job]) -> Job:
    """Show the job's progress until it is done, and return it as it is then."""
    with Live(_progress(job), console=console, refresh_per_second=12) as live:
        while not job["done"]:
            sleep(_LOOK_EVERY_S)
            job = look()
            live.update(_progress(job))
    if not console.is_terminal:
        console.print()  # there, the last picture of a Live does not end its line
    return job


def show_times(console: Console, job: Job, *, one_after_another_s: float) -> None:
    """Print how long every step took, and what the fan-out gained."""
    table = Table(title="Times in milliseconds", title_justify="left")
    table.add_column("palette")
    for step in (*_STEPS, "overall", "bytes"):
        table.add_column(step, justify="right")
    for colorway in job["colorways"]:
        timings, result = colorway["timings_ms"], colorway["result"]
        if timings and result:
            steps = (str(timings[step]) for step in _STEPS)
            together = str(sum(timings[step] for step in _STEPS))
            table.add_row(colorway["key"], *steps, together, f"{result['bytes']:,}")
    console.print(table)
    overall = _seconds_between(job["created_at"], job["finished_at"])
    console.print(
        f"All {job['counts']['total']} together: [bold]{overall:.2f} s[/]; "
        f"one after another: {one_after_another_s:.2f} s; "
        f"speed-up [bold]{one_after_another_s / overall:.2f}[/]"
    )


def show_failures(console: Console, job: Job) -> None:
    """Print why colorways have failed."""
    for colorway in job["colorways"]:
        if colorway["status"] != "completed":
            detail = (colorway["error"] or {}).get("detail", "")
            console.print(f"{colorway['key']}: {colorway['status']} {detail}", style="red")


def _progress(job: Job) -> Group:
    table = Table.grid(padding=(0, 2))
    for colorway in job["colorways"]:
        status = colorway["status"]
        table.add_row(
            Text(colorway["key"]),
            _swatches(colorway["colors"]),
            Text(status, style=_STYLES.get(status, "")),
        )
    bar = ProgressBar(total=100, completed=job["progress_percent"], width=40)
    return Group(table, bar)


def _swatches(colors: list[str]) -> Text:
    swatches = Text()
    for color in colors:
        swatches.append("███", style=color)
    return swatches


def _seconds_between(began: Any, ended: Any) -> float:
    return (datetime.fromisoformat(ended) - datetime.fromisoformat(began)).total_seconds()
