"""Opens the ledger's database with its plain driver, and asks it in SQL of the auditor's own."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from typing import Any

import psycopg

_WAIT_S = 5

Row = dict[str, Any]


class Books:
    """One connection to either database; ids are hex digits, times seconds since 1970."""

    def __init__(self, connection: sqlite3.Connection | psycopg.Connection[Any]) -> None:
        self._connection = connection
        self.is_sqlite = isinstance(connection, sqlite3.Connection)

    def rows(self, statement: str, values: Sequence[Any] = ()) -> list[Row]:
        """Return what the statement finds; values stand where it has a `?`."""
        cursor = self._execute(statement, values)
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, map(_plain, row), strict=True)) for row in cursor.fetchall()]

    def run(self, statement: str) -> None:
        """Execute one statement and commit it."""
        self._execute(statement, ())
        self._connection.commit()

    def _execute(self, statement: str, values: Sequence[Any]) -> Any:
        if isinstance(self._connection, sqlite3.Connection):
            return self._connection.execute(statement, values)
        written = statement.replace("%", "%%").replace("?", "%s") if values else statement
        return self._connection.execute(written, values or None)


@contextmanager
def open_books(url: str) -> Iterator[Books]:
    """Open the database of this URL, as the services' DATABASE_URL writes it."""
    with closing(connect(url)) as connection:
        yield Books(connection)


def connect(url: str) -> sqlite3.Connection | psycopg.Connection[Any]:
    """Return a connection of the database's own driver; whoever asks must close it."""
    scheme, _, rest = url.partition("://")
    if scheme == "sqlite":
        return sqlite3.connect(rest.removeprefix("/"), timeout=_WAIT_S)
    return psycopg.connect(f"postgresql://{rest}", connect_timeout=_WAIT_S)


def moment(value: Any) -> float | None:
    """Return a time of either database as seconds since 1970; SQLite's text is UTC."""
    if value is None:
        return None
    if isinstance(value, datetime):
        return value.timestamp()
    return datetime.fromisoformat(value).replace(tzinfo=UTC).timestamp()


def _plain(value: Any) -> Any:
    return getattr(value, "hex", value) if type(value).__name__ == "UUID" else value
