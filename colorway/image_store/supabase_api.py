"""How Supabase Storage is spoken to over HTTP, and what its errors mean for us.

Read from the service's source, supabase/storage on GitHub. What to know before changing this:

* Errors come as HTTP 400, and the true status as a string in `statusCode`
  (src/http/error-handler.ts); those of the gateway before it, and of proxies, as what they are.
* A bucket's size limit is held against Content-Length alone (src/storage/uploader.ts): a body in
  chunks slips past it. So every body has its length announced.
* An upload may be refused before its body was read, on a connection that stays open: what is sent
  on that next is never read. So an upload has a connection of its own, and no dead one to repeat.
* All other calls may be repeated, and are, once, where a kept connection turns out to be dead.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, BinaryIO, TypeVar

import requests
from pydantic import BaseModel, ValidationError
from requests.auth import AuthBase

from colorway.errors import ColorwayError, Conflict, Misconfigured, NotFound
from colorway.image_store.early_answer import UploadAdapter
from colorway.image_store.wire import (
    AnswerStream,
    UploadBody,
    busy,
    keep_connections,
    misconfigured,
    trouble_is_try_later,
)

_MISSING = ("Object not found", "The resource was not found")
_STRANGER = "what answers for the image store is not Supabase Storage as we know it"

M = TypeVar("M", bound=BaseModel)


class PayloadTooLarge(Misconfigured):
    """The object is larger than the bucket, or the project, takes."""


class SupabaseApi:
    """The calls of `{url}/storage/v1`, made with a key that sees every object."""

    def __init__(
        self, url: str, key: str, *, connect_within: timedelta, answer_within: timedelta
    ) -> None:
        self.root = f"{url}/storage/v1"
        self._key = _Key(key)
        self._timeouts_s = connect_within.total_seconds(), answer_within.total_seconds()
        self._session = self._a_session()
        keep_connections(self._session, repeatable=None)

    def ask(
        self,
        method: str,
        path: str,
        kind: type[M],
        *,
        body: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> M:
        """Make a call that may be repeated, and return its answer."""
        with trouble_is_try_later(), self._call(method, path, json=body, headers=headers) as answer:
            try:
                return kind.model_validate_json(answer.content)
            except ValidationError as error:
                raise stranger() from error

    def open(self, path: str) -> BinaryIO:
        """Return a stream of what is at this path; reading it may raise TryLater."""
        with trouble_is_try_later():
            answer = self._call("GET", path, headers={"Accept-Encoding": "identity"})
        return AnswerStream.buffered(answer)

    def upload(self, path: str, stream: BinaryIO, size: int, headers: Mapping[str, str]) -> None:
        """Post just so many bytes, whole or not at all."""
        body = UploadBody(stream, size)
        data = body if size else b"".join(body)  # requests never looks at an empty one
        with trouble_is_try_later(), self._a_session() as session:
            adapter = UploadAdapter()
            session.mount("https://", adapter)
            session.mount("http://", adapter)
            alone = {**headers, "Connection": "close"}
            with session.post(self.root + path, data=data, headers=alone, **self._how()) as answer:
                _require_success(answer)

    def _call(self, method: str, path: str, **said: Any) -> requests.Response:
        answer = self._session.request(method, self.root + path, **said, **self._how())
        try:
            _require_success(answer)
        except BaseException:
            answer.close()
            raise
        return answer

    def _how(self) -> dict[str, Any]:
        return {"timeout": self._timeouts_s, "allow_redirects": False, "stream": True}

    def _a_session(self) -> requests.Session:
        session = requests.Session()
        session.auth = self._key
        return session


class _Key(AuthBase):
    """An API key, in the headers that its kind belongs in.

    See https://supabase.com/docs/guides/getting-started/api-keys: a secret key is no JWT, and
    refused as a bearer token. Keys that see only what policies show are refused here: to them, an
    object that they may not see is one that is not there.
    """

    def __init__(self, key: str) -> None:
        self._headers = {"apikey": key}
        if key.startswith("sb_secret_"):
            return
        if claims_of(key).get("role") in (None, "anon", "authenticated"):
            raise Misconfigured("SUPABASE_KEY is neither a secret key nor a service_role key")
        self._headers["Authorization"] = f"Bearer {key}"

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers.update(self._headers)
        return request


def claims_of(token: str) -> dict[str, Any]:
    """Return what a JWT claims, without believing it; nothing if it is none."""
    try:
        _, body, _ = token.split(".")
        claims = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    except ValueError:
        return {}
    return claims if isinstance(claims, dict) else {}


def stranger() -> Misconfigured:
    """Return the error for an answer that makes no sense."""
    return misconfigured(_STRANGER, "correct SUPABASE_URL, or bring the service up to date")


def _require_success(answer: requests.Response) -> None:
    if answer.status_code // 100 != 2:
        raise _error_of(answer)


def _error_of(answer: requests.Response) -> ColorwayError:
    """Return the error that an answer means; src/internal/errors/codes.ts lists them.

    Only the service's own words say that an object is missing: the 404 of a proxy, a wrong address
    or a missing bucket must never be taken for a lost picture.
    """
    said = _said(answer)
    told = str(said.get("statusCode", ""))
    status = int(told) if told.isdecimal() else answer.status_code
    message = str(said.get("message") or answer.reason)
    facts = {"status": status, "said": message}
    if said.get("code") == "NoSuchKey" or message in _MISSING:
        return NotFound("nothing is stored there")
    if message == "Bucket not found":
        advice = "make the bucket, or correct IMAGE_STORE"
        return misconfigured("the image store's bucket is not there", advice, **facts)
    if status == 409 and said.get("error") == "Duplicate":
        return Conflict("something is stored there already", code="slot-filled")
    if status in (408, 409, 423, 429) or status >= 500:
        return busy(status, answer.headers)
    if status == 413:
        return PayloadTooLarge(message)
    if status in (401, 403) or said.get("error") in ("InvalidJWT", "Unauthorized"):
        advice = "set SUPABASE_KEY to the project's secret key, or to its service_role key"
        return misconfigured("the image store refuses this service's key", advice, **facts)
    return misconfigured(f"the image store answers {status}", "look at what it said", **facts)


def _said(answer: requests.Response) -> dict[str, Any]:
    """Return the error's JSON object; nothing for the page of a proxy."""
    try:
        said = answer.json()
    except requests.JSONDecodeError:
        return {}
    return said if isinstance(said, dict) else {}
