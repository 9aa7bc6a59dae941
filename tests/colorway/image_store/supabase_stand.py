"""The stand of Supabase Storage: our server on loopback, behind a front that can fail."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

import requests

from colorway.image_store import ImageStore, UploadSlot
from colorway.image_store.supabase import SupabaseStore
from tests.colorway.image_store.stands import SIGNING_KEY, Got, a_link, exchange, followed
from tests.faulty_front import FaultyFront
from tests.supabase_objects import SECRET_KEY
from tests.supabase_server import SupabaseServer, supabase_server

BUCKET = "pictures"
PREFIX = "studio"
KEY = "a/sources/b"


class SupabaseStand:
    """The adapter with a secret key, in a part of a bucket."""

    def __init__(self, server: SupabaseServer, front: FaultyFront) -> None:
        self.server = server
        self.front = front
        self.store: ImageStore = self.opened()
        self.environment: Mapping[str, str] = {
            "IMAGE_STORE": f"supabase://{BUCKET}/{PREFIX}",
            "SUPABASE_URL": front.url,
            "SUPABASE_KEY": SECRET_KEY,
            "LINK_SIGNING_KEY": SIGNING_KEY,
        }

    def use(self, slot: UploadSlot, body: bytes, *, announced: int) -> int:
        return exchange(self.front.url, slot.method, slot.url, slot.headers, body, announced)

    def follow(self, url: str, method: str = "GET") -> Got:
        return followed(self.front.url, method, url)

    def told(self, key: str) -> tuple[str | None, str | None]:
        """Ask with a key: signed links carry an Expires in place of the Cache-Control."""
        url = f"{self.server.url}/storage/v1/object/authenticated/{BUCKET}/{PREFIX}/{key}"
        headers = requests.get(url, headers={"apikey": SECRET_KEY}, timeout=5).headers
        return headers["Content-Type"], headers["Cache-Control"]

    def with_wrong_credentials(self) -> ImageStore:
        return self.opened("sb_secret_" + "b" * 32)

    def with_missing_bucket(self) -> ImageStore:
        return self.opened(bucket="nowhere")

    def at(self, url: str) -> ImageStore:
        return self.opened(url=url)

    def an_old_link(self, key: str) -> str:
        link = a_link(self.store, key, seconds=1)
        self.server.ahead_s = 2
        return link

    def opened(
        self, key: str = SECRET_KEY, *, url: str | None = None, bucket: str = BUCKET
    ) -> SupabaseStore:
        """Return a store that waits for nothing longer than a second."""
        second = timedelta(seconds=1)
        return SupabaseStore(
            url or self.front.url,
            key,
            bucket,
            PREFIX,
            connect_within=second,
            answer_within=second,
        )


@contextmanager
def supabase_stand(folder: Path) -> Iterator[SupabaseStand]:
    with supabase_server(folder, BUCKET) as server:
        front = FaultyFront(server.host, server.port)
        try:
            yield SupabaseStand(server, front)
        finally:
            front.close()


def put(store: ImageStore, key: str = KEY, data: bytes = b"picture") -> None:
    put_stream(store, BytesIO(data), len(data), key=key)


def put_stream(store: ImageStore, stream: BinaryIO, size: int, *, key: str = KEY) -> None:
    store.put(key, stream, size=size, sha256="", media_type="image/png")


def keys(store: ImageStore, prefix: str = "", **matters: str) -> list[str]:
    return [found.key for found in store.list(prefix, **matters)]
