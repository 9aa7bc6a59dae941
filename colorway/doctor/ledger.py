"""The ledger: is it there, of our revision, ours to write to, and with room for all of us?"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from sqlalchemy import URL, make_url, text
from sqlalchemy.exc import DBAPIError

from colorway.doctor.clock import check_clock
from colorway.doctor.finding import Finding, Findings, right, unseen, wrong
from colorway.errors import TryLater
from colorway.ledger.connection import Ledger, address_of, is_sqlite, prepares_statements
from colorway.ledger.revision import NEWEST, revision_of

RESERVED = 10
"""Connections left to superusers, monitoring and whoever looks by hand."""

_MIGRATOR = 1
_MIGRATE = "`make migrate`, or in the cloud the migration job: `gcloud run jobs execute`"
_GRANT = "migrate first; then let the login of DATABASE_URL write to the tables (LEDGER_LOGINS)"
_FEWER = "fewer processes, a smaller DATABASE_POOL or worker's THREADS, or raise max_connections"
_WRITE_NOTHING = text("UPDATE jobs SET version = version WHERE 1 = 0")


def check_ledger(url: str, *, connections: int | None) -> Findings:
    """Look at the ledger; `connections` is what all processes may open together, if known."""
    target = make_url(url)
    if is_sqlite(url) and not Path(target.database or "").is_file():
        yield wrong("ledger", f"there is no file {target.database}", fix=_MIGRATE)
        return
    with _opened(url) as first, _opened(url) as second:
        try:
            first.check()
        except (TryLater, DBAPIError) as error:
            yield wrong(
                "ledger",
                _why(error),
                fix=f"start it, or correct DATABASE_URL: it leads to {address_of(url)}",
            )
            return
        yield right("ledger", f"answers at {address_of(url)}")
        yield _revision(first)
        yield _writable(first)
        if is_sqlite(url):
            yield right("ledger's connections", "SQLite sets no limit")
            yield right("clock against the ledger's", "it is this machine's")
            return
        yield check_clock("ledger", lambda: _time_of(first))
        is_pooled = _backend_of(first) == _backend_of(second)
        yield _prepared(target, is_pooled)
        yield _room(first, connections, is_pooled)


def _revision(ledger: Ledger) -> Finding:
    with ledger.reading() as session:
        found = revision_of(session)
    if found == NEWEST:
        return right("ledger's revision", f"{found}, the newest that this code knows")
    if found is not None and found > NEWEST:
        said = f"{found}; this code is older and knows {NEWEST}, which goes on to work"
        return right("ledger's revision", said)
    state = "was never migrated" if found is None else f"is at {found}"
    return wrong("ledger's revision", f"it {state}; this code needs {NEWEST}", fix=_MIGRATE)


def _writable(ledger: Ledger) -> Finding:
    try:
        with ledger.transaction() as session:
            session.execute(_WRITE_NOTHING)
    except (TryLater, DBAPIError) as error:
        return wrong("ledger's rows", _why(error), fix=_GRANT)
    return right("ledger's rows", "may be written")


def _prepared(url: URL, is_pooled: bool) -> Finding:
    what = "prepared statements"
    if is_pooled and prepares_statements(url):
        return wrong(
            what,
            "two connections share a backend: a pooler by transaction is in between",
            fix="add `?prepared_statements=false` to DATABASE_URL",
        )
    how = "prepared" if prepares_statements(url) else "none are prepared"
    return right(what, f"{how}; {'behind a pooler' if is_pooled else 'connections are our own'}")


def _room(ledger: Ledger, connections: int | None, is_pooled: bool) -> Finding:
    what = "ledger's connections"
    if is_pooled:
        return unseen(what, "the pooler shares them out: see its pool_size and max_client_conn")
    if connections is None:
        return unseen(what, "the other service's pool is not known", fix="give `--other`")
    with ledger.reading() as session:
        most = int(session.scalar(text("SHOW max_connections")) or 0)
    needed, allowed = connections + _MIGRATOR, most - RESERVED
    said = f"{needed} may be open, a migration's included; {most} - {RESERVED} are there"
    if needed <= allowed:
        return right(what, said)
    return wrong(what, said, fix=_FEWER)


@contextmanager
def _opened(url: str) -> Iterator[Ledger]:
    ledger = Ledger(url, pool_size=1)
    try:
        yield ledger
    finally:
        ledger.dispose()


def _time_of(ledger: Ledger) -> datetime:
    with ledger.reading() as session:
        told: datetime = session.scalars(text("SELECT clock_timestamp()")).one()
    return told


def _backend_of(ledger: Ledger) -> int:
    """Return the process that serves us; two of our connections share one behind a pooler alone."""
    with ledger.reading() as session:
        return int(session.scalars(text("SELECT pg_backend_pid()")).one())


def _why(error: TryLater | DBAPIError) -> str:
    """Return our sentence, and the first line of what the database said: no row, no password."""
    ours, cause = (str(error), error.__cause__) if isinstance(error, TryLater) else ("", error)
    said = str(cause.orig).strip() if isinstance(cause, DBAPIError) else ""
    return ": ".join(filter(None, (ours, said.partition("\n")[0])))
