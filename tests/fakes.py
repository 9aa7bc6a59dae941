"""What stands at the edges in tests; each fake keeps the promises of what it stands for."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from io import BytesIO
from typing import BinaryIO

from colorway.errors import NotFound, TryLater
from colorway.image_store.contract import IMMUTABLE, StoredObject, checked_key


class StoreInMemory:
    """An ImageStore whose `objects` a test may look at; while `is_away`, all is TryLater."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.times: dict[str, datetime] = {}
        self.is_away = False

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
        key = self._reached(key)
        data = body.read()
        if len(data) != size:
            raise TryLater(f"the body of {key} had {len(data)} bytes, not {size}")
        self.objects[key] = data
        self.times[key] = datetime.now(UTC)

    def open(self, key: str) -> BinaryIO:
        return BytesIO(self._found(key))

    def stat(self, key: str) -> StoredObject:
        return StoredObject(key, len(self._found(key)), self.times[key])

    def copy(self, key: str, to: str) -> None:
        self.objects[checked_key(to)] = self._found(key)
        self.times[to] = datetime.now(UTC)

    def delete(self, key: str) -> None:
        self.objects.pop(self._reached(key), None)

    def list(self, prefix: str) -> Iterator[StoredObject]:
        for key in sorted(self.objects):
            if key.startswith(prefix):
                yield self.stat(key)

    def signed_url(self, key: str, *, expires_in: timedelta, download_name: str) -> str:
        return f"memory://{checked_key(key)}?name={download_name}"

    def _found(self, key: str) -> bytes:
        try:
            return self.objects[self._reached(key)]
        except KeyError:
            raise NotFound(f"nothing is stored under {key}") from None

    def _reached(self, key: str) -> str:
        if self.is_away:
            raise TryLater("the store is away")
        return checked_key(key)
