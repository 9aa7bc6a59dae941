"""What the demo shows: progress while it runs, a table of times at the end."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from colorway.client import Client, Job, Timings

_STYLES = {"pending": "dim", "processing": "yellow", "completed": "green", "failed": "bold red"}


def watch(console: Console, client: Client, job: Job, check: Callable[[], None]) -> Job:
    """Show the job's progress until it is done, and return it as it is then.

    It looks at `check` whenever it hears of the job; what that raises ends it.
    """
    with Live(_progress(job), console=console, refresh_per_second=12) as live:

        def show(job: Job) -> None:
            check()
            live.update(_progress(job))

        job = client.wait(job.id, on_progress=show)
    if not console.is_terminal:
        console.print()  # there, the last picture of a Live does not end its line
    return job


def show_times(console: Console, job: Job, *, one_after_another_s: float) -> None:
    """Print how long every step took, and what the fan-out gained; of a job that is done."""
    if job.finished_at is None:
        return
    table = Table(title="Times in milliseconds", title_justify="left")
    table.add_column("palette")
    for step in (*Timings.model_fields, "overall", "bytes"):
        table.add_column(step, justify="right")
    for colorway in job.colorways:
        if colorway.timings_ms and colorway.result:
            steps = colorway.timings_ms.model_dump().values()
            cells = map(str, (*steps, sum(steps)))
            table.add_row(colorway.key, *cells, f"{colorway.result.bytes:,}")
    console.print(table)
    overall = (job.finished_at - job.created_at).total_seconds()
    console.print(
        f"All {job.counts.total} together: [bold]{overall:.2f} s[/]; "
        f"one after another: {one_after_another_s:.2f} s; "
        f"speed-up [bold]{one_after_another_s / overall:.2f}[/]"
    )


def show_failures(console: Console, job: Job) -> None:
    """Print why colorways have failed."""
    for colorway in job.colorways:
        if colorway.status != "completed":
            detail = colorway.error.detail if colorway.error else ""
            console.print(f"{colorway.key}: {colorway.status} {detail}", style="red")


def _progress(job: Job) -> Group:
    table = Table.grid(padding=(0, 2))
    for colorway in job.colorways:
        table.add_row(
            Text(colorway.key),
            _swatches(colorway.colors),
            Text(colorway.status, style=_STYLES.get(colorway.status, "")),
        )
    bar = ProgressBar(total=100, completed=job.progress_percent, width=40)
    return Group(table, bar)


def _swatches(colors: Iterable[str]) -> Text:
    swatches = Text()
    for color in colors:
        swatches.append("███", style=color)
    return swatches
