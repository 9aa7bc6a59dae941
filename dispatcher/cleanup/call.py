"""One call of the cleanup: every duty in turn, whatever becomes of the others, until time is up."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Self

import structlog

from colorway.errors import TryLater
from colorway.image_store import ImageStore
from colorway.ledger.connection import Ledger
from colorway.ledger.retention import note_round, round_of
from colorway.telemetry.metrics import RequestMetrics
from dispatcher.cleanup import objects, rows
from dispatcher.cleanup.duty import Duty, Premises
from dispatcher.settings import Settings

log = structlog.get_logger()

# What others use comes after them: once a job has gone, its pictures and its source may go.
DUTIES = (
    rows.old_keys,
    rows.expired_slots,
    rows.expired_jobs,
    rows.unused_pictures,
    rows.unused_sources,
    objects.orphans,
)


@dataclass(frozen=True, slots=True)
class Removed:
    """How much of what has been removed, or would be; `more` is left where time was up.

    A job counts with all its colorways, a picture with its thumbnail. `foreign` objects are not
    made by us, and left alone.
    """

    idempotency_keys: int = 0
    slots: int = 0
    jobs: int = 0
    pictures: int = 0
    sources: int = 0
    orphans: int = 0
    foreign: int = 0
    more: bool = field(default=False, kw_only=True)

    @classmethod
    def counted(cls, counts: Counter[str], *, more: bool = False) -> Self:
        """Return what has been counted under these names."""
        return cls(*(counts[each.name] for each in fields(cls) if each.name != "more"), more=more)


@dataclass(frozen=True, slots=True)
class Cleanup:
    """What cleaning up needs; the settings say how long things are kept, and a call may take."""

    ledger: Ledger
    store: ImageStore
    metrics: RequestMetrics
    settings: Settings

    def clean_up(self, *, now: datetime) -> Removed:
        """Remove what is kept no longer; TryLater, after all else is done, where something is away.

        Once its time is up, each duty looks at one page more: so calls get through all at last.
        """
        end = time.monotonic() + self.settings.cleanup_for.total_seconds()
        return self._do_all(now, end)

    def clean_up_all(self, *, now: datetime) -> Removed:
        """Remove all that is kept no longer, however long it takes; TryLater as `clean_up` does."""
        return self._do_all(now, math.inf)

    def foresee(self, *, now: datetime) -> Removed:
        """Return what calls at this time would remove in the end, and remove nothing."""
        found: Counter[str] = Counter()
        for duty in self._duties(now):
            for page in duty.pages(""):
                found.update({duty.kind: len(page.found), "foreign": len(page.foreign)})
        return Removed.counted(found)

    def _do_all(self, now: datetime, end: float) -> Removed:
        removed: Counter[str] = Counter()
        is_whole = True
        trouble: TryLater | None = None
        for duty in self._duties(now):
            try:
                is_whole &= self._do(duty, removed, end)
            except TryLater as error:
                trouble = trouble or error
        self._tell(removed)
        if trouble is not None:
            raise trouble
        return Removed.counted(removed, more=not is_whole)

    def _duties(self, now: datetime) -> Iterator[Duty]:
        keep = self.settings
        at = Premises(self.ledger, self.store, now, keep.keep_images_for, keep.keep_orphans_for)
        return (duty(at) for duty in DUTIES)

    def _do(self, duty: Duty, removed: Counter[str], end: float) -> bool:
        """Do it page by page until that time; return whether it has come to its end."""
        for page in duty.pages("" if end == math.inf else self._round_of(duty)):
            removed["foreign"] += len(page.foreign)
            if page.found:
                duty.remove(page.found, removed)
            self._note_round(duty, page.behind)
            if time.monotonic() > end:
                return False
        self._note_round(duty, "")
        return True

    def _tell(self, removed: Mapping[str, int]) -> None:
        for kind, count in removed.items():
            if kind == "foreign" and count:
                log.warning("objects are not ours", count=count)
            elif count:
                self.metrics.removed.labels(kind).inc(count)
                log.info("cleaned up", kind=kind, count=count)

    def _round_of(self, duty: Duty) -> str:
        if not duty.goes_round:
            return ""
        with self.ledger.reading() as session:
            return round_of(session, duty.kind)

    def _note_round(self, duty: Duty, behind: str) -> None:
        if duty.goes_round:
            with self.ledger.transaction() as session:
                note_round(session, duty.kind, behind)
