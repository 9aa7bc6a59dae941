"""Whatever kills an upload, and at whichever byte: what the ledger calls completed is there, whole.

Attempts are real, on a real ledger; the process dies at every tenth of a body. That it is the store
which dies: tests/colorway/image_store/test_stores_killed.py.
"""

from __future__ import annotations

import os
import signal
from multiprocessing import get_context
from pathlib import Path

import pytest

from colorway.image_store.local_folder import LocalFolderStore
from colorway.ledger import lapse
from colorway.ledger.connection import Ledger
from colorway.lifecycle import Status
from colorway.render_task import RenderTask
from palette_worker.attempt import Outcome, attempt
from tests.builders import MINUTE
from tests.fakes import Clock
from tests.palette_worker.workplace import (
    SOON,
    a_bench,
    a_placed_job,
    colorway_of,
    is_whole,
)

KEY = "k" * 32
TENTHS = range(11)
KINDS = (".png", ".thumb.webp")


class Deadly:
    """A body that ends the process once so many bytes of it are read."""

    def __init__(self, body, left):
        self._body = body
        self._left = left

    def read(self, size):
        if not self._left:
            os.kill(os.getpid(), signal.SIGKILL)
        piece = self._body.read(min(size, self._left))
        self._left -= len(piece)
        return piece


class DeadlyFolder(LocalFolderStore):
    """A folder whose user dies at some tenth of what is stored under such a key."""

    def __init__(self, folder, kind, tenth):
        super().__init__(folder, KEY)
        self._kind = kind
        self._tenth = tenth

    def put(self, key, body, *, size, **said):
        if key.endswith(self._kind):
            body = Deadly(body, size * self._tenth // 10)
        super().put(key, body, size=size, **said)


def attempt_and_die(database_url: str, folder: Path, task: RenderTask, kind: str, tenth: int):
    bench = a_bench(Ledger(database_url), DeadlyFolder(folder, kind, tenth), Clock())
    attempt(task, bench)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("tenth", TENTHS)
def test_a_worker_killed_at_any_tenth_of_a_body_has_completed_nothing(
    sqlite_ledger, clock, tmp_path, kind, tenth
):
    folder = tmp_path / "pictures"
    bench = a_bench(sqlite_ledger, LocalFolderStore(folder, KEY), clock)
    _, [task] = a_placed_job(bench)

    died_of = in_a_process(
        attempt_and_die, str(sqlite_ledger.engine.url), folder, task, kind, tenth
    )

    assert died_of == -signal.SIGKILL
    assert colorway_of(bench, task).status is Status.PROCESSING
    assert not [stored for stored in bench.store.list("") if stored.key.endswith(kind)]
    clock.advance(2 * MINUTE)
    with sqlite_ledger.transaction() as session:
        lapse.take_back(session, task.colorway, now=clock())
    assert attempt(task, bench) is Outcome.COMPLETED
    assert is_whole(bench, task)


def in_a_process(work, *given):
    """Do it in a process of its own; return its exit code."""
    context = get_context("forkserver")
    context.set_forkserver_preload([__name__])
    process = context.Process(target=work, args=given)
    process.start()
    process.join(5 * SOON)
    code = process.exitcode
    process.close()
    return code
