"""Pictures in a bucket of Google Cloud Storage, through google-cloud-storage."""

from __future__ import annotations

from colorway.image_store.gcs.store import GcsStore

__all__ = ["GcsStore"]
