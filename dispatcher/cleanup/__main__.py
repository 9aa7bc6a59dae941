"""`python -m dispatcher.cleanup`: all that is kept no longer, removed by hand, or only counted.

It reads the dispatcher's settings, and goes on until nothing is left. Exit code 0: all done;
1: something is away, try again later; 2: the arguments or the settings are wrong.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from colorway.errors import TryLater
from colorway.image_store import open_store
from colorway.ledger.connection import Ledger
from colorway.settings import read_settings
from colorway.telemetry.logs import configure_logging
from colorway.telemetry.metrics import RequestMetrics
from dispatcher.cleanup.call import Cleanup
from dispatcher.settings import Settings


def main(
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Remove nothing; say what would be removed.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="As one line of JSON.")] = False,
) -> None:
    """Remove expired jobs, and pictures, sources, slots and objects that nobody needs any more."""
    settings = read_settings(Settings)
    configure_logging("cleanup", settings.log_level, to=sys.stderr)
    ledger = Ledger(settings.database_url, pool_size=2)
    try:
        cleanup = Cleanup(ledger, open_store(settings), RequestMetrics(), settings)
        now = datetime.now(UTC)
        removed = cleanup.foresee(now=now) if dry_run else cleanup.clean_up_all(now=now)
    except TryLater as error:
        typer.echo(f"not all could be done: {error}", err=True)
        raise typer.Exit(1) from error
    finally:
        ledger.dispose()
    counts = {kind: count for kind, count in asdict(removed).items() if kind != "more"}
    if as_json:
        typer.echo(json.dumps(counts))
    else:
        _print(counts, "would be removed" if dry_run else "removed")


def _print(counts: dict[str, int], what_became: str) -> None:
    table = Table("", what_became)
    for kind, count in counts.items():
        if kind != "foreign":
            table.add_row(kind.replace("_", " "), f"{count:,}")
    console = Console(highlight=False)
    console.print(table)
    if counts["foreign"]:
        left = f"{counts['foreign']:,} objects in the store are not ours, and are left alone"
        console.print(left, soft_wrap=True)


if __name__ == "__main__":
    typer.run(main)
