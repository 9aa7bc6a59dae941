"""What an account may have at a time: colorways that have not ended, and bytes in the store.

Colorways are held to the quota exactly, whatever comes at once. Whoever is to add some locks the
account's row before anything else and, in the next statement, counts what has not ended: counted
in the same one, it would be that of before the wait for the lock. Nobody else adds meanwhile, and
whatever ends meanwhile only makes room. There is no counter to keep: all workers of an account
would wait for each other at it, with every colorway that ends.

Bytes are looked at, not held: they grow when pictures are finished, long after anybody was asked.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import Select, bindparam, func, select, update
from sqlalchemy.orm import Session

from colorway.errors import TooMany
from colorway.ledger.tables import Record, accounts, images, jobs, renditions

Quota = Literal["max_pending", "max_stored_bytes"]

LOOK_AGAIN_IN = 60
"""Seconds after which some of the colorways that are in the way may have ended."""


@dataclass(frozen=True, slots=True)
class Quotas:
    """The most that an account may have; without `max_stored_bytes`, any number of them."""

    max_pending: int
    max_stored_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Room:
    """How many colorways of an account are pending or processing, and the most that may be."""

    taken: int
    most: int

    def require(self, more: int) -> None:
        """Raise TooMany unless there is room for so many more."""
        if more > self.most:
            raise TooMany(
                f"{more:,} colorways at once are more than this account's quota of {self.most:,}:"
                " send fewer at a time"
            )
        if self.taken + more > self.most:
            raise TooMany(
                f"{self.taken:,} colorways of this account are pending or processing, and {more:,}"
                f" more are beyond its quota of {self.most:,}: wait until some have ended",
                retry_after=LOOK_AGAIN_IN,
            )


_OF_ACCOUNT = accounts.c.id == bindparam("account")

MAX_PENDING = select(accounts.c.max_pending).where(_OF_ACCOUNT)
# The lock of an UPDATE that leaves the keys alone, without a row to write: no foreign key waits.
MAX_PENDING_TO_FILL = MAX_PENDING.with_for_update(key_share=True)
TAKEN = select(
    func.coalesce(func.sum(jobs.c.total - jobs.c.completed - jobs.c.failed - jobs.c.cancelled), 0)
).where(jobs.c.account_id == bindparam("account"), jobs.c.finished_at.is_(None))

MAX_STORED_BYTES = select(accounts.c.max_stored_bytes).where(_OF_ACCOUNT)
STORED_BYTES = [
    select(func.coalesce(func.sum(table.c.bytes), 0)).where(
        table.c.account_id == bindparam("account")
    )
    for table in (images, renditions)
]


def set_quotas(session: Session, account: UUID, changed: Mapping[Quota, int | None]) -> Record:
    """Give the account these quotas, where None takes its own away; return its row as it is now."""
    changing = update(accounts).where(accounts.c.id == account).values(dict(changed))
    return session.execute(changing.returning(accounts)).one()


def room_of(session: Session, account: UUID, otherwise: Quotas) -> Room:
    """Return how much room there is now; `otherwise` are the quotas of whoever has no own."""
    return _room(session, MAX_PENDING, account, otherwise)


def room_to_fill(session: Session, account: UUID, otherwise: Quotas) -> Room:
    """Return how much room there is until this transaction ends: meanwhile nobody else fills it.

    It may wait for another who does, so it comes before any other lock.
    """
    return _room(session, MAX_PENDING_TO_FILL, account, otherwise)


def require_space(
    session: Session, account: UUID, otherwise: Quotas, *, more: int, awaited: int = 0
) -> None:
    """Raise TooMany if the account stores too much, or would with so many bytes more.

    `awaited` are bytes that may still come, and take their space before those.
    """
    of_account = {"account": account}
    own = session.execute(MAX_STORED_BYTES, of_account).scalar_one()
    most = otherwise.max_stored_bytes if own is None else own
    if most is None:
        return
    stored = sum(int(session.execute(each, of_account).scalar_one()) for each in STORED_BYTES)
    if stored + awaited + more > most:
        coming = f" {awaited:,} may still come into its upload slots," if awaited else ""
        raise TooMany(
            f"this account stores {stored:,} of {most:,} bytes,{coming} and {more:,} would be"
            " added: delete jobs, and images that no job uses"
        )


def _room(session: Session, statement: Select[Any], account: UUID, otherwise: Quotas) -> Room:
    of_account = {"account": account}
    own = session.execute(statement, of_account).scalar_one()
    taken = session.execute(TAKEN, of_account).scalar_one()
    return Room(int(taken), otherwise.max_pending if own is None else own)
