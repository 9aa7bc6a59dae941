"""Pictures in a folder: a laptop's disk, or a mount that both services see.

A picture appears under its key by an atomic rename, after its bytes are on disk: whatever is
killed, there is never half a file under a key. Links are served by the dispatcher, which asks
`open_link()`, or `check_slot()` and then `fill_slot()`; a link carries its expiry and an HMAC over
its method and all that it says.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import BinaryIO
from urllib.parse import urlencode

from colorway.errors import Conflict, Gone, NotFound, TryLater
from colorway.image_store.contract import (
    IMMUTABLE,
    StoredObject,
    UploadSlot,
    checked_key,
    is_key,
    is_stored,
)

LINK_ROUTE = "/files"
_UNFINISHED = ".unfinished"  # no key can begin with a dot
_LEFT_BEHIND_AFTER = timedelta(days=1)
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Link:
    """A link as it came in: what it points to, and what vouches for it."""

    key: str
    download_name: str
    expires: str
    signature: str


@dataclass(frozen=True, slots=True)
class SlotLink:
    """The link of an upload slot as it came in: what may be put where, and what vouches for it."""

    key: str
    size: str
    media_type: str
    expires: str
    signature: str


class LocalFolderStore:
    """The ImageStore on a folder; made if it is not there."""

    def __init__(self, root: Path, link_signing_key: str) -> None:
        """Raise TryLater where the folder cannot be made."""
        self._root = root
        self._unfinished = root / _UNFINISHED
        self._signing_key = link_signing_key.encode()
        with _trouble_is_try_later():
            self._unfinished.mkdir(parents=True, exist_ok=True)
            self._drop_what_was_left_behind()

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
        """See ImageStore.put; a body of another length than `size` is TryLater, nothing stored."""
        with self._written(key, body, size) as (file, path):
            file.replace(path)

    def open(self, key: str) -> BinaryIO:
        """See ImageStore.open."""
        with _trouble_is_try_later(), self._missing_is_not_found(key):
            return self._path(key).open("rb")

    def stat(self, key: str) -> StoredObject:
        """See ImageStore.stat."""
        with _trouble_is_try_later(), self._missing_is_not_found(key):
            return self._stored(key, self._path(key))

    def copy(self, key: str, to: str) -> None:
        """See ImageStore.copy."""
        size = self.stat(key).bytes
        with self.open(key) as body:
            self.put(to, body, size=size, sha256="", media_type="application/octet-stream")

    def delete(self, key: str) -> None:
        """See ImageStore.delete; folders that this empties stay."""
        with _trouble_is_try_later(), suppress(NotFound), self._missing_is_not_found(key):
            self._path(key).unlink()

    def list(self, prefix: str, *, after: str = "") -> Iterator[StoredObject]:
        """See ImageStore.list."""
        for key in self._keys("", prefix, after):
            with suppress(NotFound):  # deleted while we looked
                yield self.stat(key)

    def signed_url(self, key: str, *, expires_in: timedelta, download_name: str) -> str:
        """See ImageStore.signed_url; the link is a path on the dispatcher."""
        expires = _seconds_at(expires_in)
        signature = self._sign("GET", checked_key(key), download_name, expires)
        query = urlencode({"name": download_name, "expires": expires, "signature": signature})
        return f"{LINK_ROUTE}/{key}?{query}"

    def open_link(self, link: Link, *, now: datetime) -> BinaryIO:
        """Return the bytes a link of ours points to; a false one is NotFound, an old one Gone."""
        expected = self._sign("GET", link.key, link.download_name, link.expires)
        _require_valid(link, expected, now)
        return self.open(link.key)

    def upload_slot(
        self, key: str, *, size: int, media_type: str, expires_in: timedelta
    ) -> UploadSlot:
        """See ImageStore.upload_slot; the URL is a path on the dispatcher."""
        expires = _seconds_at(expires_in)
        signature = self._sign("PUT", checked_key(key), str(size), media_type, expires)
        query = urlencode(
            {"bytes": size, "type": media_type, "expires": expires, "signature": signature}
        )
        return UploadSlot(
            method="PUT",
            url=f"{LINK_ROUTE}/{key}?{query}",
            headers={"Content-Type": media_type},
            expires_at=datetime.fromtimestamp(int(expires), UTC),
        )

    def check_slot(self, link: SlotLink, *, now: datetime) -> int:
        """Return how many bytes may be put there.

        A false link is NotFound, an old one Gone, and one that was used is Conflict.
        """
        expected = self._sign("PUT", link.key, link.size, link.media_type, link.expires)
        _require_valid(link, expected, now)
        if is_stored(self, link.key):
            raise _slot_is_filled()
        return int(link.size)

    def fill_slot(self, key: str, body: BinaryIO, *, size: int) -> None:
        """Put what came by a slot's link under its key; where another was first, Conflict."""
        with self._written(key, body, size) as (file, path):
            try:
                path.hardlink_to(file)  # which, unlike a rename, never replaces anything
            except FileExistsError:
                raise _slot_is_filled() from None

    def _sign(self, *said: str) -> str:
        return hmac.new(self._signing_key, "\n".join(said).encode(), hashlib.sha256).hexdigest()

    @contextmanager
    def _written(self, key: str, body: BinaryIO, size: int) -> Iterator[tuple[Path, Path]]:
        """Yield a file of these bytes, safe on disk, and the path that it should be given."""
        path = self._path(key)
        with _trouble_is_try_later():
            handle, name = tempfile.mkstemp(dir=self._unfinished)  # not where it is not mounted
            try:
                with os.fdopen(handle, "wb") as file:
                    shutil.copyfileobj(body, file, _CHUNK)
                    file.flush()
                    os.fsync(file.fileno())
                    written = file.tell()
                if written != size:
                    raise TryLater(f"the body of {key} had {written} bytes, not {size}")
                _make_folder(path.parent)
                yield Path(name), path
            finally:
                Path(name).unlink(missing_ok=True)
            _sync_folder(path.parent)

    def _keys(self, folder: str, prefix: str, after: str) -> Iterator[str]:
        """Yield the keys of what lies in this folder, in order; look into no other in vain.

        Folders are sorted by their names with the slash, as they are in the keys.
        """
        with _trouble_is_try_later(), os.scandir(self._root / folder) as entries:
            names = sorted(f"{folder}{each.name}{'/' * each.is_dir()}" for each in entries)
        for name in names:
            if not is_key(name.removesuffix("/")):
                continue
            if not name.endswith("/"):
                if name.startswith(prefix) and name > after:
                    yield name
            elif (name + prefix[len(name) :]).startswith(prefix) and name + "~" > after:
                yield from self._keys(name, prefix, after)

    def _drop_what_was_left_behind(self) -> None:
        """Delete what killed processes never came to finish: nobody writes for as long as that."""
        too_old = time.time() - _LEFT_BEHIND_AFTER.total_seconds()
        for file in self._unfinished.iterdir():
            with suppress(FileNotFoundError):  # another was quicker
                if file.stat().st_mtime < too_old:
                    file.unlink()

    @contextmanager
    def _missing_is_not_found(self, key: str) -> Iterator[None]:
        """Only in a folder that is there: else every picture would be taken for lost."""
        try:
            yield
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError) as error:
            if not self._unfinished.is_dir():
                raise TryLater("the image folder is not there; is it mounted?") from error
            raise NotFound(f"nothing is stored under {key}") from error

    def _path(self, key: str) -> Path:
        return self._root / checked_key(key)

    def _stored(self, key: str, path: Path) -> StoredObject:
        facts = path.stat()
        if not stat.S_ISREG(facts.st_mode):
            raise IsADirectoryError(key)
        return StoredObject(key, facts.st_size, datetime.fromtimestamp(facts.st_mtime, UTC))


def _seconds_at(expires_in: timedelta) -> str:
    """Return the second, since 1970, at which what works for so long is over."""
    return str(int((datetime.now(UTC) + expires_in).timestamp()))


def _require_valid(link: Link | SlotLink, expected: str, now: datetime) -> None:
    if not hmac.compare_digest(expected.encode(), link.signature.encode()):
        raise NotFound("this link is not one of ours")
    if now.timestamp() >= int(link.expires):
        raise Gone("this link has expired; ask for a new one")


def _slot_is_filled() -> Conflict:
    return Conflict("something has been put there already; confirm it", code="slot-filled")


def _make_folder(folder: Path) -> None:
    """Make the folder, and those above it, such that they survive a power cut."""
    if not folder.is_dir():
        _make_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        _sync_folder(folder.parent)


def _sync_folder(folder: Path) -> None:
    """Make a rename in this folder survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _trouble_is_try_later() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise TryLater(f"the image folder is in trouble: {error.strerror}") from error
