"""Where pictures lie. One Protocol, one adapter per kind of store, chosen by IMAGE_STORE."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, urlsplit

from colorway.image_store.contract import ImageStore, StoredObject, UploadSlot, is_stored
from colorway.image_store.local_folder import LocalFolderStore
from colorway.settings import StoreSettings

__all__ = ["ImageStore", "StoredObject", "UploadSlot", "is_stored", "open_store"]


def open_store(settings: StoreSettings) -> ImageStore:
    """Return the store that IMAGE_STORE names; TryLater where its folder, or key, cannot do."""
    url = urlsplit(settings.image_store)
    if url.scheme == "gs":
        from colorway.image_store.gcs import GcsStore  # noqa: PLC0415 - takes 0.3 s

        return GcsStore(url.netloc, url.path.strip("/"))
    if url.scheme == "supabase":
        return _supabase_store(settings, url.netloc, url.path.strip("/"))
    key = settings.link_signing_key.get_secret_value()
    return LocalFolderStore(Path(unquote(url.path)), key)


def _supabase_store(settings: StoreSettings, bucket: str, prefix: str) -> ImageStore:
    from colorway.image_store.supabase import SupabaseStore  # noqa: PLC0415 - only where it is used

    assert settings.supabase_url is not None  # noqa: S101 - the settings see to both
    assert settings.supabase_key is not None  # noqa: S101
    key = settings.supabase_key.get_secret_value()
    return SupabaseStore(settings.supabase_url, key, bucket, prefix)
