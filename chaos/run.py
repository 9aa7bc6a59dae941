"""One run: set the stage, let clients in, hurt it, let it heal, and keep all that was seen."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import psycopg

from chaos.auditor.books import open_books
from chaos.clients import Crowd
from chaos.conductor import Conductor
from chaos.databases import Database
from chaos.diary import Diary
from chaos.lookout import Lookout
from chaos.observer import observe
from chaos.orders import poison
from chaos.plan import Act, plan, poison_times
from chaos.stage import Stage
from chaos.switches import Switches

QUIET_S = 120.0
"""What has not ended so long after all is healed is lost."""

_QUIET_FOR_CLIENTS_S = 90.0
_LOOK_EVERY_S = 0.2


class NotEmpty(Exception):
    """The database holds jobs that are not this run's."""


@dataclass(frozen=True, slots=True)
class Traces:
    """Where everything lies that the auditor may read."""

    database_url: str
    pictures: Path
    told: Path
    acts: Path
    logs: Path


def perform(
    data: Path,
    database: Database,
    *,
    seed: int,
    minutes: float,
    say: Callable[[str], None] = lambda _: None,
) -> Traces:
    """Perform the plan of this seed, and return its traces; nothing runs after."""
    acts, poison_at = plan(seed, minutes=minutes), poison_times(seed, minutes=minutes)
    return perform_acts(data, database, acts, poison_at, seed=seed, say=say)


def perform_acts(
    data: Path,
    database: Database,
    acts: Sequence[Act],
    poison_at: Sequence[float],
    *,
    seed: int,
    say: Callable[[str], None] = lambda _: None,
) -> Traces:
    """Perform these acts, and send a picture that kills its worker at each of these times."""
    _require_no_jobs(database.direct_url)
    stage = Stage(data, database, seed=seed)
    with open_books(database.direct_url) as books:
        observe(books)
    doomed = [(at, poison(seed, number)) for number, at in enumerate(poison_at)]
    poisons = tuple(order.picture.sha256 for _, order in doomed)
    stage.switch(Switches(poison=poisons))
    told, done = Diary(data / "told.jsonl"), Diary(data / "acts.jsonl")
    lookout = Lookout(database.direct_url, poisons)
    crowd = Crowd(stage.machine.dispatcher_url, stage.machine.api_key, told, seed=seed)
    try:
        with stage.running():
            say(f"on stage, {len(acts)} acts planned")
            done.note("begins", seed=seed, poison=poisons)
            crowd.start()
            Conductor(stage, lookout, done).play(
                acts,
                besides=[(at, partial(crowd.also_order, order)) for at, order in doomed],
            )
            say("healed; waiting until every job has ended")
            done.note("quiet")
            healed_at = time.monotonic()
            crowd.finish(within_s=_QUIET_FOR_CLIENTS_S)
            while lookout.open_jobs() != 0 and time.monotonic() - healed_at < QUIET_S:
                time.sleep(_LOOK_EVERY_S)
            done.note("ends", quiet_s=round(time.monotonic() - healed_at, 2))
    finally:
        crowd.leave()
        lookout.close()
        told.close()
        done.close()
    machine = stage.machine
    return Traces(
        database.direct_url, machine.data / "pictures", told.file, done.file, machine.logs
    )


def _require_no_jobs(url: str) -> None:
    with open_books(url) as books:
        try:
            [jobs] = books.rows("SELECT count(*) AS number FROM jobs")
        except (sqlite3.OperationalError, psycopg.errors.UndefinedTable):
            return  # nothing has been migrated yet
    if jobs["number"]:
        raise NotEmpty("the database holds jobs already; chaos wants an empty one")
