"""The folder store with faults at its edge, which the product cannot tell from a real store's."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO
from urllib.parse import unquote, urlsplit

from chaos.switches import SwitchBoard, switch_board
from colorway.errors import TryLater
from colorway.image_store.contract import IMMUTABLE, StoredObject
from colorway.image_store.local_folder import LocalFolderStore
from colorway.settings import SharedSettings

UPLOADS_FILE = "CHAOS_UPLOADS"
"""The environment variable that says where a worker tells its process id and uploads under way."""


class FaultyStore(LocalFolderStore):
    """Does what the switches say, and then what a folder store does.

    A subclass, since the dispatcher serves links only of a LocalFolderStore. A worker's, which is
    given a file, tells there how many uploads it has under way; and it dies of poison.
    """

    def __init__(
        self, root: Path, link_signing_key: str, switches: SwitchBoard, uploads: Path | None
    ) -> None:
        super().__init__(root, link_signing_key)
        self._switches = switches
        self._uploads = uploads
        self._under_way = 0
        self._counting = threading.Lock()

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
        """See ImageStore.put; slow at best."""
        switches = self._switches.now()
        self._check()
        with self._told():
            time.sleep(random.uniform(0, switches.slow_s) + switches.hang_s)  # noqa: S311
            if random.random() < switches.cut:  # noqa: S311
                body.read(size // 2)
                raise TryLater("fault: the upload was cut")
            self._check()
            super().put(
                key,
                body,
                size=size,
                sha256=sha256,
                media_type=media_type,
                cache_control=cache_control,
            )
            if random.random() < switches.after:  # noqa: S311
                raise TryLater("fault: stored, but the answer was lost")

    def open(self, key: str) -> BinaryIO:
        """See ImageStore.open; a poisonous source ends the process."""
        if self._uploads is not None and any(sha in key for sha in self._switches.now().poison):
            os.kill(os.getpid(), signal.SIGKILL)
        self._check()
        return super().open(key)

    def stat(self, key: str) -> StoredObject:
        """See ImageStore.stat."""
        self._check()
        return super().stat(key)

    def list(self, prefix: str, *, after: str = "") -> Iterator[StoredObject]:
        """See ImageStore.list."""
        self._check()
        yield from super().list(prefix, after=after)

    def delete(self, key: str) -> None:
        """See ImageStore.delete."""
        self._check()
        super().delete(key)

    @contextmanager
    def _told(self) -> Iterator[None]:
        self._tell(1)
        try:
            yield
        finally:
            self._tell(-1)

    def _tell(self, change: int) -> None:
        if self._uploads is not None:
            with self._counting:
                self._under_way += change
                self._uploads.write_text(f"{os.getpid()} {self._under_way}")

    def _check(self) -> None:
        if self._switches.now().away:
            raise TryLater("fault: the store is away")


def faulty_store(settings: SharedSettings) -> FaultyStore:
    """Return the folder store of these settings, with the faults that the environment tells of."""
    folder = Path(unquote(urlsplit(settings.image_store).path))
    key = settings.link_signing_key.get_secret_value()
    uploads = os.environ.get(UPLOADS_FILE)
    return FaultyStore(folder, key, switch_board(), Path(uploads) if uploads else None)
