"""`python -m dispatcher.reconciler`: one call, by hand; its repairs as one line of JSON.

It reads the dispatcher's settings. Exit code 0: all done; 1: something is away, try again later.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated

import typer

from colorway.errors import TryLater
from colorway.image_store import open_store
from colorway.ledger.connection import Ledger
from colorway.settings import read_settings
from colorway.telemetry.logs import configure_logging
from colorway.telemetry.metrics import RequestMetrics
from dispatcher.delivery import Delivery
from dispatcher.reconciler.call import Reconciler
from dispatcher.settings import Settings
from dispatcher.task_queue import TaskQueue


def main(
    everything: Annotated[
        bool,
        typer.Option("--all", help="Prove every job's counters and every picture, however many."),
    ] = False,
) -> None:
    """Mend once what got lost on the way, and print how much of what."""
    settings = read_settings(Settings)
    configure_logging("reconciler", settings.log_level, to=sys.stderr)
    metrics = RequestMetrics()
    ledger, queue = Ledger(settings.database_url, pool_size=2), TaskQueue(settings)
    delivery = Delivery(ledger, queue, metrics)
    try:
        store = open_store(settings)
        reconciler = Reconciler(ledger, queue, delivery, store, metrics, settings)
        now = datetime.now(UTC)
        mended = reconciler.prove_all(now=now) if everything else reconciler.reconcile(now=now)
    except TryLater as error:
        typer.echo(f"not all could be done: {error}", err=True)
        raise typer.Exit(1) from error
    finally:
        queue.close()
        delivery.close()
        ledger.dispose()
    typer.echo(json.dumps(asdict(mended)))


if __name__ == "__main__":
    typer.run(main)
