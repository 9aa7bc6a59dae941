"""Where pictures lie. One Protocol, one adapter per kind of store, chosen by IMAGE_STORE."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, urlsplit

from colorway.image_store.contract import ImageStore, UploadSlot, is_stored
from colorway.image_store.local_folder import LocalFolderStore
from colorway.settings import StoreSettings

__all__ = ["ImageStore", "UploadSlot", "is_stored", "open_store"]


def open_store(settings: StoreSettings) -> ImageStore:
    """Return the store that IMAGE_STORE names."""
    url = urlsplit(settings.image_store)
    if url.scheme == "gs":
        from colorway.image_store.gcs import GcsStore  # noqa: PLC0415 - takes 0.3 s

        return GcsStore(url.netloc, url.path.strip("/"))
    key = settings.link_signing_key.get_secret_value()
    return LocalFolderStore(Path(unquote(url.path)), key)
