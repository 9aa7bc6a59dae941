"""How many processes the machine runs, and how many tasks the queues let them have at once."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field

from colorway.job import Priority

RENDERS = os.cpu_count() or 1


SLOTS = {Priority.HIGH: RENDERS + 1, Priority.NORMAL: RENDERS + 1, Priority.LOW: 1}
"""Tasks under way at once, by queue: one renders on each processor, one more uploads meanwhile.

Yet another would only contend for the interpreter: 3 ms of CPU per palette on two processors.
"""


@dataclass(frozen=True, slots=True)
class Shape:
    """The default is for a laptop."""

    dispatchers: int = 1
    workers: int = 1
    slots: Mapping[Priority, int] = field(default_factory=lambda: SLOTS)

    @property
    def worker_threads(self) -> int:
        """One of a worker's for each task there may be, and two for whoever asks how it goes."""
        return sum(self.slots.values()) + 2


PRODUCTION = Shape(
    dispatchers=3, workers=2, slots={Priority.HIGH: 3, Priority.NORMAL: 4, Priority.LOW: 1}
)
"""Several of each, as in the cloud. The kernel shares the workers' port out by connection, however
unevenly, so each worker has threads for all tasks."""

AS_IN_THE_CLOUD = {
    "DATABASE_POOL": "10",
    "DISPATCH_DEADLINE": "600",
    "GRACE_S": "8",
    "MAX_PARALLEL_RENDERS": str(RENDERS),
    "TIME_BUDGET": "480",
}
"""What infra/ sets for the containers, but for addresses and secrets."""
