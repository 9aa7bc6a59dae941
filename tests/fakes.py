"""What stands at the edges in tests; each fake keeps the promises of what it stands for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from io import BytesIO
from typing import BinaryIO

from sqlalchemy.orm import Session

from colorway.errors import NotFound, TryLater
from colorway.image_store.contract import IMMUTABLE, StoredObject, UploadSlot, checked_key
from colorway.ledger.connection import Ledger
from tests.builders import NOON


class StoreInMemory:
    """An ImageStore whose `objects` a test may look at; while `is_away`, all is TryLater."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.times: dict[str, datetime] = {}
        self.told: dict[str, tuple[str, str]] = {}  # media type and Cache-Control
        self.slots: dict[str, tuple[str, int, UploadSlot]] = {}
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
        self.told[key] = media_type, cache_control

    def open(self, key: str) -> BinaryIO:
        return BytesIO(self._found(key))

    def stat(self, key: str) -> StoredObject:
        return StoredObject(key, len(self._found(key)), self.times[key])

    def copy(self, key: str, to: str) -> None:
        self.objects[checked_key(to)] = self._found(key)
        self.times[to] = datetime.now(UTC)
        if key in self.told:  # not where a test has laid the object there
            self.told[to] = self.told[key]

    def delete(self, key: str) -> None:
        self.objects.pop(self._reached(key), None)

    def list(self, prefix: str, *, after: str = "") -> Iterator[StoredObject]:
        for key in sorted(self.objects):
            if key.startswith(prefix) and key > after:
                yield self.stat(key)

    def signed_url(self, key: str, *, expires_in: timedelta, download_name: str) -> str:
        return f"memory://{checked_key(key)}?name={download_name}"

    def upload_slot(
        self, key: str, *, size: int, media_type: str, expires_in: timedelta
    ) -> UploadSlot:
        url = f"memory://{checked_key(key)}?slot={len(self.slots)}"
        headers = {"Content-Type": media_type}
        slot = UploadSlot("PUT", url, headers, datetime.now(UTC) + expires_in)
        self.slots[url] = key, size, slot
        return slot

    def use_slot(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes, *, announced: int
    ) -> int:
        """Answer a request to a slot's URL, with `announced` as its Content-Length."""
        if url not in self.slots:
            return 404
        key, size, slot = self.slots[url]
        if (method, headers) != (slot.method, slot.headers):
            return 403
        if slot.expires_at <= datetime.now(UTC):
            return 410
        if not announced == len(body) == size:
            return 400
        if key in self.objects:
            return 412
        self.put(key, BytesIO(body), size=size, sha256="", media_type=headers["Content-Type"])
        return 200

    def _found(self, key: str) -> bytes:
        try:
            return self.objects[self._reached(key)]
        except KeyError:
            raise NotFound(f"nothing is stored under {key}") from None

    def _reached(self, key: str) -> str:
        if self.is_away:
            raise TryLater("the store is away")
        return checked_key(key)


@dataclass(frozen=True, slots=True)
class Said:
    """What a put said of its bytes."""

    sha256: str
    media_type: str


class HookedStore(StoreInMemory):
    """A StoreInMemory that runs `before["put"](key)` before a put, and so for open, copy, delete.

    And `after["put"](key)` after it. A hook may raise (`away`), wait for an event, or change the
    world meanwhile.
    """

    def __init__(self) -> None:
        super().__init__()
        self.before: dict[str, Callable[[str], object]] = {}
        self.after: dict[str, Callable[[str], object]] = {}
        self.said: dict[str, Said] = {}

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
        self._run_hook("put", key)
        super().put(key, body, size=size, sha256=sha256, media_type=media_type)
        self.said[key] = Said(sha256, media_type)
        if "put" in self.after:
            self.after["put"](key)

    def open(self, key: str) -> BinaryIO:
        self._run_hook("open", key)
        return super().open(key)

    def copy(self, key: str, to: str) -> None:
        self._run_hook("copy", key)
        super().copy(key, to)

    def delete(self, key: str) -> None:
        self._run_hook("delete", key)
        super().delete(key)

    def _run_hook(self, method: str, key: str) -> None:
        if method in self.before:
            self.before[method](key)


def away(key: str) -> None:
    """Be the hook of a store in trouble."""
    raise TryLater("the store is away")


class Clock:
    """Tells the time it is set to."""

    def __init__(self, time: datetime = NOON) -> None:
        self.time = time

    def __call__(self) -> datetime:
        return self.time

    def advance(self, by: timedelta) -> None:
        self.time += by


class BreakingLedger(Ledger):
    """A real ledger whose connection may break around a commit."""

    breaks_before_commit = False
    breaks_after_commit = False

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        with super().transaction() as session:
            yield session
            if self.breaks_before_commit:
                raise TryLater("the connection broke before the commit")
        if self.breaks_after_commit:
            raise TryLater("the connection broke and took the answer to the commit along")

    noting = transaction
