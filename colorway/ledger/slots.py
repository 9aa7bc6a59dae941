"""Upload slots: what a client said of a source before sending it, and which image it became.

An image is locked before its slots, as by its deletion, which takes them along.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import bindparam, insert, select, update
from sqlalchemy.orm import Session

from colorway.errors import NotFound
from colorway.ledger.images import SourceFacts, record_image
from colorway.ledger.tables import Record, upload_slots

_IS_IT = (
    upload_slots.c.id == bindparam("slot"),
    upload_slots.c.account_id == bindparam("account"),
)
RECORD = insert(upload_slots)
BY_ID = select(upload_slots).where(*_IS_IT)
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


def confirm_slot(
    session: Session, account: UUID, slot: UUID, key: str, facts: SourceFacts, *, now: datetime
) -> Record:
    """Make what lies under the key the slot's image, and return that image's row.

    Where these bytes are known, it is the image that was first, under its own key; so the slot may
    be confirmed again, with the same bytes. Raises NotFound where the slot has gone, and TryLater
    as `record_image` does.
    """
    image = record_image(session, account, slot, key, facts, now=now)
    wanted = {"slot": slot, "account": account, "image": image.id}
    if session.execute(CONFIRM, wanted).one_or_none() is None:
        raise _no_slot(slot)
    return image


def _no_slot(slot: UUID) -> NotFound:
    return NotFound(f"there is no upload slot {slot}")
