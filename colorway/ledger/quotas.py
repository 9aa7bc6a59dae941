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
from typing import Literal
from uuid import UUID

from sqlalchemy import bindparam, func, select, update
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
    """How many colorways of an account are pending or processing, and its quotas."""

    account: UUID
    taken: int
    quotas: Quotas

    def require(self, more: int) -> None:
        """Raise TooMany unless there is room for so many more colorways; for none there is."""
        most = self.quotas.max_pending
        if more > most:
            raise TooMany(
                f"{more:,} colorways at once are more than this account's quota of {most:,}:"
                " send fewer at a time"
            )
        if more and self.taken + more > most:
            raise TooMany(
                f"{self.taken:,} colorways of this account are pending or processing, and {more:,}"
                f" more are beyond its quota of {most:,}: wait until some have ended",
                retry_after=LOOK_AGAIN_IN,
            )

    def require_space(self, session: Session, *, more: int = 0) -> None:
        """Raise TooMany if the account stores too much, or would with so many bytes more."""
        _require_space(session, self.account, self.quotas.max_stored_bytes, more)


OWN = select(accounts.c.max_pending, accounts.c.max_stored_bytes).where(
    accounts.c.id == bindparam("account")
)
# The lock of an UPDATE that leaves the keys alone, without a row to write: no foreign key waits.
OWN_TO_FILL = OWN.with_for_update(key_share=True)
TAKEN = select(
    func.coalesce(func.sum(jobs.c.total - jobs.c.completed - jobs.c.failed - jobs.c.cancelled), 0)
).where(jobs.c.account_id == bindparam("account"), jobs.c.finished_at.is_(None))
OWN_AND_TAKEN = OWN.add_columns(TAKEN.scalar_subquery().label("taken"))

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
    own = session.execute(OWN_AND_TAKEN, {"account": account}).one()
    return Room(account, int(own.taken), _quotas(own, otherwise))


def room_to_fill(session: Session, account: UUID, otherwise: Quotas) -> Room:
    """Return how much room there is until this transaction ends: meanwhile nobody else fills it.

    It may wait for another who does, so it comes before any other lock.
    """
    own = session.execute(OWN_TO_FILL, {"account": account}).one()
    taken = session.execute(TAKEN, {"account": account}).scalar_one()
    return Room(account, int(taken), _quotas(own, otherwise))


def require_space(
    session: Session, account: UUID, otherwise: Quotas, *, more: int, awaited: int = 0
) -> None:
    """Raise TooMany if the account stores too much, or would with so many bytes more.

    `awaited` are bytes that may still come, and take their space before those.
    """
    own = session.execute(OWN, {"account": account}).one()
    _require_space(session, account, _quotas(own, otherwise).max_stored_bytes, more, awaited)


def _quotas(own: Record, otherwise: Quotas) -> Quotas:
    return Quotas(
        otherwise.max_pending if own.max_pending is None else own.max_pending,
        otherwise.max_stored_bytes if own.max_stored_bytes is None else own.max_stored_bytes,
    )


def _require_space(
    session: Session, account: UUID, most: int | None, more: int, awaited: int = 0
) -> None:
    if most is None:
        return
    of_account = {"account": account}
    stored = sum(int(session.execute(each, of_account).scalar_one()) for each in STORED_BYTES)
    if stored + awaited + more > most:
        coming = f" {awaited:,} may still come into its upload slots," if awaited else ""
        raise TooMany(
            f"this account stores {stored:,} of {most:,} bytes,{coming} and {more:,} would be"
            " added: delete jobs, and images that no job uses"
        )
