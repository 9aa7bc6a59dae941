"""What every test may ask for: a ledger, a session on it, and no network beyond this machine."""

from __future__ import annotations

import ipaddress
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, NullPool, create_engine
from sqlalchemy.orm import Session

from colorway.ledger.connection import Ledger
from tests.databases import PostgresServer, migrate, postgres_server
from tests.pooler import ABSENT, PGBOUNCER

DATABASES = ("sqlite", "postgres")

collect_ignore_glob = [] if PGBOUNCER else ["**/test_pooled_*.py"]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say what was not tested."""
    if not PGBOUNCER:
        terminalreporter.write_line(ABSENT, red=True)


@pytest.fixture(scope="session", autouse=True)
def only_this_machine() -> Iterator[None]:
    """Close sockets to all but localhost; what is tried fails the test, whoever catches errors."""
    connect, connect_ex = socket.socket.connect, socket.socket.connect_ex

    def checked_connect(self: socket.socket, address: Any) -> None:
        _require_local(self, address)
        connect(self, address)

    def checked_connect_ex(self: socket.socket, address: Any) -> int:
        _require_local(self, address)
        return connect_ex(self, address)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", checked_connect)
        patch.setattr(socket.socket, "connect_ex", checked_connect_ex)
        yield


def _require_local(sock: socket.socket, address: Any) -> None:
    if sock.family in (socket.AF_INET, socket.AF_INET6) and not _is_local(address[0]):
        pytest.fail(f"a test reached for the network: {address}")


def _is_local(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A Postgres server, started when the first test asks for it."""
    with postgres_server() as server:
        yield server


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("migrated") / "ledger.db"
    migrate(f"sqlite:///{file}")
    return file


@pytest.fixture(scope="session")
def migrated_postgres(postgres: PostgresServer) -> Iterator[str]:
    with postgres.database() as url:
        migrate(url)
        yield url


@pytest.fixture
def sqlite_ledger(migrated_sqlite: Path, tmp_path: Path) -> Iterator[Ledger]:
    file = shutil.copy(migrated_sqlite, tmp_path / "ledger.db")
    yield from _disposed(Ledger(f"sqlite:///{file}"))


@pytest.fixture
def postgres_ledger(postgres: PostgresServer, migrated_postgres: str) -> Iterator[Ledger]:
    with postgres.database(copy_of=migrated_postgres) as url:
        yield from _disposed(Ledger(url))


@pytest.fixture
def watcher(postgres_ledger: Ledger) -> Iterator[Connection]:
    """A connection beside the Postgres ledger's own, that sees who waits for a lock."""
    url = postgres_ledger.engine.url
    engine = create_engine(url, isolation_level="AUTOCOMMIT", poolclass=NullPool)
    with engine.connect() as connection:
        yield connection


@pytest.fixture(params=DATABASES)
def ledger(request: pytest.FixtureRequest) -> Ledger:
    """An empty ledger, on each database in turn."""
    return request.getfixturevalue(f"{request.param}_ledger")


@pytest.fixture(scope="session")
def untouched_sqlite(migrated_sqlite: Path) -> Iterator[Ledger]:
    file = shutil.copy(migrated_sqlite, migrated_sqlite.with_name("untouched.db"))
    yield from _disposed(Ledger(f"sqlite:///{file}", pool_size=1))


@pytest.fixture(scope="session")
def untouched_postgres(migrated_postgres: str, postgres: PostgresServer) -> Iterator[Ledger]:
    with postgres.database(copy_of=migrated_postgres) as url:  # a template allows no connection
        yield from _disposed(Ledger(url, pool_size=1))


@pytest.fixture(params=DATABASES)
def session(request: pytest.FixtureRequest) -> Iterator[Session]:
    """One transaction on an empty ledger, on each database in turn; never committed."""
    ledger: Ledger = request.getfixturevalue(f"untouched_{request.param}")
    with ledger.transaction() as session:
        yield session
        session.rollback()


@pytest.fixture(params=DATABASES)
def empty_database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a database without any table, on each database in turn."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'empty.db'}"
        return
    with request.getfixturevalue("postgres").database() as url:
        yield url


def _disposed(ledger: Ledger) -> Iterator[Ledger]:
    try:
        yield ledger
    finally:
        ledger.dispose()
