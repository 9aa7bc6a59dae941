"""A ledger and a folder of pictures, with something of everything that a cleanup finds and spares.

It is all there by NOON; at `CLEANING`, a month later, what is named `old` or `expired` has had its
time. Objects are as old as can be, unless they are young on purpose: age alone must cost nothing.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from io import BytesIO
from pathlib import Path
from uuid import UUID

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session
from uuid_utils.compat import uuid7

from colorway.image_keys import rendition_key, slot_key, source_key, thumbnail_key
from colorway.image_store.local_folder import LocalFolderStore
from colorway.ledger.connection import Ledger
from colorway.ledger.idempotency import Reservation, reserve
from colorway.ledger.images import SourceFacts
from colorway.ledger.lease import finish
from colorway.ledger.renditions import StoredRendition, record_rendition
from colorway.ledger.slots import confirm_slot, record_slot
from colorway.ledger.tables import Record, Row, colorways, images, jobs, renditions
from colorway.lifecycle import Status
from colorway.render_task import RenderTask
from colorway.telemetry.metrics import RequestMetrics
from dispatcher.cleanup import Cleanup, Removed
from tests.builders import (
    DAY,
    NOON,
    TIMINGS,
    a_claim,
    a_job,
    an_account,
    an_image,
    row_of,
)
from tests.dispatcher.stage import settings_for

CLEANING = NOON + 31 * DAY
FRESH = NOON + 30 * DAY
FOREIGN = ("notes.txt", "studio/colorways/nord.png")

IN_ALL = Removed(idempotency_keys=2, slots=2, jobs=3, pictures=4, sources=2, orphans=4, foreign=3)


@dataclass
class Litter:
    """The ledger and the store, an account, and the keys of what must stay when all is done."""

    ledger: Ledger
    folder: Path
    kept: set[str] = field(default_factory=set)

    @property
    def store(self) -> LocalFolderStore:
        return LocalFolderStore(self.folder / "pictures", "k" * 32)

    def cleanup(self, **matters: object) -> Cleanup:
        settings = settings_for(self.ledger, self.folder, **matters)
        return Cleanup(self.ledger, self.store, RequestMetrics(), settings)

    def put(self, *keys: str, at: datetime = NOON, stays: bool = True) -> None:
        """Store something under each of these keys, as at this time."""
        for key in keys:
            self.store.put(key, BytesIO(b"x"), size=1, sha256="", media_type="image/png")
            os.utime(self.folder / "pictures" / key, (at.timestamp(),) * 2)
        if stays:
            self.kept.update(keys)

    def stored(self) -> set[str]:
        return {each.key for each in self.store.list("")}

    def source(self, account: UUID, seed: str, *, stays: bool = True) -> Record:
        with self.ledger.transaction() as session:
            image = an_image(session, account, seed=seed)
        self.put(image.key, stays=stays)
        return image

    def job(self, image: Record, *palettes: str, at: datetime = NOON, stays: bool = True) -> UUID:
        """Record a job, finish it with pictures in the store, and return it."""
        with self.ledger.transaction() as session:
            job, tasks = a_job(session, palettes, image=image, now=at)
            for task in tasks:
                row = row_of(session, colorways, task.colorway)
                if row.status is Status.PENDING:  # not one whose picture was there
                    self._finish(session, task, row.fingerprint, image.account_id, stays=stays)
                elif stays:
                    key = row_of(session, renditions, row.rendition_id).key
                    self.kept |= {key, thumbnail_key(key)}
        return job

    def _finish(
        self, session: Session, task: RenderTask, fingerprint: str, account: UUID, *, stays: bool
    ) -> None:
        held = a_claim(session, task)
        key = rendition_key(account, fingerprint, held.colorway, held.fence, "png")
        self.put(key, thumbnail_key(key), stays=stays)
        stored = StoredRendition(key, "", bytes=1, format="png", width=8, height=6)
        winner = record_rendition(session, account, fingerprint, stored, now=NOON)
        finish(session, held, winner.id, TIMINGS, now=NOON)

    def slot(self, account: UUID, *, until: datetime, stays: bool) -> tuple[UUID, str]:
        slot = uuid7()
        key = slot_key(account, slot)
        with self.ledger.transaction() as session:
            record_slot(session, account, slot, key, sha256="", size=1, expires_at=until, now=NOON)
        self.put(key, stays=stays)
        return slot, key

    def rows(self) -> dict[str, list[tuple[object, ...]]]:
        """Return every row there is, but how far rounds have come."""
        tables = [each for name, each in Row.metadata.tables.items() if name != "rounds"]
        with self.ledger.reading() as session:
            return {
                table.name: sorted(map(tuple, session.execute(select(table))), key=str)
                for table in tables
            }

    def require_whole(self) -> None:
        """Fail where a row points to an object that is not there."""
        shown = colorways.c.rendition_id == renditions.c.id
        with self.ledger.reading() as session:
            pictures = session.scalars(select(renditions.c.key).join(colorways, shown)).all()
            sources = session.scalars(select(images.c.key)).all()
        needed = {*pictures, *map(thumbnail_key, pictures), *sources}
        assert needed - self.stored() == set()


def a_litter(ledger: Ledger, folder: Path) -> Litter:
    """Make something of everything, and return it with the keys that a cleanup must leave."""
    litter = Litter(ledger, folder)
    with ledger.transaction() as session:
        account, other = an_account(session), an_account(session, "another")

    used = litter.source(account, "used")
    litter.job(used, "nord", "ink", at=FRESH)
    litter.job(used, "ink", "rose", stays=False)  # expired; ink is the other job's, too
    litter.job(used, "rose", "grape", stays=False)  # expired; with it the last of rose
    forgotten = litter.source(account, "forgotten", stays=False)
    litter.job(forgotten, "nord", stays=False)
    same = litter.source(other, "used")
    litter.job(same, "nord", "ink", "rose", "grape", at=FRESH)
    waiting = litter.source(account, "waiting")
    with ledger.transaction() as session:
        a_job(session, image=waiting)  # expired, and not done

    litter.source(account, "old and never used", stays=False)
    fresh = litter.source(account, "fresh")
    shown_by_nobody = litter.job(fresh, "dust", at=FRESH, stays=False)
    with ledger.transaction() as session:
        session.execute(delete(jobs).where(jobs.c.id == shown_by_nobody))  # by hand
        session.execute(update(images).where(images.c.id == fresh.id).values(wanted_at=FRESH))

    _slots(litter, account)
    _keys(litter, account)
    _objects(litter, account, used)
    return litter


def _slots(litter: Litter, account: UUID) -> None:
    litter.slot(account, until=NOON, stays=False)
    litter.slot(account, until=CLEANING, stays=True)
    litter.slot(account, until=CLEANING - timedelta(hours=23), stays=True)
    confirmed = litter.source(account, "confirmed and still open")
    confirmed_long_ago = litter.source(account, "confirmed, and used", stays=True)
    litter.job(confirmed_long_ago, "nord", at=FRESH)
    for image, until, stays in (
        (confirmed, CLEANING + timedelta(hours=1), True),
        (confirmed_long_ago, NOON, False),
    ):
        slot, _ = litter.slot(account, until=until, stays=stays)
        facts = _facts_of(image)
        with litter.ledger.transaction() as session:
            confirm_slot(session, account, slot, image.key, facts, now=NOON)


def _keys(litter: Litter, account: UUID) -> None:
    for number, at in enumerate((NOON, NOON, CLEANING - timedelta(hours=23))):
        with litter.ledger.transaction() as session:
            once = Reservation(account, "POST /v1/jobs", f"key {number}", "a" * 64)
            assert reserve(session, once, now=at) is None


def _objects(litter: Litter, account: UUID, used: Record) -> None:
    lost = rendition_key(account, "f" * 64, uuid7(), 1, "webp")
    orphans = [source_key(account, "e" * 64, uuid7()), lost, thumbnail_key(lost)]
    orphans += [source_key(uuid7(), used.sha256, uuid7())]  # of an account that is no more
    litter.put(*orphans, stays=False)
    young = rendition_key(account, "f" * 64, uuid7(), 2, "webp")
    litter.put(
        young,
        thumbnail_key(young),
        slot_key(account, uuid7()),
        source_key(account, "e" * 64, uuid7()),
        at=CLEANING - timedelta(hours=23),
    )
    litter.put(*FOREIGN, f"{account}/readme.txt")


def _facts_of(image: Record) -> SourceFacts:
    return SourceFacts(image.sha256, image.bytes, image.format, image.width, image.height)
