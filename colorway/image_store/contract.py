"""What every image store promises, whatever it is made of."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import BinaryIO, Protocol

from colorway.errors import InvalidRequest

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
        """Store `size` bytes under the key, whole or not at all; repeating it is harmless."""

    def open(self, key: str) -> BinaryIO:
        """Return a stream of the bytes, or raise NotFound."""

    def stat(self, key: str) -> StoredObject:
        """Return what is stored under the key, or raise NotFound."""

    def copy(self, key: str, to: str) -> None:
        """Store the same bytes under another key too, or raise NotFound."""

    def delete(self, key: str) -> None:
        """Forget the key; that it is not there is no error."""

    def list(self, prefix: str) -> Iterator[StoredObject]:
        """Yield every object whose key begins with the prefix, in the order of keys."""

    def signed_url(self, key: str, *, expires_in: timedelta, download_name: str) -> str:
        """Return a link to the bytes that works until then, for whoever has it."""


def is_key(text: str) -> bool:
    """Whether something can be stored under this."""
    return len(text) <= _MAX_KEY and _KEY.fullmatch(text) is not None


def checked_key(key: str) -> str:
    """Return the key, or raise InvalidRequest."""
    if not is_key(key):
        raise InvalidRequest(f"{key!r} cannot be a key in the image store")
    return key
