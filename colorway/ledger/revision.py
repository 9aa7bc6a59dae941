"""Which revision of the ledger this code was written for, and which one a database is at.

The migrations lie beside the dispatcher alone; the worker must be able to tell, too.
"""

from __future__ import annotations

from sqlalchemy import inspect, text
from sqlalchemy.orm import Session

NEWEST = "0009"
"""The last of migrations/versions/; a test sees to it."""


def revision_of(session: Session) -> str | None:
    """Return the revision of this database; None if it was never migrated."""
    connection = session.connection()
    if not inspect(connection).has_table("alembic_version"):
        return None
    revision: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return revision
