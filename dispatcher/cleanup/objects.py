"""Objects that no row points to: left by whoever was killed, or found the store away.

An object comes before its row, so a young one is let alone until it is older than any attempt or
request can be. Then no row will ever point to it any more, for no key is used twice.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice

from colorway.image_keys import origin_of
from colorway.image_store import StoredObject
from colorway.ledger.retention import known_objects
from dispatcher.cleanup.duty import Duty, Page, Premises
from dispatcher.dropping import drop_objects

MOST = 500
"""Objects that are looked up in the ledger at once."""


def orphans(at: Premises) -> Duty:
    """Remove objects that the ledger does not know, once they are old enough."""

    def pages(behind: str) -> Iterator[Page]:
        listed = at.store.list("", after=behind)
        while page := list(islice(listed, MOST)):
            foreign = [each.key for each in page if origin_of(each.key) is None]
            old = [each.key for each in page if is_old(each)]
            yield Page(unknown(old), page[-1].key, foreign)

    def is_old(listed: StoredObject) -> bool:
        return listed.modified_at < at.now - at.keep_orphans_for

    def unknown(keys: Sequence[str]) -> list[str]:
        origins = {key: origin for key in keys if (origin := origin_of(key)) is not None}
        with at.ledger.reading() as session:
            known = known_objects(session, origins.values())
        return [key for key in origins if key not in known]

    def remove(found: Sequence[str], removed: Counter[str]) -> None:
        still = unknown(found)
        drop_objects(at.store, still)
        removed["orphans"] += len(still)

    return Duty("orphans", pages, remove, goes_round=True)
