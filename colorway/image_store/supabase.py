"""Pictures in a bucket of Supabase Storage, the hosted one or one's own.

Which call does what was read from the service's source, supabase/storage on GitHub; each method
names the file. docs/stores.md tells operators what this store does not promise: that its slots
bind size and media type, and end when we say. How calls are made is supabase_api.py's.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from math import ceil
from typing import Any, BinaryIO
from urllib.parse import parse_qs, quote, urlsplit

from pydantic import AwareDatetime, BaseModel, Field, RootModel

from colorway.errors import NotFound
from colorway.image_store.contract import (
    IMMUTABLE,
    StoredObject,
    UploadSlot,
    checked_key,
    is_key,
)
from colorway.image_store.supabase_api import PayloadTooLarge, SupabaseApi, claims_of, stranger
from colorway.image_store.wire import misconfigured

_PAGE = 1000  # the service gives no more at once


class SupabaseStore:
    """The ImageStore on a bucket; `url` is the project's, without a slash at its end."""

    def __init__(
        self,
        url: str,
        key: str,
        bucket: str,
        prefix: str = "",
        *,
        connect_within: timedelta = timedelta(seconds=10),
        answer_within: timedelta = timedelta(seconds=60),
    ) -> None:
        """Make no call yet; raise Misconfigured for a key that does not see every object.

        `connect_within` is also how long the service may take nothing of an upload.
        """
        self._api = SupabaseApi(
            url, key, connect_within=connect_within, answer_within=answer_within
        )
        self._bucket = bucket
        self._root = f"{prefix}/" if prefix else ""

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
        """See ImageStore.put; src/http/routes/object/createObject.ts.

        The service keeps no checksum that could be compared; a body that ends early is not stored.
        """
        headers = {"x-upsert": "true", "content-type": media_type, "cache-control": cache_control}
        try:
            self._api.upload(f"/object/{self._path(key)}", body, size, headers)
        except PayloadTooLarge as error:
            limit = self._find_bucket().file_size_limit
            most = "no file of" if limit is None else f"{limit} bytes at most, not"
            raise misconfigured(
                f"the image store takes {most} {size} bytes",
                "raise the file size limit of the bucket or the project, or lower MAX_UPLOAD_BYTES",
                object=key,
            ) from error

    def open(self, key: str) -> BinaryIO:
        """See ImageStore.open; src/http/routes/object/getObject.ts."""
        return self._api.open(f"/object/authenticated/{self._path(key)}")

    def stat(self, key: str) -> StoredObject:
        """See ImageStore.stat; src/http/routes/object/getObjectInfo.ts.

        A HEAD would tell the same, but no error: those are told in a body.
        """
        info = self._api.ask("GET", f"/object/info/authenticated/{self._path(key)}", _Info)
        return StoredObject(key, info.size, (info.last_modified or info.created_at).astimezone(UTC))

    def copy(self, key: str, to: str) -> None:
        """See ImageStore.copy; src/http/routes/object/copyObject.ts."""
        wanted = {
            "bucketId": self._bucket,
            "sourceKey": self._name(key),
            "destinationKey": self._name(to),
        }
        with self._in_a_bucket_that_is_there():
            upsert = {"x-upsert": "true"}
            self._api.ask("POST", "/object/copy", _Anything, body=wanted, headers=upsert)

    def delete(self, key: str) -> None:
        """See ImageStore.delete; src/http/routes/object/deleteObjects.ts.

        What the service calls prefixes are whole names.
        """
        wanted = {"prefixes": [self._name(key)]}
        self._api.ask("DELETE", f"/object/{self._bucket}", _Anything, body=wanted)

    def list(self, prefix: str, *, after: str = "") -> Iterator[StoredObject]:
        """See ImageStore.list; src/http/routes/object/listObjectsV2.ts.

        Without a delimiter it gives whole names, in the order of their bytes. It takes `_` in a
        prefix for a wildcard (src/storage/database), so that some of what it gives is not meant.
        Of a bucket that is not there, it says that it is empty.
        """
        cursor = _cursor_behind(self._root + after) if after else None
        while True:
            wanted = {"prefix": self._root + prefix, "limit": _PAGE, "cursor": cursor}
            said = {name: value for name, value in wanted.items() if value is not None}
            page = self._api.ask("POST", f"/object/list-v2/{self._bucket}", _Page, body=said)
            if not page.objects:
                self._find_bucket()
            yield from self._meant(page, prefix)
            if not page.has_next:
                return
            cursor = page.next_cursor

    def signed_url(self, key: str, *, expires_in: timedelta, download_name: str) -> str:
        """See ImageStore.signed_url; src/http/routes/object/getSignedURL.ts.

        Raises NotFound for what is not there. Whoever has the link may change the download name.
        """
        wanted = {"expiresIn": max(1, ceil(expires_in.total_seconds()))}
        with self._in_a_bucket_that_is_there():
            link = self._api.ask("POST", f"/object/sign/{self._path(key)}", _Link, body=wanted)
        return f"{self._api.root}{link.signed_url}&download={quote(download_name)}"

    def upload_slot(
        self, key: str, *, size: int, media_type: str, expires_in: timedelta
    ) -> UploadSlot:
        """See ImageStore.upload_slot; src/http/routes/object/getSignedUploadURL.ts.

        The link takes any bytes of any type, up to the bucket's limit, and as long as the service
        is set to (two hours on the hosted one); `expires_at` is the earlier end. It never
        overwrites, for it is signed without x-upsert. Raises Conflict for a key that is taken.
        """
        place = self._api.ask("POST", f"/object/upload/sign/{self._path(key)}", _Place)
        return UploadSlot(
            method="PUT",
            url=f"{self._api.root}{place.url}",
            headers={"Content-Type": media_type},
            expires_at=min(datetime.now(UTC) + expires_in, _end_of(place.url)),
        )

    def _name(self, key: str) -> str:
        return self._root + checked_key(key)

    def _path(self, key: str) -> str:
        return f"{self._bucket}/{self._name(key)}"

    def _meant(self, page: _Page, prefix: str) -> Iterator[StoredObject]:
        for each in page.objects:
            key = each.name.removeprefix(self._root)
            if key.startswith(prefix) and is_key(key) and each.metadata is not None:
                yield StoredObject(key, each.metadata.size, each.updated_at.astimezone(UTC))

    def _find_bucket(self) -> _Bucket:
        """Raise Misconfigured where there is none; src/http/routes/bucket/getBucket.ts."""
        return self._api.ask("GET", f"/bucket/{self._bucket}", _Bucket)

    @contextmanager
    def _in_a_bucket_that_is_there(self) -> Iterator[None]:
        """Look again where an object is said to be missing, as some calls say of a bucket."""
        try:
            yield
        except NotFound:
            self._find_bucket()
            raise


class _Info(BaseModel):
    size: int
    created_at: AwareDatetime
    last_modified: AwareDatetime | None = None


class _Metadata(BaseModel):
    size: int


class _Listed(BaseModel):
    name: str
    updated_at: AwareDatetime
    metadata: _Metadata | None


class _Page(BaseModel):
    objects: list[_Listed]
    has_next: bool = Field(alias="hasNext")
    next_cursor: str | None = Field(default=None, alias="nextCursor")


class _Link(BaseModel):
    signed_url: str = Field(alias="signedURL")


class _Place(BaseModel):
    url: str


class _Bucket(BaseModel):
    file_size_limit: int | None


class _Anything(RootModel[Any]):
    """An answer of which only matters that it is none of failure."""


def _cursor_behind(name: str) -> str:
    """Return a cursor as src/storage/object.ts encodes it: `l:` and the last name, in base64."""
    return b64encode(f"l:{name}".encode()).decode()


def _end_of(slot: str) -> datetime:
    """Return until when this link works, as its token says."""
    [token] = parse_qs(urlsplit(slot).query).get("token", [""])
    end = claims_of(token).get("exp")
    if not isinstance(end, int):
        raise stranger()
    return datetime.fromtimestamp(end, UTC)
