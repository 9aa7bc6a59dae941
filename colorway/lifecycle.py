"""A colorway's states, and when to stop trying.

pending ──claim──▶ processing ──finish──▶ completed
   ▲                   │ ├──────fail────▶ failed
   └──── give back ────┘ └─────cancel───▶ cancelled      (cancel also takes pending ones)

A retry reopens what failed or was cancelled. docs/lifecycle.md has every state and event.
"""

from __future__ import annotations

from enum import StrEnum


class Status(StrEnum):
    """Where a colorway is; there is no state in between."""

    PENDING = "pending"
    PROCESSING = "processing"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_final(self) -> bool:
        """Whether only a retry can change it."""
        return self in FINAL


FINAL = frozenset({Status.COMPLETED, Status.FAILED, Status.CANCELLED})

MAX_TRIES = 5
"""A try that ends by its own error, or by a dead worker, counts; shared trouble does not."""

MAX_DEATHS = 3
"""So many workers in a row that died alone with one source prove that it is the source."""


def is_last_try(tries: int) -> bool:
    """Whether a colorway that has now failed `tries` times is given up."""
    return tries >= MAX_TRIES
