"""The databases of the tests: migrated once per run, copied for every test, dropped after it.

Postgres is the server of TEST_DATABASE_URL, where that is set (its user must be allowed to create
databases), else one that comes with the test packages and lives as long as the run.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from alembic import command
from alembic.config import Config
from sqlalchemy import NullPool, create_engine, make_url

from demo.postgres import embedded_postgres

ROOT = Path(__file__).parent.parent


def migrations_of(url: str, *, root: Path = ROOT) -> Config:
    """Return what Alembic's commands need to work on this database."""
    config = Config(root / "alembic.ini")
    config.attributes["url"] = url
    return config


def migrate(url: str) -> None:
    """Bring the database to the newest revision."""
    command.upgrade(migrations_of(url), "head")


class PostgresServer:
    """Hands out databases, empty or as copies of another one."""

    def __init__(self, url: str) -> None:
        self._url = make_url(url).set(drivername="postgresql+psycopg")
        # no pool: a connection that is kept would be one more to close before the server stops
        self._engine = create_engine(self._url, isolation_level="AUTOCOMMIT", poolclass=NullPool)

    @contextmanager
    def database(self, *, copy_of: str | None = None) -> Iterator[str]:
        """Yield the URL of a new database; drop it at the end, whoever is still connected."""
        url = self._url.set(database=f"colorway_test_{uuid4().hex}")
        template = f' TEMPLATE "{make_url(copy_of).database}"' if copy_of else ""
        self._run(f'CREATE DATABASE "{url.database}"{template}')
        try:
            yield url.render_as_string(hide_password=False)
        finally:
            self._run(f'DROP DATABASE "{url.database}" WITH (FORCE)')

    def _run(self, statement: str) -> None:
        with self._engine.connect() as connection:
            connection.exec_driver_sql(statement)


@contextmanager
def postgres_server() -> Iterator[PostgresServer]:
    """Yield the server of TEST_DATABASE_URL, or start one and remove it afterwards."""
    given = os.environ.get("TEST_DATABASE_URL")
    if given:
        yield PostgresServer(given)
        return
    with embedded_postgres() as url:
        yield PostgresServer(url)
