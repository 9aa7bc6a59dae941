"""What nobody needs any more: found page by page, and removed only if that is still so.

Whoever looks holds no lock. So each removal locks its rows first and asks again in the next
statement, when whoever has begun to use one of them meanwhile has committed; that one stays.

A job that has expired, and is done, counts as gone already: what only such jobs use is found with
them. So what is found before anything is removed is all that a cleanup removes in the end.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, cast
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    CursorResult,
    Integer,
    and_,
    bindparam,
    delete,
    exists,
    or_,
    select,
    tuple_,
)
from sqlalchemy.dialects.postgresql import insert  # SQLite renders its ON CONFLICT just the same
from sqlalchemy.orm import Session

from colorway.image_keys import Kind, Origin, thumbnail_key
from colorway.ledger.idempotency import KEPT_FOR
from colorway.ledger.tables import (
    Record,
    UtcDateTime,
    colorways,
    idempotency_keys,
    images,
    jobs,
    renditions,
    rounds,
    upload_slots,
)

_NOW = bindparam("now", type_=UtcDateTime)
_BEFORE = bindparam("before", type_=UtcDateTime)
_MOST = bindparam("most", type_=Integer)
_IDS: Any = bindparam("ids", expanding=True)
_IT: Any = bindparam("of_id")


def _behind(*columns: ColumnElement[Any]) -> ColumnElement[bool]:
    """Whether a row comes behind the one whose columns have these values."""
    last = (bindparam(f"last_{n}", type_=column.type) for n, column in enumerate(columns))
    return tuple_(*columns) > tuple_(*last)


# One that has not ended is given up at last, and then it has.
_HAS_EXPIRED = and_(jobs.c.expires_at <= _NOW, jobs.c.finished_at.is_not(None))
EXPIRED_JOBS = (
    select(jobs.c.expires_at, jobs.c.id, jobs.c.account_id)
    .where(_HAS_EXPIRED, _behind(jobs.c.expires_at, jobs.c.id))
    .order_by(jobs.c.expires_at, jobs.c.id)
    .limit(_MOST)
)

EXPIRED_SLOTS = (
    select(upload_slots.c.expires_at, upload_slots.c.id)
    .where(
        upload_slots.c.expires_at < _BEFORE, _behind(upload_slots.c.expires_at, upload_slots.c.id)
    )
    .order_by(upload_slots.c.expires_at, upload_slots.c.id)
    .limit(_MOST)
)
REMOVE_SLOT = (
    delete(upload_slots)
    .where(upload_slots.c.id == _IT, upload_slots.c.expires_at < _BEFORE)
    .returning(upload_slots.c.key)
)

_KEY = (idempotency_keys.c.account_id, idempotency_keys.c.route, idempotency_keys.c.key)
_MADE_AT = idempotency_keys.c.created_at
OLD_KEYS = (
    select(_MADE_AT, *_KEY)
    .where(_MADE_AT <= _BEFORE, _behind(_MADE_AT, *_KEY))
    .order_by(_MADE_AT, *_KEY)
    .limit(_MOST)
)
FORGET_KEY = delete(idempotency_keys).where(
    _MADE_AT <= _BEFORE, *(column == bindparam(f"of_{column.name}") for column in _KEY)
)

PICTURES = select(renditions.c.id).where(renditions.c.id > bindparam("last"))
PICTURES = PICTURES.order_by(renditions.c.id).limit(_MOST)
_IS_SHOWN = (
    select(1)
    .select_from(colorways.join(jobs, colorways.c.job_id == jobs.c.id))
    .where(colorways.c.rendition_id == renditions.c.id, ~_HAS_EXPIRED)
    .exists()
)
UNUSED_PICTURES = select(renditions.c.id).where(renditions.c.id.in_(_IDS), ~_IS_SHOWN)
UNUSED_PICTURES = UNUSED_PICTURES.order_by(renditions.c.id)

SOURCES = select(images.c.id).where(images.c.id > bindparam("last"))
SOURCES = SOURCES.order_by(images.c.id).limit(_MOST)
_IS_UNWANTED = and_(
    images.c.wanted_at < _BEFORE,
    ~exists().where(upload_slots.c.image_id == images.c.id, upload_slots.c.expires_at > _NOW),
)
_OF_SOURCE = jobs.c.image_id == images.c.id
UNUSED_SOURCES = select(images.c.id).where(
    images.c.id.in_(_IDS),
    _IS_UNWANTED,
    ~exists().where(_OF_SOURCE, or_(~_HAS_EXPIRED, jobs.c.created_at >= _BEFORE)),
)
UNUSED_SOURCES = UNUSED_SOURCES.order_by(images.c.id)
LOCK_SOURCE = select(images.c.id).where(images.c.id == _IT).with_for_update()
REMOVE_UNUSED_SOURCE = (
    delete(images)
    .where(images.c.id == _IT, _IS_UNWANTED, ~exists().where(_OF_SOURCE))
    .returning(images.c.key)
)

_OF_ACCOUNT: Any = bindparam("account")
_MARKS: Any = bindparam("marks", expanding=True)
KNOWN = {
    Kind.PICTURE: select(renditions.c.key).where(
        renditions.c.account_id == _OF_ACCOUNT, renditions.c.fingerprint.in_(_MARKS)
    ),
    Kind.SOURCE: select(images.c.key).where(
        images.c.account_id == _OF_ACCOUNT, images.c.sha256.in_(_MARKS)
    ),
    Kind.SLOT: select(upload_slots.c.key).where(
        upload_slots.c.account_id == _OF_ACCOUNT, upload_slots.c.id.in_(_MARKS)
    ),
}

ROUND = select(rounds.c.behind).where(rounds.c.kind == bindparam("of_kind"))
NOTE_ROUND = insert(rounds)
NOTE_ROUND = NOTE_ROUND.on_conflict_do_update(
    index_elements=["kind"], set_={"behind": NOTE_ROUND.excluded.behind}
)


def expired_jobs(
    session: Session, *, now: datetime, last: tuple[datetime, UUID], most: int
) -> Sequence[Record]:
    """Return the next jobs that have expired and are done, by expiry; behind the last one."""
    asked = {"now": now, "last_0": last[0], "last_1": last[1], "most": most}
    return session.execute(EXPIRED_JOBS, asked).all()


def expired_slots(
    session: Session, *, before: datetime, last: tuple[datetime, UUID], most: int
) -> Sequence[Record]:
    """Return the next upload slots that expired before this, by expiry; behind the last one."""
    asked = {"before": before, "last_0": last[0], "last_1": last[1], "most": most}
    return session.execute(EXPIRED_SLOTS, asked).all()


def remove_slot(session: Session, slot: UUID, *, before: datetime) -> str | None:
    """Forget a slot that expired before this, confirmed or not, and return its object's key."""
    return session.scalar(REMOVE_SLOT, {"of_id": slot, "before": before})


def old_keys(
    session: Session, *, now: datetime, last: tuple[datetime, UUID, str, str], most: int
) -> Sequence[Record]:
    """Return the next keys of idempotency that are kept no longer, by age; behind the last one."""
    asked = {f"last_{n}": value for n, value in enumerate(last)}
    return session.execute(OLD_KEYS, asked | {"before": now - KEPT_FOR, "most": most}).all()


def forget_keys(session: Session, old: Sequence[Record], *, now: datetime) -> int:
    """Forget those of these keys that nobody has reserved anew, and return how many.

    In the order they were found, so that no two who forget them wait for each other.
    """
    guard = {"before": now - KEPT_FOR}
    those = [{f"of_{c.name}": getattr(key, c.name) for c in _KEY} | guard for key in old]
    return cast("CursorResult[Any]", session.execute(FORGET_KEY, those)).rowcount


def pictures_behind(session: Session, last: UUID, *, most: int) -> Sequence[UUID]:
    """Return the next pictures in the order of their ids."""
    return session.scalars(PICTURES, {"last": last, "most": most}).all()


def unused_pictures(session: Session, among: Sequence[UUID], *, now: datetime) -> Sequence[UUID]:
    """Return those of these pictures that no job shows, but such as have expired."""
    return session.scalars(UNUSED_PICTURES, {"ids": list(among), "now": now}).all()


def sources_behind(session: Session, last: UUID, *, most: int) -> Sequence[UUID]:
    """Return the next sources in the order of their ids."""
    return session.scalars(SOURCES, {"last": last, "most": most}).all()


def unused_sources(
    session: Session, among: Sequence[UUID], *, before: datetime, now: datetime
) -> Sequence[UUID]:
    """Return those of these sources that nobody sent or submitted since, and no job needs."""
    asked = {"ids": list(among), "before": before, "now": now}
    return session.scalars(UNUSED_SOURCES, asked).all()


def remove_unused_source(
    session: Session, source: UUID, *, before: datetime, now: datetime
) -> str | None:
    """Delete a source that nobody has wanted since, and return its key; None if it must stay."""
    session.execute(LOCK_SOURCE, {"of_id": source}).all()
    return session.scalar(REMOVE_UNUSED_SOURCE, {"of_id": source, "before": before, "now": now})


def known_objects(session: Session, origins: Iterable[Origin]) -> set[str]:
    """Return the keys that rows point to, of all objects that may have come from these."""
    marks = defaultdict(set)
    for origin in origins:
        mark = UUID(origin.mark) if origin.kind is Kind.SLOT else origin.mark
        marks[origin.account, origin.kind].add(mark)
    known: set[str] = set()
    for (account, kind), those in marks.items():
        keys = session.scalars(KNOWN[kind], {"account": account, "marks": list(those)}).all()
        known.update(keys)
        if kind is Kind.PICTURE:
            known.update(map(thumbnail_key, keys))
    return known


def round_of(session: Session, kind: str) -> str:
    """Return behind what the round through this kind goes on; empty where it begins."""
    return session.scalar(ROUND, {"of_kind": kind}) or ""


def note_round(session: Session, kind: str, behind: str) -> None:
    """Note how far the round through this kind has come."""
    session.execute(NOTE_ROUND, {"kind": kind, "behind": behind})
