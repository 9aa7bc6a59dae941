"""Where pictures lie. One Protocol, one adapter per kind of store, chosen by IMAGE_STORE."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, urlsplit

from colorway.errors import InvalidRequest
from colorway.image_store.contract import ImageStore, UploadSlot, is_stored
from colorway.image_store.local_folder import LocalFolderStore

__all__ = ["ImageStore", "UploadSlot", "is_stored", "open_store"]


def open_store(url: str, *, link_signing_key: str) -> ImageStore:
    """Return the store that this URL names, or raise InvalidRequest."""
    parts = urlsplit(url)
    if parts.scheme == "file" and not parts.netloc and parts.path.startswith("/"):
        return LocalFolderStore(Path(unquote(parts.path)), link_signing_key)
    raise InvalidRequest(f"IMAGE_STORE is {url!r}; write file:///absolute/folder")
