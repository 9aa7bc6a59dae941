"""Take a ledger from one revision to another, in one transaction: all of the way or nowhere.

The ledger is the one at DATABASE_URL, by default a SQLite file in ./data. Who calls Alembic from
Python names it by `config.attributes["url"]`. Where the services do not log in as whoever migrates,
LEDGER_LOGINS has their logins, separated by commas.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Literal

import sqlalchemy as sa
from alembic import context
from alembic.autogenerate.api import AutogenContext
from alembic.operations import MigrationScript
from alembic.runtime.migration import MigrationInfo
from alembic.script import ScriptDirectory

from colorway.ledger.connection import Ledger, is_sqlite
from colorway.ledger.tables import Row, UtcDateTime

DEFAULT_URL = "sqlite:///data/ledger.db"


def main() -> None:
    """Do what the Alembic command asks for."""
    url = context.config.attributes.get("url") or os.environ.get("DATABASE_URL") or DEFAULT_URL
    if is_sqlite(url):
        Path(sa.make_url(url).database or "").parent.mkdir(parents=True, exist_ok=True)
    ledger = Ledger(url, pool_size=1)
    if is_sqlite(url):
        # To alter a table there is to copy it and drop the old one. With foreign keys on, the drop
        # deletes all that cascades from it; inside a transaction they cannot be turned off.
        sa.event.listen(ledger.engine, "connect", _ignore_foreign_keys)
    try:
        with ledger.engine.begin() as connection:
            _migrate(connection)
    finally:
        ledger.dispose()


def _migrate(connection: sa.Connection) -> None:
    if connection.dialect.name == "postgresql":
        # better to fail a deploy than to queue every request behind our lock
        connection.exec_driver_sql("SET LOCAL lock_timeout = '5s'")
    context.configure(
        connection=connection,
        target_metadata=Row.metadata,
        render_as_batch=True,  # what SQLite needs; on Postgres it is a plain ALTER
        render_item=_render_plain_type,
        process_revision_directives=_give_next_number,
        on_version_apply=_say_so if context.config.cmd_opts else None,  # on the command line only
    )
    context.run_migrations()
    for login in filter(None, os.environ.get("LEDGER_LOGINS", "").split(",")):
        _let_use_rows(connection, login.strip())
    if connection.dialect.name == "sqlite":
        orphan = connection.exec_driver_sql("PRAGMA foreign_key_check").first()
        if orphan is not None:
            raise RuntimeError(f"the migration leaves a row of {orphan[0]} without its parent")


def _let_use_rows(connection: sa.Connection, login: str) -> None:
    """Let this login of Postgres read and write every row, and change no table."""
    who = connection.dialect.identifier_preparer.quote_identifier(login)
    for what in (
        "USAGE ON SCHEMA public",
        "SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public",
        "USAGE ON ALL SEQUENCES IN SCHEMA public",
    ):
        connection.exec_driver_sql(f"GRANT {what} TO {who}")


def _say_so(*, step: MigrationInfo, **_others: Any) -> None:
    context.config.print_stdout(
        "%s %s", "up to" if step.is_upgrade else "back before", step.up_revision_id
    )


def _ignore_foreign_keys(connection: Any, _record: Any) -> None:
    connection.execute("PRAGMA foreign_keys = OFF")


def _render_plain_type(kind: str, item: Any, _context: AutogenContext) -> str | Literal[False]:
    """Write a type of ours as what it is in the database: a migration imports none of our code."""
    if kind == "type" and isinstance(item, UtcDateTime):
        return "sa.DateTime(timezone=True)"
    if kind == "type" and isinstance(item, sa.Enum):
        return f"sa.String({item.length})"
    return False


def _give_next_number(_context: Any, _revision: Any, scripts: list[MigrationScript]) -> None:
    """Number a new revision, so that the files lie in the order in which they run."""
    newest = ScriptDirectory.from_config(context.config).get_current_head()
    for script in scripts:
        script.rev_id = f"{int(newest or 0) + 1:04}"


main()
