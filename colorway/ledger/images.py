"""Source pictures: the same bytes are the same image, once per account."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Select, bindparam, select, update
from sqlalchemy.dialects.postgresql import insert  # SQLite renders its ON CONFLICT just the same
from sqlalchemy.orm import Session

from colorway.errors import NotFound, TryLater
from colorway.ledger.tables import Record, images, jobs
from colorway.perceptual_hashes import PerceptualHashes


@dataclass(frozen=True, slots=True)
class SourceFacts:
    """What is known of a source from its bytes and its header, without decoding it."""

    sha256: str
    bytes: int
    format: str
    width: int
    height: int


BY_ID = select(images).where(
    images.c.id == bindparam("image"), images.c.account_id == bindparam("account")
)
# Locked as a foreign key locks it: it cannot be deleted before a job refers to it.
BY_ID_TO_USE = BY_ID.with_for_update(read=True, key_share=True)
BY_ID_TO_WRITE = BY_ID.with_for_update()
BY_SHA256 = select(images).where(
    images.c.account_id == bindparam("account"), images.c.sha256 == bindparam("sha256")
)
BY_SHA256_TO_USE = BY_SHA256.with_for_update(read=True, key_share=True)
# Whatever the conflict: two confirmations of one slot record the same id with the same bytes.
RECORD = insert(images).on_conflict_do_nothing().returning(images)
WANT = (
    update(images)
    .where(images.c.id == bindparam("of_image"))
    .values(wanted_at=bindparam("now"))
    .returning(images)
)
NOTE_FRAMES = (
    update(images)
    .where(images.c.id == bindparam("image"), images.c.frames.is_(None))
    .values(frames=bindparam("counted"))
)
NOTE_HASHES = (
    update(images)
    .where(images.c.id == bindparam("image"), images.c.phash.is_(None))
    .values({name: bindparam(f"its_{name}") for name in PerceptualHashes._fields})
)

_OF_JOB = images.c.id == (
    select(jobs.c.image_id).where(jobs.c.id == bindparam("job")).scalar_subquery()
)
COUNT_DEATH = update(images).where(_OF_JOB).values(deaths=images.c.deaths + 1)
CLEAR_DEATHS = update(images).where(_OF_JOB, images.c.deaths > 0).values(deaths=0)


def find_image(session: Session, account: UUID, image: UUID) -> Record:
    """Return the image's row, or raise NotFound; another account's is not found either."""
    return _found(session, BY_ID, account, image)


def find_image_to_use(session: Session, account: UUID, image: UUID) -> Record:
    """Return the image's row such that this transaction may refer to it; or raise NotFound."""
    return _found(session, BY_ID_TO_USE, account, image)


def find_image_to_write(session: Session, account: UUID, image: UUID) -> Record:
    """Return the image's row, locked against whoever would use it; or raise NotFound."""
    return _found(session, BY_ID_TO_WRITE, account, image)


def _found(session: Session, statement: Select[Any], account: UUID, image: UUID) -> Record:
    row = session.execute(statement, {"image": image, "account": account}).one_or_none()
    if row is None:
        raise NotFound(f"there is no image {image}")
    return row


def image_with(session: Session, account: UUID, sha256: str) -> Record | None:
    """Return the account's image of these bytes, if it has one."""
    return session.execute(BY_SHA256, {"account": account, "sha256": sha256}).one_or_none()


def record_image(
    session: Session, account: UUID, image: UUID, key: str, facts: SourceFacts, *, now: datetime
) -> Record:
    """Record a stored source; of bytes that are known already, return the row that was first.

    Either way this transaction may refer to it. Raises TryLater where it is just being deleted.
    """
    row = session.execute(
        RECORD,
        {
            "id": image,
            "account_id": account,
            "key": key,
            "sha256": facts.sha256,
            "bytes": facts.bytes,
            "format": facts.format,
            "width": facts.width,
            "height": facts.height,
            "frames": None,
            "created_at": now,
            "wanted_at": now,
        },
    ).one_or_none()
    if row is None:  # there was one already
        of_these_bytes = {"account": account, "sha256": facts.sha256}
        row = session.execute(BY_SHA256_TO_USE, of_these_bytes).one_or_none()
    if row is None:
        raise TryLater("an image of the same bytes has just been deleted", retry_after=1)
    return row


def want_image(session: Session, image: UUID, *, now: datetime) -> Record | None:
    """Keep an image without jobs as if it had just come; None if it has been deleted."""
    return session.execute(WANT, {"of_image": image, "now": now}).one_or_none()


def note_frames(session: Session, image: UUID, frames: int) -> None:
    """Note how many frames a worker found; the first count stays."""
    session.execute(NOTE_FRAMES, {"image": image, "counted": frames})


def note_hashes(session: Session, image: UUID, hashes: PerceptualHashes) -> None:
    """Note what a worker says it looks like; what was said first stays."""
    found = {f"its_{name}": number for name, number in hashes._asdict().items()}
    session.execute(NOTE_HASHES, {"image": image} | found)


def count_death(session: Session, job: UUID) -> None:
    """Count one more worker that died alone with this job's source; the job is locked."""
    session.execute(COUNT_DEATH, {"job": job})


def clear_deaths(session: Session, job: UUID) -> None:
    """Forget which workers died with this job's source; the job is locked."""
    session.execute(CLEAR_DEATHS, {"job": job})
