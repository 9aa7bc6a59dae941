"""What every image store promises, whatever it is made of."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import BinaryIO, Protocol

from colorway.errors import InvalidRequest, NotFound

IMMUTABLE = "public, max-age=31536000, immutable"
"""The Cache-Control of everything we store: a key is never written twice with other bytes."""

_PART = r"[A-Za-z0-9_-][A-Za-z0-9_.-]{0,254}"  # no file system takes longer names
_KEY = re.compile(rf"{_PART}(?:/{_PART})*")
_MAX_KEY = 900


@dataclass(frozen=True, slots=True)
class StoredObject:
    """An object as the store lists it; `modified_at` is aware UTC."""

    key: str
    bytes: int
    modified_at: datetime


@dataclass(frozen=True, slots=True)
class UploadSlot:
    """How to put one object into the store without any key of ours: this method, to this URL.

    With these headers, each exactly so, and the object's bytes as the body. `expires_at` is aware
    UTC; a URL without a scheme is a path on the dispatcher.
    """

    method: str
    url: str
    headers: Mapping[str, str]
    expires_at: datetime


class ImageStore(Protocol):
    """Named, immutable byte strings.

    Every method raises InvalidRequest for a key that is not made of `A-Z a-z 0-9 _ . -` between
    slashes (no part begins with a dot), and TryLater while the store is in trouble.
    """

    def put(
        self,
        key: str,
        body: BinaryIO,
        *,
        size: int,
        sha256: str,
        media_type: str,
        cache_control: str = IMMUTABLE,
    ) -> None:
        """Store `size` bytes under the key, whole or not at all; repeating it is harmless.

        To put other bytes under a key that is taken is a bug, which a store need not notice. The
        body is read by `read(n)`; an error of ours that this raises is raised as it is, and nothing
        is stored.
        """

    def open(self, key: str) -> BinaryIO:
        """Return a stream of the bytes, or raise NotFound.

        Reading it may raise TryLater, or the platform's OSError.
        """

    def stat(self, key: str) -> StoredObject:
        """Return what is stored under the key, or raise NotFound."""

    def copy(self, key: str, to: str) -> None:
        """Store the same bytes under another key too, or raise NotFound."""

    def delete(self, key: str) -> None:
        """Forget the key; that it is not there is no error."""

    def list(self, prefix: str, *, after: str = "") -> Iterator[StoredObject]:
        """Yield every object whose key begins with the prefix, in the order of keys.

        With `after`, only what comes behind this key; so a long list can be taken in pieces.
        """

    def signed_url(self, key: str, *, expires_in: timedelta, download_name: str) -> str:
        """Return a link to the bytes that works until then, for whoever has it."""

    def upload_slot(
        self, key: str, *, size: int, media_type: str, expires_in: timedelta
    ) -> UploadSlot:
        """Return a slot: whoever has it may put one object of `size` bytes under the key.

        It opens nothing else: no other key, size or media type, no reading, and no overwriting of
        what lies there: a second use is refused, even of the same bytes. (GCS answers 412, the
        local folder 409; if only the first answer got lost, all is well.) Once the object is
        deleted, the slot may be used again until it expires.

        The bytes are whatever came. Where a store cannot sign all of this (Supabase limits no
        size, and its links outlive `expires_at`), its slots grant that much more; so whoever uses
        the object copies it first, and believes only what the copy shows.
        """


def is_stored(store: ImageStore, key: str) -> bool:
    """Whether an object lies under the key now."""
    try:
        store.stat(key)
    except NotFound:
        return False
    return True


def is_key(text: str) -> bool:
    """Whether something can be stored under this."""
    return len(text) <= _MAX_KEY and _KEY.fullmatch(text) is not None


def checked_key(key: str) -> str:
    """Return the key, or raise InvalidRequest."""
    if not is_key(key):
        raise InvalidRequest(f"{key!r} cannot be a key in the image store")
    return key
