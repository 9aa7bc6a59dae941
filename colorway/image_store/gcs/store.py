"""The ImageStore on a bucket.

Calls about objects are the library's. Bytes move through its session by two requests of our own,
for the library would hold up to 8 MiB of an upload in memory several times, send larger ones as
many requests, and read an object as many ranges:

    put    one POST (uploadType=multipart), streamed, with Content-Length and ifGenerationMatch=0
    open   one GET (alt=media), read as it comes, its CRC32C compared at the end

Retries of the library are off everywhere: whoever asks the store knows how long it may wait.

Credentials are Application Default Credentials. They sign links and slots by their own key where
they have one, and by IAM's signBlob where not, as on Cloud Run.

https://cloud.google.com/storage/docs/json_api/v1/objects/insert
https://cloud.google.com/storage/docs/access-control/signed-urls
"""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from email.message import Message
from http import HTTPStatus
from typing import Any, BinaryIO
from urllib.parse import quote
from uuid import uuid4

import google_crc32c
import requests
from google.api_core.exceptions import GoogleAPICallError
from google.auth.credentials import Credentials
from google.auth.exceptions import GoogleAuthError
from google.cloud.storage import Blob

from colorway.errors import ColorwayError, NotFound, TryLater
from colorway.image_store.contract import (
    IMMUTABLE,
    StoredObject,
    UploadSlot,
    checked_key,
    is_key,
)
from colorway.image_store.gcs.access import Access
from colorway.image_store.gcs.errors import no_token, refusal
from colorway.image_store.wire import AnswerStream, UploadBody, trouble_is_try_later

_IAM = "https://iamcredentials.googleapis.com"
_CONNECT_WITHIN = timedelta(seconds=5)
_ANSWER_WITHIN = timedelta(seconds=30)


class GcsStore:
    """The ImageStore on a bucket, below a prefix.

    The client is made by the first call, so after any fork.
    """

    def __init__(
        self,
        bucket: str,
        prefix: str = "",
        *,
        connect_within: timedelta = _CONNECT_WITHIN,
        answer_within: timedelta = _ANSWER_WITHIN,
        credentials: Credentials | None = None,
        iam: str = _IAM,
    ) -> None:
        """`answer_within` is the longest silence, not the length of a call."""
        self._name = bucket
        self._prefix = f"{prefix}/" if prefix else ""
        self._timeout = connect_within.total_seconds(), answer_within.total_seconds()
        self._credentials = credentials
        self._iam = iam
        self._making = threading.Lock()
        self._made: Access | None = None

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
        """See ImageStore.put; other bytes than those under the key are a ValueError."""
        boundary = uuid4().hex
        facts = {
            "name": self._path(key),
            "cacheControl": cache_control,
            "metadata": {"sha256": sha256},
        }
        crc = google_crc32c.Checksum()
        upload = UploadBody(
            body,
            size,
            digest=crc,
            before=(
                f"--{boundary}\r\nContent-Type: application/json; charset=UTF-8\r\n\r\n"
                f"{json.dumps(facts)}\r\n"
                f"--{boundary}\r\nContent-Type: {media_type}\r\n\r\n"
            ).encode(),
            after=f"\r\n--{boundary}--\r\n".encode(),
        )
        with (
            self._trouble_is_ours(),
            self._access.session.post(
                f"{self._access.url}/upload/storage/v1/b/{self._name}/o",
                params={"uploadType": "multipart", "ifGenerationMatch": "0"},
                headers={"Content-Type": f"multipart/related; boundary={boundary}"},
                data=upload,
                timeout=self._timeout,
            ) as answer,
        ):
            if answer.status_code == HTTPStatus.PRECONDITION_FAILED:
                upload.read_to_end()
                self._require_equal(key, size, _base64(crc))
            else:
                self._require_ok(answer)
                self._require_sound(key, answer.json(), _base64(crc))

    def open(self, key: str) -> BinaryIO:
        """See ImageStore.open."""
        path = quote(self._path(key), safe="")
        with self._trouble_is_ours(key):
            answer = self._access.session.get(
                f"{self._access.url}/download/storage/v1/b/{self._name}/o/{path}",
                params={"alt": "media"},
                headers={"Accept-Encoding": "identity"},
                stream=True,
                timeout=self._timeout,
            )
            self._require_ok(answer, key)
        return AnswerStream.buffered(answer, _Crc32c(answer.headers))

    def stat(self, key: str) -> StoredObject:
        """See ImageStore.stat."""
        blob = self._found(key)
        return StoredObject(key, blob.size, blob.time_created)

    def copy(self, key: str, to: str) -> None:
        """See ImageStore.copy; the bytes never leave the service."""
        source, target = self._blob(key), self._blob(to)
        token = None
        with self._trouble_is_ours(key):
            while True:  # a large object, or one of another storage class, takes several calls
                token, *_ = target.rewrite(source, token, timeout=self._timeout, retry=None)
                if token is None:
                    return

    def delete(self, key: str) -> None:
        """See ImageStore.delete."""
        self._delete(key)

    def list(self, prefix: str, *, after: str = "") -> Iterator[StoredObject]:
        """See ImageStore.list."""
        with self._trouble_is_ours():
            found = self._access.bucket.list_blobs(
                prefix=self._prefix + prefix,
                start_offset=self._prefix + after if after else None,  # which it still is
                fields="items(name,size,timeCreated),nextPageToken",
                timeout=self._timeout,
                retry=None,
            )
            for blob in found:
                key = blob.name.removeprefix(self._prefix)
                if is_key(key) and key > after:
                    yield StoredObject(key, blob.size, blob.time_created)

    def signed_url(self, key: str, *, expires_in: timedelta, download_name: str) -> str:
        """See ImageStore.signed_url; 7 days at most."""
        disposition = Message()
        disposition.add_header("Content-Disposition", "inline", filename=download_name)
        return self._signed(
            key, "GET", expires_in, response_disposition=disposition["Content-Disposition"]
        )

    def upload_slot(
        self, key: str, *, size: int, media_type: str, expires_in: timedelta
    ) -> UploadSlot:
        """See ImageStore.upload_slot; its URL is of the XML API."""
        conditions = {
            "x-goog-if-generation-match": "0",
            "x-goog-content-length-range": f"{size},{size}",
        }
        expires_at = datetime.now(UTC) + expires_in
        url = self._signed(
            key, "PUT", expires_in, content_type=media_type, headers=dict(conditions)
        )
        return UploadSlot("PUT", url, {"Content-Type": media_type, **conditions}, expires_at)

    @property
    def _access(self) -> Access:
        with self._making:
            if self._made is None:
                self._made = Access.to(self._name, self._credentials, self._iam, self._timeout)
            return self._made

    def _path(self, key: str) -> str:
        return self._prefix + checked_key(key)

    def _blob(self, key: str) -> Blob:
        path = self._path(key)
        with self._trouble_is_ours():
            return self._access.bucket.blob(path)

    def _found(self, key: str) -> Blob:
        blob = self._blob(key)
        with self._trouble_is_ours(key):
            blob.reload(timeout=self._timeout, retry=None)
        return blob

    def _signed(self, key: str, method: str, expires_in: timedelta, **matters: Any) -> str:
        blob = self._blob(key)
        with self._trouble_is_ours():
            url: str = blob.generate_signed_url(
                expires_in,
                version="v4",
                method=method,
                credentials=self._access.signing,
                api_access_endpoint=self._access.url,
                **matters,
            )
        return url

    def _require_equal(self, key: str, size: int, crc: str) -> None:
        """Where something lies under the key already: it can only be an earlier try of this put."""
        try:
            stored = self._found(key)
        except NotFound as error:
            raise TryLater(f"{key} has come and gone meanwhile") from error
        if (stored.size, stored.crc32c) != (size, crc):
            raise ValueError(f"other bytes are stored under {key}, which are never replaced")

    def _require_sound(self, key: str, stored: dict[str, str], crc: str) -> None:
        """Take back what was spoilt on its way."""
        if stored["crc32c"] != crc:
            self._delete(key, if_generation_match=int(stored["generation"]))
            raise TryLater(f"{key} was spoilt on its way to the store")

    def _delete(self, key: str, **conditions: int) -> None:
        blob = self._blob(key)
        with suppress(NotFound), self._trouble_is_ours(key):
            blob.delete(**conditions, timeout=self._timeout, retry=None)

    @contextmanager
    def _trouble_is_ours(self, key: str | None = None) -> Iterator[None]:
        """Turn the errors of all libraries into ours; where a key is given, it may be missing."""
        with trouble_is_try_later():
            try:
                yield
            except GoogleAPICallError as error:
                headers = {} if error.response is None else error.response.headers
                raise self._refusal(error.code or 500, headers, error.message, key) from error
            except GoogleAuthError as error:
                raise no_token(error) from error

    def _require_ok(self, answer: requests.Response, key: str | None = None) -> None:
        if not answer.ok:
            with answer:
                raise self._refusal(answer.status_code, answer.headers, answer.text, key)

    def _refusal(
        self, status: int, headers: Mapping[str, str], said: str, key: str | None
    ) -> ColorwayError:
        if status == HTTPStatus.UNAUTHORIZED:  # the next call gets another token
            self._access.session.credentials.token = None
        return refusal(status, headers, said, key=key, bucket=self._name)


class _Crc32c:
    """Tells whether what came is what the store says it is, where it does (X-Goog-Hash)."""

    def __init__(self, headers: Mapping[str, str]) -> None:
        hashes = headers.get("X-Goog-Hash", "").split(",")
        self._expected = dict(each.strip().partition("=")[::2] for each in hashes).get("crc32c")
        self._crc = google_crc32c.Checksum()

    def update(self, data: bytes, /) -> None:
        self._crc.update(data)

    def is_met(self) -> bool:
        return self._expected in (None, _base64(self._crc))


def _base64(crc: google_crc32c.Checksum) -> str:
    return base64.b64encode(crc.digest()).decode()
