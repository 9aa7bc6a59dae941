"""A folder that is as slow as a store far away, for benchmarks of what waits for it."""

from __future__ import annotations

from pathlib import Path
from time import sleep
from typing import Any, BinaryIO

from colorway.image_store.local_folder import LocalFolderStore


class SlowStore(LocalFolderStore):
    """Takes so long for each upload: half for the picture, half for its thumbnail."""

    def __init__(self, root: Path, link_signing_key: str, *, upload_s: float) -> None:
        super().__init__(root, link_signing_key)
        self._put_s = upload_s / 2

    def put(self, key: str, body: BinaryIO, **said: Any) -> None:
        """See ImageStore.put."""
        sleep(self._put_s)
        super().put(key, body, **said)
