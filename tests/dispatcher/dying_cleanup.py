"""A cleanup in a process of its own, that is killed at one of its steps."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock

from sqlalchemy.orm import Session

from colorway.image_store.local_folder import LocalFolderStore
from colorway.ledger.connection import Ledger
from colorway.telemetry.metrics import RequestMetrics
from dispatcher.cleanup import Cleanup
from tests.dispatcher.litter import CLEANING
from tests.dispatcher.stage import settings_for


@dataclass
class Steps:
    """Counts what the process does, and ends it before it goes beyond the last step."""

    last: int
    taken: int = 0
    counting: Lock = field(default_factory=Lock)

    def take(self) -> None:
        with self.counting:
            self.taken += 1
            if self.taken == self.last:
                os.kill(os.getpid(), signal.SIGKILL)


class DyingLedger(Ledger):
    """A real ledger; before and after each commit is a step."""

    def __init__(self, url: str, steps: Steps) -> None:
        super().__init__(url, pool_size=2)
        self._steps = steps

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        with super().transaction() as session:
            yield session
            self._steps.take()
        self._steps.take()


class DyingStore(LocalFolderStore):
    """A real folder; before and after each deletion is a step."""

    def __init__(self, folder: Path, steps: Steps) -> None:
        super().__init__(folder / "pictures", "k" * 32)
        self._steps = steps

    def delete(self, key: str) -> None:
        self._steps.take()
        super().delete(key)
        self._steps.take()


def clean_up(url: str, folder: Path, last_step: int) -> None:
    """Clean up all there is, unless killed at that step."""
    steps = Steps(last_step)
    ledger, store = DyingLedger(url, steps), DyingStore(folder, steps)
    Cleanup(ledger, store, RequestMetrics(), settings_for(ledger, folder)).clean_up_all(
        now=CLEANING
    )
