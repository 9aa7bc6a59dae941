"""What the conductor sees in the database just before it strikes: who holds a lease right now."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import psycopg

from chaos.auditor.books import Books, connect, moment

_HELD = """
SELECT c.id, c.fence, c.tries, c.leased_until, i.deaths, i.sha256
FROM colorways c JOIN jobs j ON j.id = c.job_id JOIN images i ON i.id = j.image_id
WHERE c.status = 'processing'
"""
_LOOK_EVERY_S = 0.03

# A real picture that kills its worker looks just like one whose worker was killed so often: the
# ledger gives up after five tries, or three deaths alone. So what has suffered is left in peace.
_MOST_TRIES = 1
_MOST_DEATHS = 0


@dataclass(frozen=True, slots=True)
class Lease:
    """A colorway in somebody's hands."""

    colorway: str
    fence: int
    has_suffered: bool


class Lookout:
    """Looks into the database with a connection of its own, and again where that broke."""

    def __init__(self, url: str, poison: Sequence[str]) -> None:
        self._url = url
        self._poison = poison
        self._books: Books | None = None
        self._close: Callable[[], None] = lambda: None

    def held(self) -> list[Lease]:
        """Return the leases that have not run out; none where the database cannot be asked."""
        try:
            if self._books is None:
                connection = connect(self._url)
                if isinstance(connection, psycopg.Connection):
                    connection.autocommit = True
                self._books, self._close = Books(connection), connection.close
            rows = self._books.rows(_HELD)
        except (sqlite3.Error, psycopg.Error):
            self.close()
            return []
        now = time.time()
        return [
            Lease(
                row["id"],
                row["fence"],
                row["sha256"] not in self._poison
                and (row["tries"] > _MOST_TRIES or row["deaths"] > _MOST_DEATHS),
            )
            for row in rows
            if (moment(row["leased_until"]) or 0) > now
        ]

    def wait_for_prey(self, is_busy: Callable[[], bool], *, within_s: float) -> list[Lease] | None:
        """Return the leases at a moment when some are held, the victim is busy, and none of them
        has suffered before.

        When the time is up, return what is held then; None if any of it has suffered.
        """
        until = time.monotonic() + within_s
        while True:
            leases = self.held()
            spared = any(lease.has_suffered for lease in leases)
            if leases and not spared and is_busy():
                return leases
            if time.monotonic() >= until:
                return None if spared else leases
            time.sleep(_LOOK_EVERY_S)

    def unfinished(self) -> list[str]:
        """Return the colorways that wait for the queue, as well as can be seen."""
        self.held()
        if self._books is None:
            return []
        try:
            rows = self._books.rows("SELECT id FROM colorways WHERE status = 'pending'")
        except (sqlite3.Error, psycopg.Error):
            return []
        return [row["id"] for row in rows]

    def open_jobs(self) -> int | None:
        """Return how many jobs have not ended; None where nobody can say."""
        self.held()
        if self._books is None:
            return None
        try:
            rows = self._books.rows("SELECT count(*) AS n FROM jobs WHERE finished_at IS NULL")
        except (sqlite3.Error, psycopg.Error):
            return None
        return int(rows[0]["n"])

    def close(self) -> None:
        """Close the connection, if there is one."""
        self._close()
        self._books, self._close = None, lambda: None
