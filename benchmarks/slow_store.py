"""A folder that is as slow as a store far away, for benchmarks of what waits for it."""

from __future__ import annotations

import os
from pathlib import Path
from time import sleep
from typing import BinaryIO
from urllib.parse import unquote, urlsplit

from colorway.image_store.contract import IMMUTABLE
from colorway.image_store.local_folder import LocalFolderStore
from colorway.settings import SharedSettings

UPLOAD_SECONDS = "SLOW_STORE_UPLOAD_SECONDS"
"""The environment variable that tells a worker how slow its store is."""


class SlowStore(LocalFolderStore):
    """Takes so long for each upload: half for the picture, half for its thumbnail."""

    def __init__(self, root: Path, link_signing_key: str, *, upload_s: float) -> None:
        super().__init__(root, link_signing_key)
        self._put_s = upload_s / 2

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
        """See ImageStore.put."""
        sleep(self._put_s)
        super().put(
            key,
            body,
            size=size,
            sha256=sha256,
            media_type=media_type,
            cache_control=cache_control,
        )


def slow_store(settings: SharedSettings) -> SlowStore:
    """Return the folder of these settings, as slow as the environment says."""
    folder = Path(unquote(urlsplit(settings.image_store).path))
    key = settings.link_signing_key.get_secret_value()
    return SlowStore(folder, key, upload_s=float(os.environ[UPLOAD_SECONDS]))
