"""A stand for Google Cloud Storage: a real fake-gcs-server behind Google's gate."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import requests
from google.oauth2 import service_account

from colorway.errors import NotFound
from colorway.image_store import ImageStore, UploadSlot
from colorway.image_store.gcs import GcsStore
from colorway.image_store.gcs.access import SCOPES
from tests.colorway.image_store.stands import (
    SIGNING_KEY,
    Got,
    a_link,
    exchange,
    followed,
    told_by_link,
)
from tests.faulty_front import FaultyFront
from tests.google_cloud import GoogleCloud, make_bucket

SECOND = timedelta(seconds=1)


class GcsStand:
    """A bucket of its own, and a front of its own."""

    def __init__(
        self,
        front: FaultyFront,
        google: GoogleCloud,
        key_file: Path,
        patch: pytest.MonkeyPatch,
    ) -> None:
        self.front = front
        self.google = google
        self._patch = patch
        self.bucket = make_bucket(google.server)
        self.environment = {
            "IMAGE_STORE": f"gs://{self.bucket}/a/prefix",
            "LINK_SIGNING_KEY": SIGNING_KEY,
            "STORAGE_EMULATOR_HOST": front.url,
            "GOOGLE_APPLICATION_CREDENTIALS": str(key_file),
            "HTTPS_PROXY": front.url,  # which is none: google-auth looks for more in Google's cloud
        }
        for name in ("STORAGE_EMULATOR_HOST", "GOOGLE_APPLICATION_CREDENTIALS", "HTTPS_PROXY"):
            patch.setenv(name, self.environment[name])
        self.store = self.a_store()
        with suppress(NotFound):
            self.store.stat("nothing")  # but a token is there from now on
        front.seen.clear()

    def a_store(self, **matters: Any) -> GcsStore:
        given = {"bucket": self.bucket, "prefix": "a/prefix"} | matters
        return GcsStore(**given, connect_within=SECOND, answer_within=SECOND)

    def raw(self, name: str) -> dict[str, Any]:
        """Return what the server itself knows of an object."""
        host, port = self.google.server
        path = f"/storage/v1/b/{self.bucket}/o/{quote(name, safe='')}"
        facts: dict[str, Any] = requests.get(f"http://{host}:{port}{path}", timeout=5).json()
        return facts

    def put_raw(self, name: str) -> None:
        """Let somebody else have put something empty into the bucket."""
        host, port = self.google.server
        url = f"http://{host}:{port}/upload/storage/v1/b/{self.bucket}/o"
        params = {"uploadType": "media", "name": name}
        requests.post(url, params=params, data=b"", timeout=5).raise_for_status()

    def use(self, slot: UploadSlot, body: bytes, *, announced: int) -> int:
        return exchange(self.front.url, slot.method, slot.url, slot.headers, body, announced)

    def follow(self, url: str, method: str = "GET") -> Got:
        return followed(self.front.url, method, url)

    def an_old_link(self, key: str) -> str:
        return a_link(self.store, key, seconds=-1)

    def told(self, key: str) -> tuple[str | None, str | None]:
        return told_by_link(self, key)

    def with_wrong_credentials(self) -> ImageStore:
        facts = self.google.service_account(self.front.url, account="nobody@example.com")
        credentials = service_account.Credentials.from_service_account_info(facts, scopes=SCOPES)
        return self.a_store(credentials=credentials)

    def with_missing_bucket(self) -> ImageStore:
        return self.a_store(bucket="not-there")

    def at(self, url: str) -> ImageStore:
        self._patch.setenv("STORAGE_EMULATOR_HOST", url)
        return self.a_store()


@contextmanager
def gcs_stand(google: GoogleCloud, folder: Path, patch: pytest.MonkeyPatch) -> Iterator[GcsStand]:
    front = FaultyFront(*google.server, google)
    try:
        key_file = folder / "service-account.json"
        key_file.write_text(json.dumps(google.service_account(front.url)))
        yield GcsStand(front, google, key_file, patch)
    finally:
        front.close()
