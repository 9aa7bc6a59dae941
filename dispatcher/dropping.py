"""Drops objects whose rows are gone, several at once: a far store takes its time for each.

What is not dropped does no harm, for nothing points to it. The cleanup finds it a day later.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import structlog

from colorway.image_keys import thumbnail_key
from colorway.image_store import ImageStore

log = structlog.get_logger()

AT_ONCE = 16


def drop_objects(store: ImageStore, keys: Sequence[str]) -> None:
    """Drop these objects; once one cannot be dropped, begin no other, and raise what was wrong.

    Each may take its time-out where the store is away.
    """
    is_in_trouble = Event()

    def drop(key: str) -> bool:
        if is_in_trouble.is_set():
            return False
        try:
            store.delete(key)
        except BaseException:
            is_in_trouble.set()
            raise
        return True

    if not keys:
        return
    with ThreadPoolExecutor(min(AT_ONCE, len(keys)), "dropping") as pool:
        drops = [(key, pool.submit(drop, key)) for key in keys]
    failed = [(key, error) for key, each in drops if (error := each.exception()) is not None]
    if failed:
        left = sum(each.exception() is not None or not each.result() for _, each in drops)
        first, error = failed[0]
        log.warning("objects not dropped", objects=left, first=first, reason=str(error))
        raise error


def with_thumbnails(pictures: Iterable[str]) -> list[str]:
    """Return the keys of these pictures, and those of their thumbnails."""
    return [key for picture in pictures for key in (picture, thumbnail_key(picture))]
