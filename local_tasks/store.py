"""The queues, tasks and signing key in one SQLite file, and the lock that keeps others out.

One row per task, and the same row is its tombstone once it is over: the unique name is then what
refuses a duplicate, with no second lookup. One connection, under one lock, writes ahead into a log
without waiting for the disk: a note lost with the power means one more delivery, which callers must
expect anyway. A promise, such as a created task, is kept by whoever makes it: the log is synced
before the answer, outside of the lock, so that promises made at once are synced at once and no
attempt waits for the disk. A `kill -9` loses neither. SQLite itself syncs the log before it
copies it into the file, https://sqlite.org/pragma.html#pragma_synchronous; and a log that is synced
is found again, https://sqlite.org/wal.html. Times are seconds since the epoch.
"""

import fcntl
import os
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from local_tasks.errors import CannotStart
from local_tasks.queue_settings import QueueSettings

# "Quotas and limits": a name can take up to 24 hours to be released.
NAMES_KEPT_FOR = 24 * 3600.0
# Old names are swept away in small helpings, so that no caller waits long for it.
SWEEP_EVERY = 10.0
SWEEP_AT_MOST = 5000

SCHEMA = """
CREATE TABLE IF NOT EXISTS queues (name TEXT PRIMARY KEY, settings TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS tasks (
    name TEXT NOT NULL UNIQUE,
    record BLOB NOT NULL,                       -- the Task message as created; empty once over
    created_at REAL NOT NULL,
    due_at REAL NOT NULL,
    ended_at REAL,                              -- completed, deleted or given up
    dispatches INTEGER NOT NULL DEFAULT 0,      -- attempts begun
    responses INTEGER NOT NULL DEFAULT 0,       -- attempts answered
    executions INTEGER NOT NULL DEFAULT 0,      -- attempts answered with anything but a 5xx
    first_dispatch_at REAL,
    last_due_at REAL,
    last_dispatch_at REAL,
    last_response_at REAL,
    last_status INTEGER                         -- of the previous attempt; null: no answer
);
CREATE INDEX IF NOT EXISTS live_tasks ON tasks (name) WHERE ended_at IS NULL;
CREATE INDEX IF NOT EXISTS tombstones ON tasks (ended_at) WHERE ended_at IS NOT NULL;
"""

COLUMNS = (
    "name, record, created_at, due_at, ended_at, dispatches, responses, executions,"
    " first_dispatch_at, last_due_at, last_dispatch_at, last_response_at, last_status"
)

ADD = """
INSERT INTO tasks (name, record, created_at, due_at) VALUES (:name, :record, :now, :due_at)
ON CONFLICT (name) DO UPDATE SET
    record = :record, created_at = :now, due_at = :due_at, ended_at = NULL,
    dispatches = 0, responses = 0, executions = 0, first_dispatch_at = NULL, last_due_at = NULL,
    last_dispatch_at = NULL, last_response_at = NULL, last_status = NULL
WHERE ended_at <= :names_kept_from
"""
GET = f"SELECT {COLUMNS} FROM tasks WHERE name = ?"  # noqa: S608 - constants only
PAGE = f"""
SELECT {COLUMNS} FROM tasks
WHERE name > ? AND name < ? AND ended_at IS NULL ORDER BY name LIMIT ?
"""  # noqa: S608
BEGIN_ATTEMPT = f"""
UPDATE tasks SET
    dispatches = dispatches + 1, first_dispatch_at = coalesce(first_dispatch_at, :now),
    last_due_at = due_at, last_dispatch_at = :now, last_response_at = NULL
WHERE name = :name AND ended_at IS NULL
RETURNING {COLUMNS}
"""  # noqa: S608
END = "UPDATE tasks SET record = x'', ended_at = ? WHERE name = ? AND ended_at IS NULL"
RESCHEDULE = """
UPDATE tasks SET due_at = ?, responses = responses + ?, executions = executions + ?,
    last_response_at = ?, last_status = ?
WHERE name = ? AND ended_at IS NULL
"""
SWEEP = """
DELETE FROM tasks WHERE rowid IN
    (SELECT rowid FROM tasks WHERE ended_at <= ? ORDER BY ended_at LIMIT ?)
"""


@dataclass(frozen=True, slots=True)
class StoredTask:
    """A row; tasks name their columns' meaning in SCHEMA."""

    name: str
    record: bytes
    created_at: float
    due_at: float
    ended_at: float | None
    dispatches: int
    responses: int
    executions: int
    first_dispatch_at: float | None
    last_due_at: float | None
    last_dispatch_at: float | None
    last_response_at: float | None
    last_status: int | None


SYNC: Callable[[int], None] = getattr(os, "fdatasync", os.fsync)  # which macOS does not have


class Store:
    def __init__(self, path: Path, *, sync: Callable[[int], None] = SYNC) -> None:
        """Open or create the file. Raises CannotStart if another server has it.

        `sync` returns once what was written to a descriptor survives the power.
        """
        self._sync = sync
        self._guard = _lock_beside(path)
        try:
            # Made first, for its mode: the signing key lies in it, and SQLite's own files follow.
            os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
            self._database = _connect(path)
            self._database.executescript(SCHEMA)
            self._log = _open_log(path)
        except (OSError, sqlite3.Error) as error:
            os.close(self._guard)
            raise CannotStart(f"{path} cannot be used: {error}") from error
        self._lock = threading.Lock()
        self._sweep_at = 0.0

    def close(self) -> None:
        with self._lock:
            os.close(self._log)
            self._database.close()
            os.close(self._guard)

    # Queues

    def queues(self) -> dict[str, QueueSettings]:
        with self._lock:
            rows = self._database.execute("SELECT name, settings FROM queues").fetchall()
        return {name: QueueSettings.from_json(settings) for name, settings in rows}

    def put_queue(self, name: str, settings: QueueSettings) -> None:
        with self._promising() as database:
            database.execute(
                "INSERT OR REPLACE INTO queues VALUES (?, ?)", (name, settings.to_json())
            )

    def delete_queue(self, name: str) -> None:
        """Forget the queue, its tasks and their names."""
        with self._promising() as database:
            database.execute("BEGIN IMMEDIATE")
            database.execute("DELETE FROM queues WHERE name = ?", (name,))
            database.execute("DELETE FROM tasks WHERE name > ? AND name < ?", _names_in(name))
            database.execute("COMMIT")

    # Tasks

    def add(self, name: str, record: bytes, *, due_at: float, now: float) -> bool:
        """Promise the task; False if the name is taken, or was within the last 24 hours."""
        with self._promising() as database:
            if now >= self._sweep_at:
                self._sweep_at = now + SWEEP_EVERY
                database.execute(SWEEP, (now - NAMES_KEPT_FOR, SWEEP_AT_MOST))
            values = {
                "name": name,
                "record": record,
                "due_at": due_at,
                "now": now,
                "names_kept_from": now - NAMES_KEPT_FOR,
            }
            return database.execute(ADD, values).rowcount == 1

    def get(self, name: str) -> StoredTask | None:
        """The task, or its tombstone."""
        with self._lock:
            row = self._database.execute(GET, (name,)).fetchone()
        return None if row is None else StoredTask(*row)

    def page(self, queue: str, *, after: str, at_most: int) -> list[StoredTask]:
        """Live tasks by name, beginning behind the task id `after`."""
        first, last = _names_in(queue)
        with self._lock:
            rows = self._database.execute(PAGE, (first + after, last, at_most)).fetchall()
        return [StoredTask(*row) for row in rows]

    def live(self) -> list[tuple[str, float]]:
        """Every task's name and due time, for the start."""
        with self._lock:
            return self._database.execute(
                "SELECT name, due_at FROM tasks WHERE ended_at IS NULL"
            ).fetchall()

    def begin_attempt(self, name: str, *, now: float) -> StoredTask | None:
        """Count a dispatch and return the task; None if it is over."""
        with self._lock:
            rows = self._database.execute(BEGIN_ATTEMPT, {"now": now, "name": name}).fetchall()
        return StoredTask(*rows[0]) if rows else None

    def end(self, name: str, *, now: float) -> bool:
        """Turn the task into a tombstone; False if it is over already."""
        with self._lock:
            return self._database.execute(END, (now, name)).rowcount == 1

    def delete(self, name: str, *, now: float) -> bool:
        """The same for a caller, who is promised that it stays deleted."""
        with self._promising() as database:
            return database.execute(END, (now, name)).rowcount == 1

    def reschedule(
        self, name: str, *, due_at: float, status: int | None, is_answered: bool, now: float
    ) -> bool:
        """Note a failed attempt; False if the task was deleted meanwhile."""
        is_execution = is_answered and status is not None and status < 500
        values = (due_at, is_answered, is_execution, now, status, name)
        with self._lock:
            return self._database.execute(RESCHEDULE, values).rowcount == 1

    # Facts: the signing key and the issuer

    def fact(self, name: str) -> str | None:
        with self._lock:
            return _fact(self._database, name)

    def put_fact(self, name: str, value: str) -> None:
        with self._promising() as database:
            database.execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", (name, value))

    @contextmanager
    def _promising(self) -> Iterator[sqlite3.Connection]:
        """Whatever the block does survives the power, once this is left."""
        with self._lock:
            yield self._database
        self._sync(self._log)


def read_facts(path: Path, *names: str) -> list[str | None]:
    """Facts of a file that a server may be using right now; raises CannotStart."""
    try:
        # Not mode=ro: without a server, even a reader of a WAL file has to make its index.
        uri = f"{path.absolute().as_uri()}?mode=rw"
        with closing(sqlite3.connect(uri, uri=True, timeout=5)) as connection:
            return [_fact(connection, name) for name in names]
    except sqlite3.Error as error:
        raise CannotStart(f"{path} cannot be read: {error}") from error


def _fact(connection: sqlite3.Connection, name: str) -> str | None:
    row = connection.execute("SELECT value FROM facts WHERE name = ?", (name,)).fetchone()
    return None if row is None else str(row[0])


def _open_log(path: Path) -> int:
    """Open SQLite's log, which is there as long as a connection is, and see that it stays there."""
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
    return os.open(f"{path}-wal", os.O_RDWR)


def _connect(path: Path) -> sqlite3.Connection:
    # Autocommit: each statement is its own transaction, and the one lock orders them.
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=5)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    return connection


def _lock_beside(path: Path) -> int:
    """Lock a file of its own: readers of the database need no lock, and the kernel lets go of it
    however the server dies."""
    try:
        guard = os.open(f"{path}.lock", os.O_CREAT | os.O_RDWR, 0o600)
    except OSError as error:
        raise CannotStart(f"{path} cannot be used: {error.strerror}") from error
    try:
        fcntl.flock(guard, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(guard)
        raise CannotStart(f"{path} is in use by another local_tasks server") from None
    return guard


def _names_in(queue: str) -> tuple[str, str]:
    """Bounds, exclusive, of the names of a queue's tasks: '0' is the character after '/'."""
    return f"{queue}/tasks/", f"{queue}/tasks0"
