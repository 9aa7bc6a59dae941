"""The one door to the database: `transaction()` writes, `reading()` sees one snapshot.

What is no promise to anybody is written in `noting()`, which waits for no disk where that helps.

SQLite is made to behave: write-ahead log, foreign keys, and BEGIN IMMEDIATE for writers, because a
deferred BEGIN that reads and then writes fails at once with "database is locked", whatever
busy_timeout says. Make a Ledger per process, after fork.

Where the URL leads to a pooler that gives each transaction another of its own connections, what was
prepared on one is unknown on the next: `?prepared_statements=false` in the URL prepares nothing.
Nothing else of a session outlives its transaction, so all of it may pass through one.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from datetime import timedelta
from sqlite3 import Connection as SqliteConnection
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, inspect, make_url, text
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session

from colorway.errors import TryLater

SQLITE_PRAGMAS = (
    "PRAGMA journal_mode = WAL",
    "PRAGMA busy_timeout = 10000",
    "PRAGMA foreign_keys = ON",
)

_READS = {"reads": True}  # for our own listeners
_SNAPSHOT = _READS | {"isolation_level": "REPEATABLE READ"}
_PREPARED = "prepared_statements"  # in the URL, as Rails and Npgsql call it

FREE_WITHIN = timedelta(seconds=5)
"""Where threads share fewer connections, one waits so long for the others."""


class Ledger:
    """An engine and its kinds of session, which share `pool_size` connections.

    A thread that asks for a second while it keeps one may wait for itself: nobody does.
    """

    def __init__(
        self, url: str, *, pool_size: int = 8, free_within: timedelta = FREE_WITHIN
    ) -> None:
        pool = {
            "pool_size": pool_size,
            "max_overflow": 0,
            "pool_timeout": free_within.total_seconds(),
            "hide_parameters": True,  # they are what clients sent, and errors are logged
        }
        self._is_sqlite = is_sqlite(url)
        self.engine = _sqlite(url, pool) if self._is_sqlite else _postgres(url, pool)
        # SQLite has one writer; waiting here is fair, SQLite's busy handler is not
        self._one_writer = threading.Lock() if self._is_sqlite else nullcontext()
        self._reader = self.engine.execution_options(**(_READS if self._is_sqlite else _SNAPSHOT))
        self._noter = self.engine.execution_options(synchronous="NORMAL")

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """Commit at the end, roll back on any error; a database in trouble is TryLater.

        Deadlocks and serialization failures are TryLater too: whoever called repeats it whole.
        """
        with self._writing(self.engine) as session:
            yield session

    @contextmanager
    def noting(self) -> Iterator[Session]:
        """A transaction that may be lost if the power fails before the next of the others.

        SQLite does not wait for the disk then, and others wait for it less; Postgres syncs what
        several commit at once together, and knows no difference.
        """
        with self._writing(self._noter) as session:
            yield session

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """See one snapshot and take no write lock; to write is refused, or thrown away.

        On Postgres it ends by COMMIT: with every ROLLBACK psycopg forgets what it has prepared, and
        each statement would be parsed and planned anew.
        """
        with _trouble_is_try_later(), Session(self._reader) as session:
            yield session
            if not self._is_sqlite:
                session.commit()

    @contextmanager
    def _writing(self, engine: Engine) -> Iterator[Session]:
        with (
            self._one_writer,
            _trouble_is_try_later(),
            Session(engine) as session,
            session.begin(),
        ):
            yield session

    def check(self) -> None:
        """Raise TryLater unless the database answers."""
        with self.reading() as session:
            session.execute(text("SELECT 1"))

    def has_tables(self) -> bool:
        """Whether the database was ever migrated; raises TryLater if it does not answer."""
        with self.reading() as session:
            return inspect(session.connection()).has_table("accounts")

    def dispose(self) -> None:
        """Close every pooled connection."""
        self.engine.dispose()


def is_sqlite(url: str) -> bool:
    """Whether this SQLAlchemy URL means the embedded database."""
    return make_url(url).get_backend_name() == "sqlite"


def address_of(url: str) -> str:
    """Return where the database is, as a URL without login and options."""
    full = make_url(url)
    socket = {"host": full.query["host"]} if "host" in full.query else {}
    bare = URL.create(
        full.get_backend_name(),
        host=full.host,
        port=full.port,
        database=full.database,
        query=socket,
    )
    return bare.render_as_string()


def _sqlite(url: str, pool: dict[str, Any]) -> Engine:
    engine = create_engine(
        url, connect_args={"isolation_level": None, "check_same_thread": False}, **pool
    )

    @event.listens_for(engine, "connect")
    def prepare(connection: SqliteConnection, _: Any) -> None:
        for pragma in SQLITE_PRAGMAS:
            connection.execute(pragma)

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        options = connection.get_execution_options()
        if options.get("reads"):
            connection.exec_driver_sql("BEGIN")
            return
        synchronous = options.get("synchronous", "FULL")  # a 202 is a promise
        connection.exec_driver_sql(f"PRAGMA synchronous = {synchronous}")
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine


def prepares_statements(url: URL) -> bool:
    """Whether statements may be prepared on the connections of this URL."""
    return url.query.get(_PREPARED) != "false"


def _postgres(url: str, pool: dict[str, Any]) -> Engine:
    target = make_url(url)
    connecting: dict[str, Any] = {"connect_timeout": 5}  # seconds; who never answers is away
    if not prepares_statements(target):
        target = target.difference_update_query([_PREPARED])
        connecting["prepare_threshold"] = None
    engine = create_engine(
        target, connect_args=connecting, pool_pre_ping=True, pool_recycle=1800, **pool
    )

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        # not by SQLAlchemy's option, after which all others would be READ WRITE, whatever the
        # database is set to
        reads_only = connection.get_execution_options().get("reads")
        driver: Any = connection.connection.driver_connection
        if driver.read_only != reads_only:
            driver.read_only = reads_only

    if _logs_in_by_iam(engine.url):
        from colorway.ledger.iam_login import bring_tokens  # noqa: PLC0415 - brings Google's SDK

        bring_tokens(engine)
    return engine


def _logs_in_by_iam(url: URL) -> bool:
    """Whether it is a service account, as Cloud SQL writes it; a password would be of no use."""
    return url.password is None and (url.username or "").endswith(".iam")


@contextmanager
def _trouble_is_try_later() -> Iterator[None]:
    try:
        yield
    except PoolTimeout as error:
        raise TryLater("every connection to the ledger is in use", retry_after=2) from error
    except (OperationalError, InterfaceError) as error:
        raise TryLater("the ledger cannot be reached") from error
    except DBAPIError as error:
        if error.connection_invalidated:
            raise TryLater("the ledger's connection broke") from error
        raise
