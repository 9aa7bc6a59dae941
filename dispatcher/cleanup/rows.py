"""Rows that have had their time, and the objects that go with them: rows, commit, then objects."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from colorway.errors import Conflict, NotFound
from colorway.ledger import retention
from colorway.ledger.connection import Ledger
from colorway.ledger.removal import remove_job, remove_unused_pictures
from colorway.ledger.repairs import NEVER
from colorway.ledger.tables import Record
from dispatcher.cleanup.duty import Duty, Page, Premises
from dispatcher.dropping import drop_objects, with_thumbnails

MOST = 500
"""Rows that one look finds, or goes through."""

MOST_JOBS = 50
"""Jobs whose rows are removed before their objects are: what a kill may turn into orphans."""

_FIRST = UUID(int=0)


def old_keys(at: Premises) -> Duty:
    """Forget keys of idempotency after a day."""
    look = partial(retention.old_keys, now=at.now, most=MOST)

    def remove(found: Sequence[Record], removed: Counter[str]) -> None:
        with at.ledger.transaction() as session:
            forgotten = retention.forget_keys(session, found, now=at.now)
        removed["idempotency_keys"] += forgotten

    first = (NEVER, _FIRST, "", "")
    return Duty("idempotency_keys", lambda _: _by_age(at.ledger, look, first, MOST), remove)


def expired_slots(at: Premises) -> Duty:
    """Remove upload slots, once they have been over for as long as orphans are kept.

    Confirmed ones too: until then, whoever has the link could put something there once more.
    """
    before = at.now - at.keep_orphans_for
    look = partial(retention.expired_slots, before=before, most=MOST)

    def remove(found: Sequence[Record], removed: Counter[str]) -> None:
        keys = []
        for slot in found:
            with at.ledger.transaction() as session:
                key = retention.remove_slot(session, slot.id, before=before)
            keys += _counted("slots", key, removed)
        drop_objects(at.store, keys)

    return Duty("slots", lambda _: _by_age(at.ledger, look, (NEVER, _FIRST), MOST), remove)


def expired_jobs(at: Premises) -> Duty:
    """Remove jobs past their `expires_at` that are done, and pictures that no other job shares."""
    look = partial(retention.expired_jobs, now=at.now, most=MOST_JOBS)

    def remove(found: Sequence[Record], removed: Counter[str]) -> None:
        pictures: list[str] = []
        try:
            for job in found:
                try:
                    with at.ledger.transaction() as session:
                        its_own = remove_job(session, job.account_id, job.id)
                except (Conflict, NotFound):  # reopened, or deleted since we looked
                    continue
                removed.update(jobs=1, pictures=len(its_own))
                pictures += its_own
        finally:  # even where the ledger is in trouble by now: those rows are gone
            drop_objects(at.store, with_thumbnails(pictures))

    return Duty("jobs", lambda _: _by_age(at.ledger, look, (NEVER, _FIRST), MOST_JOBS), remove)


def unused_pictures(at: Premises) -> Duty:
    """Remove pictures that no colorway shows."""
    unused = partial(retention.unused_pictures, now=at.now)

    def remove(found: Sequence[UUID], removed: Counter[str]) -> None:
        with at.ledger.transaction() as session:
            pictures = remove_unused_pictures(session, found)
        removed.update(pictures=len(pictures))
        drop_objects(at.store, with_thumbnails(pictures))

    def pages(behind: str) -> Iterator[Page]:
        return _all_there_is(at.ledger, behind, retention.pictures_behind, unused)

    return Duty("pictures", pages, remove, goes_round=True)


def unused_sources(at: Premises) -> Duty:
    """Remove sources that no job refers to, and that nobody has sent or submitted for a while."""
    before, now = at.now - at.keep_images_for, at.now

    def remove(found: Sequence[UUID], removed: Counter[str]) -> None:
        keys = []
        for source in found:
            with at.ledger.transaction() as session:
                key = retention.remove_unused_source(session, source, before=before, now=now)
            keys += _counted("sources", key, removed)
        drop_objects(at.store, keys)

    def pages(behind: str) -> Iterator[Page]:
        unused = partial(retention.unused_sources, before=before, now=now)
        return _all_there_is(at.ledger, behind, retention.sources_behind, unused)

    return Duty("sources", pages, remove, goes_round=True)


def _counted(kind: str, key: str | None, removed: Counter[str]) -> list[str]:
    """Count what was removed, and return the key of its object; nothing where it had to stay."""
    if key is None:
        return []
    removed[kind] += 1
    return [key]


def _by_age(
    ledger: Ledger, look: Callable[..., Sequence[Record]], last: tuple[Any, ...], most: int
) -> Iterator[Page]:
    """Yield what is found, the oldest first; what could not be removed is passed over."""
    while True:
        with ledger.reading() as session:
            rows = look(session, last=last)
        if rows:
            yield Page(rows)
            last = tuple(rows[-1])[: len(last)]
        if len(rows) < most:
            return


def _all_there_is(
    ledger: Ledger,
    behind: str,
    rows_behind: Callable[..., Sequence[UUID]],
    unused: Callable[[Session, Sequence[UUID]], Sequence[UUID]],
) -> Iterator[Page]:
    """Yield what is unused among all rows, in the order of their ids; a page may be empty."""
    last = UUID(behind) if behind else _FIRST
    while True:
        with ledger.reading() as session:
            seen = rows_behind(session, last, most=MOST)
            found = unused(session, seen)
        if seen:
            last = seen[-1]
            yield Page(found, str(last))
        if len(seen) < MOST:
            return
