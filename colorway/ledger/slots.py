"""Upload slots: what a client said of a source before sending it, and which image it became.

An image is locked before its slots, as by its deletion, which takes them along.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import bindparam, func, insert, select, update
from sqlalchemy.orm import Session

from colorway.errors import NotFound
from colorway.ledger.images import SourceFacts, record_image, want_image
from colorway.ledger.tables import Record, UtcDateTime, upload_slots

_IS_IT = (
    upload_slots.c.id == bindparam("slot"),
    upload_slots.c.account_id == bindparam("account"),
)
RECORD = insert(upload_slots)
BY_ID = select(upload_slots).where(*_IS_IT)
_AWAITED = func.sum(upload_slots.c.bytes).filter(upload_slots.c.image_id.is_(None))
# What is confirmed is left out of the sum and not of the search, which shall go by the index on
# expiry: SQLite would rather go through all slots that were ever left alone.
AWAITED = select(func.coalesce(_AWAITED, 0)).where(
    upload_slots.c.account_id == bindparam("account"),
    upload_slots.c.expires_at > bindparam("now", type_=UtcDateTime),
)
CONFIRM = (
    update(upload_slots)
    .where(*_IS_IT)
    .values(image_id=bindparam("image"))
    .returning(upload_slots.c.id)
)


def record_slot(
    session: Session,
    account: UUID,
    slot: UUID,
    key: str,
    *,
    sha256: str,
    size: int,
    expires_at: datetime,
    now: datetime,
) -> None:
    """Record a slot for the `size` bytes of this hash, as the client tells them."""
    session.execute(
        RECORD,
        {
            "id": slot,
            "account_id": account,
            "key": key,
            "sha256": sha256,
            "bytes": size,
            "created_at": now,
            "expires_at": expires_at,
            "image_id": None,
        },
    )


def find_slot(session: Session, account: UUID, slot: UUID) -> Record:
    """Return the slot's row, or raise NotFound; another account's is not found either."""
    row = session.execute(BY_ID, {"slot": slot, "account": account}).one_or_none()
    if row is None:
        raise _no_slot(slot)
    return row


def awaited_bytes(session: Session, account: UUID, *, now: datetime) -> int:
    """Return how many bytes may be, or come, in slots of the account that are not confirmed."""
    return int(session.execute(AWAITED, {"account": account, "now": now}).scalar_one())


def confirm_slot(
    session: Session, account: UUID, slot: UUID, key: str, facts: SourceFacts, *, now: datetime
) -> Record:
    """Make what lies under the key the slot's image, and return that image's row.

    Where these bytes are known, it is the image that was first, under its own key; so the slot may
    be confirmed again, with the same bytes. Raises NotFound where the slot has gone, and TryLater
    as `record_image` does.
    """
    image = record_image(session, account, slot, key, facts, now=now)
    want_image(session, image.id, now=now)
    wanted = {"slot": slot, "account": account, "image": image.id}
    if session.execute(CONFIRM, wanted).one_or_none() is None:
        raise _no_slot(slot)
    return image


def _no_slot(slot: UUID) -> NotFound:
    return NotFound(f"there is no upload slot {slot}")
