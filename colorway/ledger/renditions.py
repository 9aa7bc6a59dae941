"""Finished pictures by fingerprint: of two attempts at the same picture, the first row decides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import bindparam, select
from sqlalchemy.dialects.postgresql import insert  # SQLite renders its ON CONFLICT just the same
from sqlalchemy.orm import Session
from uuid_utils.compat import uuid7

from colorway.errors import TryLater
from colorway.ledger.tables import renditions


@dataclass(frozen=True, slots=True)
class StoredRendition:
    """A picture that lies in the store under `key`, with its thumbnail beside it."""

    key: str
    sha256: str
    bytes: int
    format: str
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Winner:
    """The rendition that counts for a fingerprint, and the key of its object."""

    id: UUID
    key: str


RECORD = (
    insert(renditions)
    .on_conflict_do_nothing(index_elements=["account_id", "fingerprint"])
    .returning(renditions.c.id, renditions.c.key)
)
# Locked as a foreign key locks it: it cannot be forgotten before somebody points to it.
BY_FINGERPRINT = (
    select(renditions.c.id, renditions.c.key)
    .where(
        renditions.c.account_id == bindparam("account"),
        renditions.c.fingerprint == bindparam("of_fingerprint"),
    )
    .with_for_update(read=True, key_share=True)
)
BYTES = select(renditions.c.fingerprint, renditions.c.bytes).where(
    renditions.c.account_id == bindparam("account"),
    renditions.c.fingerprint.in_(bindparam("fingerprints", expanding=True)),
)


def record_rendition(
    session: Session, account: UUID, fingerprint: str, stored: StoredRendition, *, now: datetime
) -> Winner:
    """Record a stored picture, and return the one that counts: this one, or an earlier one.

    It may wait for another writer of the same fingerprint, so it comes before the job is locked.
    TryLater if the earlier one is forgotten at this very moment.
    """
    row = session.execute(
        RECORD,
        {
            "id": uuid7(),
            "account_id": account,
            "fingerprint": fingerprint,
            "key": stored.key,
            "sha256": stored.sha256,
            "bytes": stored.bytes,
            "format": stored.format,
            "width": stored.width,
            "height": stored.height,
            "created_at": now,
            "checked_at": now,
        },
    ).one_or_none()
    if row is None:  # there was one already
        earlier = {"account": account, "of_fingerprint": fingerprint}
        row = session.execute(BY_FINGERPRINT, earlier).one_or_none()
    if row is None:
        raise TryLater("the rendition that was first has just been forgotten")
    return Winner(row.id, row.key)


def rendition_bytes(session: Session, account: UUID, fingerprints: Sequence[str]) -> dict[str, int]:
    """Return how large the account's pictures are of those fingerprints that it has."""
    wanted = {"account": account, "fingerprints": list(fingerprints)}
    return {row.fingerprint: row.bytes for row in session.execute(BYTES, wanted)}
