"""Triggers that write down every transition, in the very transaction that makes it.

What they write is the auditor's evidence: nothing that was committed can be missing from it, and
nothing that was rolled back can be in it. Rows of one job are in the order of their commits, for
every writer locks the job first.
"""

from __future__ import annotations

from chaos.auditor.books import Books

TABLE = "chaos_history"

_TABLE_SQL = """
CREATE TABLE chaos_history (
    seq {serial}, at {real} NOT NULL, tx BIGINT, job {uuid} NOT NULL, colorway {uuid},
    was_status TEXT, status TEXT, was_epoch INTEGER, epoch INTEGER, was_fence INTEGER,
    fence INTEGER, tries INTEGER, nudge INTEGER, rendition {uuid},
    was_version INTEGER, version INTEGER, total INTEGER, processing INTEGER, completed INTEGER,
    failed INTEGER, cancelled INTEGER, was_finished INTEGER, finished INTEGER
)
"""

# What a trigger of each kind writes; a column that is not named is null.
_COLORWAY_BORN = {
    "job": "NEW.job_id",
    "colorway": "NEW.id",
    "status": "NEW.status",
    "epoch": "NEW.epoch",
    "fence": "NEW.fence",
    "tries": "NEW.tries",
    "nudge": "NEW.nudge",
    "rendition": "NEW.rendition_id",
}
_COLORWAY_MOVED = _COLORWAY_BORN | {
    "was_status": "OLD.status",
    "was_epoch": "OLD.epoch",
    "was_fence": "OLD.fence",
}
_COLORWAY_GONE = {
    "job": "OLD.job_id",
    "colorway": "OLD.id",
    "was_status": "OLD.status",
    "was_epoch": "OLD.epoch",
    "was_fence": "OLD.fence",
}
_JOB_BORN = {
    "job": "NEW.id",
    "version": "NEW.version",
    "total": "NEW.total",
    "processing": "NEW.processing",
    "completed": "NEW.completed",
    "failed": "NEW.failed",
    "cancelled": "NEW.cancelled",
    "finished": "CASE WHEN NEW.finished_at IS NULL THEN 0 ELSE 1 END",
}
_JOB_MOVED = _JOB_BORN | {
    "was_version": "OLD.version",
    "was_finished": "CASE WHEN OLD.finished_at IS NULL THEN 0 ELSE 1 END",
}
_JOB_GONE = {"job": "OLD.id", "was_version": "OLD.version"}

_MOVES = (  # a renewed lease is none
    "OLD.status <> NEW.status OR OLD.epoch <> NEW.epoch OR OLD.fence <> NEW.fence"
    " OR OLD.nudge <> NEW.nudge OR OLD.tries <> NEW.tries"
    " OR coalesce(OLD.rendition_id <> NEW.rendition_id, OLD.rendition_id IS NOT NULL"
    " OR NEW.rendition_id IS NOT NULL)"
)

_TRIGGERS = (
    ("colorways", "INSERT", None, _COLORWAY_BORN),
    ("colorways", "UPDATE", _MOVES, _COLORWAY_MOVED),
    ("colorways", "DELETE", None, _COLORWAY_GONE),
    ("jobs", "INSERT", None, _JOB_BORN),
    ("jobs", "UPDATE", None, _JOB_MOVED),
    ("jobs", "DELETE", None, _JOB_GONE),
)


def observe(books: Books) -> None:
    """Set the triggers up in a migrated database; from then on they see everything."""
    for statement in _sqlite() if books.is_sqlite else _postgres():
        books.run(statement)


def forget(books: Books) -> None:
    """Take the triggers and what they wrote away again."""
    for table, event, _, _ in _TRIGGERS:
        on = "" if books.is_sqlite else f" ON {table}"
        books.run(f"DROP TRIGGER IF EXISTS {_name(table, event)}{on}")
        if not books.is_sqlite:
            books.run(f"DROP FUNCTION IF EXISTS {_name(table, event)}()")
    books.run(f"DROP TABLE IF EXISTS {TABLE}")


def _sqlite() -> list[str]:
    serial = "INTEGER PRIMARY KEY AUTOINCREMENT"
    statements = [_TABLE_SQL.format(serial=serial, real="REAL", uuid="TEXT")]
    now = {"at": "(julianday('now') - 2440587.5) * 86400.0"}
    for table, event, when, facts in _TRIGGERS:
        guard = f" WHEN {when}" if when else ""
        statements.append(
            f"CREATE TRIGGER {_name(table, event)} AFTER {event} ON {table}{guard}"
            f" BEGIN {_insert(now | facts)}; END"
        )
    return statements


def _postgres() -> list[str]:
    serial = "BIGSERIAL PRIMARY KEY"
    statements = [_TABLE_SQL.format(serial=serial, real="DOUBLE PRECISION", uuid="UUID")]
    now = {"at": "extract(epoch FROM clock_timestamp())", "tx": "txid_current()"}
    for table, event, when, facts in _TRIGGERS:
        name, guard = _name(table, event), f" WHEN ({when})" if when else ""
        statements += [
            f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS"
            f" $$ BEGIN {_insert(now | facts)}; RETURN NULL; END $$",
            f"CREATE TRIGGER {name} AFTER {event} ON {table}"
            f" FOR EACH ROW{guard} EXECUTE FUNCTION {name}()",
        ]
    return statements


def _insert(facts: dict[str, str]) -> str:
    return f"INSERT INTO {TABLE} ({', '.join(facts)}) VALUES ({', '.join(facts.values())})"  # noqa: S608


def _name(table: str, event: str) -> str:
    return f"chaos_{table}_{event.lower()}"
