"""Upload slots: a source is put straight into the store, and becomes an image when confirmed.

What a client puts there may change until the last moment. So a confirmation copies it first, under
a key that nobody else knows of, and believes only what the copy shows:

    copy → size, hash and header of the copy → one transaction: image and slot → drop the slot's

Killed between any two of these, it leaves objects that nothing points to, and can be repeated.
"""

from __future__ import annotations

from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import structlog
from sqlalchemy.orm import Session
from uuid_utils.compat import uuid7

from colorway.errors import (
    ColorwayError,
    Conflict,
    Flaw,
    Gone,
    InvalidRequest,
    NotFound,
    TryLater,
)
from colorway.image_keys import slot_key, source_key
from colorway.image_store import ImageStore, UploadSlot, is_stored
from colorway.ledger.connection import Ledger
from colorway.ledger.images import SourceFacts, find_image, image_with, want_image
from colorway.ledger.quotas import Quotas, require_space
from colorway.ledger.slots import awaited_bytes, confirm_slot, find_slot, record_slot
from colorway.ledger.tables import Record
from dispatcher.places import Places
from dispatcher.spool import CHUNK, Limit, Spool

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Announcement:
    """What a client tells of a source before it sends it."""

    filename: str
    bytes: int
    sha256: str
    media_type: str


@dataclass(frozen=True, slots=True)
class Slots:
    """What slots need: where to record them, where pictures go, and how many move at once.

    `quotas` are those of accounts that have none of their own.
    """

    ledger: Ledger
    store: ImageStore
    work_for: timedelta
    max_pixels: int
    places: Places
    quotas: Quotas

    def known_image(self, account: UUID, sha256: str, *, now: datetime) -> Record | None:
        """Return the account's image of these bytes, if it has one and the store has it too."""
        with self.ledger.transaction() as session:
            known = image_with(session, account, sha256)
            if known is not None:
                known = want_image(session, known.id, now=now)
        return known if known is not None and is_stored(self.store, known.key) else None

    def open(self, account: UUID, told: Announcement, *, now: datetime) -> tuple[UUID, UploadSlot]:
        """Return a new slot: the id that its image will have, and how to put it.

        Raises TooMany if the image would be beyond what the account may store, together with what
        its other slots await: nothing else limits what lies in slots.
        """
        with self.ledger.reading() as session:
            awaited = awaited_bytes(session, account, now=now)
            self._require_space(session, account, told.sha256, told.bytes, awaited=awaited)
        slot = uuid7()
        key = slot_key(account, slot)
        place = self.store.upload_slot(
            key, size=told.bytes, media_type=told.media_type, expires_in=self.work_for
        )
        with self.ledger.transaction() as session:
            record_slot(
                session,
                account,
                slot,
                key,
                sha256=told.sha256,
                size=told.bytes,
                expires_at=place.expires_at,
                now=now,
            )
        log.info("slot_opened", slot=slot, filename=told.filename, bytes=told.bytes)
        return slot, place

    def confirm(self, account: UUID, slot: UUID, *, now: datetime) -> Record:
        """Make an image of what was put into the slot, and return its row; again, the same row.

        Raises NotFound, Gone once the slot has expired, Conflict while nothing was put there,
        InvalidRequest where that is not what was announced, or no picture that we take, and TooMany
        where other slots and pictures have filled the account's store meanwhile.
        """
        told, image = self._look(account, slot)
        if image is not None:
            return image
        if told.expires_at <= now:
            raise Gone(f"the upload slot has expired: {told.expires_at:%F %T} UTC; ask for another")
        with self.ledger.reading() as session:
            self._require_space(session, account, told.sha256, told.bytes)
        copy = source_key(account, told.sha256, uuid7())
        with self.places.take():
            try:
                self.store.copy(told.key, copy)
            except NotFound:
                return self._confirmed_meanwhile(account, slot)
            try:
                facts = self._facts(copy, told)
            except ColorwayError:
                self._drop(copy)
                raise
        self._restore(account, copy, facts)
        with self.ledger.transaction() as session:
            image = confirm_slot(session, account, slot, copy, facts, now=now)
        log.info("slot_confirmed", slot=slot, image=image.id)
        self._drop(told.key)
        if image.key != copy:
            self._drop(copy)
        return image

    def _require_space(
        self, session: Session, account: UUID, sha256: str, size: int, *, awaited: int = 0
    ) -> None:
        """Raise TooMany unless there is space for an image of these bytes, or it is known."""
        if image_with(session, account, sha256) is None:
            require_space(session, account, self.quotas, more=size, awaited=awaited)

    def _look(self, account: UUID, slot: UUID) -> tuple[Record, Record | None]:
        """Return the slot, and the image that it has become; raise NotFound without a slot."""
        with self.ledger.reading() as session:
            told = find_slot(session, account, slot)
            if told.image_id is None:
                return told, None
            return told, find_image(session, account, told.image_id)

    def _confirmed_meanwhile(self, account: UUID, slot: UUID) -> Record:
        """Return the image; where there is none, nothing was put into the slot: Conflict."""
        _, image = self._look(account, slot)
        if image is None:
            empty = "nothing has been put into this slot yet"
            raise Conflict(empty, code="not-ready", retry_after=2)  # it may be on its way
        return image

    def _facts(self, copy: str, told: Record) -> SourceFacts:
        """Return what the copy is, or raise InvalidRequest."""
        size = self.store.stat(copy).bytes
        if size != told.bytes:
            raise _other_than_told("bytes", f"{size} bytes were put, not {told.bytes}")
        with closing(self.store.open(copy)) as body, closing(Spool(copy, Limit(size))) as spool:
            while chunk := body.read(CHUNK):
                spool.write(chunk)
            if spool.size != size:
                raise TryLater(f"the store broke off reading {copy}")
            if spool.sha256() != told.sha256:
                raise _other_than_told("sha256", f"what was put has the sha256 {spool.sha256()}")
            return spool.facts(max_pixels=self.max_pixels)

    def _restore(self, account: UUID, copy: str, facts: SourceFacts) -> None:
        """Where an earlier image has these bytes, but the store lost them, store them again."""
        with self.ledger.reading() as session:
            known = image_with(session, account, facts.sha256)
        if known is not None and not is_stored(self.store, known.key):
            self.store.copy(copy, known.key)

    def _drop(self, key: str) -> None:
        with suppress(TryLater):  # an orphan in the store does no harm
            self.store.delete(key)


def _other_than_told(field: str, detail: str) -> InvalidRequest:
    flaw = Flaw(f"#/{field}", "differs", detail)
    return InvalidRequest("this is not what was announced; ask for another slot", flaws=(flaw,))
