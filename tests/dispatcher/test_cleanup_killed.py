"""A cleanup is killed at each of its steps; nothing in use is lost, the next one does the rest."""

from __future__ import annotations

import multiprocessing
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from signal import SIGKILL

import pytest
from sqlalchemy import make_url

from colorway.ledger.connection import Ledger, is_sqlite
from tests.databases import PostgresServer
from tests.dispatcher.dying_cleanup import clean_up
from tests.dispatcher.litter import CLEANING, Litter, a_litter

# Each is forked from a process without threads that has all modules.
processes = multiprocessing.get_context("forkserver")
processes.set_forkserver_preload(["tests.dispatcher.dying_cleanup"])


@contextmanager
def copied(litter: Litter, folder: Path, request: pytest.FixtureRequest) -> Iterator[Litter]:
    """Yield the same litter once more, in another database and folder."""
    litter.ledger.dispose()
    url = litter.ledger.engine.url.render_as_string(hide_password=False)
    shutil.copytree(litter.folder / "pictures", folder / "pictures")
    if is_sqlite(url):
        copy = shutil.copy(str(make_url(url).database), folder / "ledger.db")
        yield from _on(f"sqlite:///{copy}", litter, folder)
        return
    postgres: PostgresServer = request.getfixturevalue("postgres")
    with postgres.database(copy_of=url) as url:
        yield from _on(url, litter, folder)


def _on(url: str, litter: Litter, folder: Path) -> Iterator[Litter]:
    ledger = Ledger(url, pool_size=2)
    try:
        yield Litter(ledger, folder, litter.kept)
    finally:
        ledger.dispose()


def test_killed_at_any_step_it_loses_nothing_in_use_and_the_next_does_the_rest(
    ledger: Ledger, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    litter = a_litter(ledger, tmp_path)
    ends = []

    for step in count(1):
        with copied(litter, tmp_path / str(step), request) as copy:
            url = copy.ledger.engine.url.render_as_string(hide_password=False)
            process = processes.Process(target=clean_up, args=(url, copy.folder, step))
            process.start()
            process.join(60)
            copy.require_whole()
            assert copy.kept <= copy.stored()
            if process.exitcode == 0:
                undisturbed = copy.rows()
                break
            assert process.exitcode == -SIGKILL
            copy.cleanup().clean_up_all(now=CLEANING)
            assert copy.stored() == copy.kept
            ends.append(copy.rows())
        shutil.rmtree(copy.folder)

    assert len(ends) > 50
    assert all(end == undisturbed for end in ends)
