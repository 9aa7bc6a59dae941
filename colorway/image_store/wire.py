"""What stores that are reached over HTTP share: how bodies move, and what their trouble becomes.

Nothing here tries again, but for one case: where a request goes out on a kept connection that turns
out to be dead, it is sent once more on a new one. All else is TryLater, at once: whoever asks the
store knows how long it may wait.
"""

from __future__ import annotations

import io
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http.client import HTTPException
from typing import Any, BinaryIO, Protocol, Self

import requests
import structlog
import urllib3
from requests.adapters import HTTPAdapter

from colorway.errors import Misconfigured, TryLater

log = structlog.get_logger()

PIECE = 1 << 18
"""Bytes of a body that are held in memory at once, and twice as many of one that is sent."""

_CONNECTIONS = 32  # kept for one host; more may be open at once
_LONGEST_S = 600


class Digest(Protocol):
    """Takes in bytes, like those of hashlib."""

    def update(self, data: bytes, /) -> object: ...


class Check(Digest, Protocol):
    """A digest that knows what it should come to."""

    def is_met(self) -> bool: ...


class UploadBody:
    """A stream as the body of one request, of known length, read piece by piece.

    A stream that turns out shorter or longer than `size` raises TryLater before its last piece has
    left: the request breaks off, and the store has no whole body.
    """

    def __init__(
        self,
        stream: BinaryIO,
        size: int,
        *,
        digest: Digest | None = None,
        before: bytes = b"",
        after: bytes = b"",
    ) -> None:
        """`before` and `after` go around the stream; the digest takes in what is between them."""
        self._size = size
        self._before = before
        self._after = after
        self._pieces = self._checked(stream, digest)
        self._begun = False

    def __len__(self) -> int:
        return len(self._before) + self._size + len(self._after)

    def __iter__(self) -> Iterator[bytes]:
        if self._begun:  # on a connection that was dead
            raise TryLater("the upload must begin again")
        self._begun = True
        yield self._before
        for piece in self._pieces:  # noqa: UP028 - `yield from` would close them, too
            yield piece
        yield self._after

    def read_to_end(self) -> None:
        """Let the digest take in what has not been sent."""
        for _ in self._pieces:
            pass

    def _checked(self, stream: BinaryIO, digest: Digest | None) -> Iterator[bytes]:
        left = self._size
        piece = _read(stream)
        while piece:
            following = _read(stream)
            left -= len(piece)
            if left < 0 or (left and not following):
                break
            if digest is not None:
                digest.update(piece)
            yield piece
            piece = following
        if left:
            raise TryLater(f"the body has not the {self._size} bytes that were announced")


def _read(stream: BinaryIO) -> bytes:
    try:
        return stream.read(PIECE)
    except OSError as error:  # which urllib3 would take for an error of its own connection
        raise TryLater("the body of an upload could not be read") from error


class AnswerStream(io.RawIOBase):
    """The body of an answer, read as it comes; trouble on the way is TryLater."""

    def __init__(self, answer: requests.Response, check: Check | None) -> None:
        super().__init__()
        self._answer = answer
        self._check = check

    @classmethod
    def buffered(cls, answer: requests.Response, check: Check | None = None) -> BinaryIO:
        """Return it with a buffer: `read(n)` returns less than n bytes only at the end.

        Whoever reads to the end gets TryLater where the check is not met.
        """
        return io.BufferedReader(cls(answer, check), PIECE)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        with trouble_is_try_later():
            piece: bytes = self._answer.raw.read(len(buffer))
        if self._check is not None:
            self._check.update(piece)
            if not piece and not self._check.is_met():
                raise TryLater("an object was spoilt on its way to us")
        buffer[: len(piece)] = piece
        return len(piece)

    def close(self) -> None:
        self._answer.close()
        super().close()


class _OnceOnADeadConnection(urllib3.Retry):
    """Sends again what may be sent twice, once, where a connection broke before any answer."""

    def __init__(self, **matters: Any) -> None:
        once = {"total": 1, "connect": 0, "status": 0, "respect_retry_after_header": False}
        super().__init__(**(once | matters))

    def increment(
        self,
        method: str | None = None,
        url: str | None = None,
        response: urllib3.BaseHTTPResponse | None = None,
        error: Exception | None = None,
        *others: Any,
        **more: Any,
    ) -> Self:
        if isinstance(error, urllib3.exceptions.TimeoutError):  # it had its time
            raise error
        return super().increment(method, url, response, error, *others, **more)


def keep_connections(
    session: requests.Session,
    *,
    repeatable: Collection[str] | None = urllib3.Retry.DEFAULT_ALLOWED_METHODS,
) -> None:
    """Let the session keep its connections, and bear with those that died meanwhile.

    `repeatable` are the methods whose requests may be sent twice; None: all of them.
    """
    once = _OnceOnADeadConnection(allowed_methods=repeatable)
    adapter = HTTPAdapter(pool_maxsize=_CONNECTIONS, max_retries=once)
    session.mount("https://", adapter)
    session.mount("http://", adapter)


@contextmanager
def trouble_is_try_later() -> Iterator[None]:
    """Turn whatever goes wrong between here and the store into TryLater."""
    try:
        yield
    except (requests.RequestException, urllib3.exceptions.HTTPError, HTTPException, OSError) as e:
        raise TryLater(f"the image store cannot be reached: {type(e).__name__}") from e


def busy(status: int, headers: Mapping[str, str]) -> TryLater:
    """Return what becomes of an answer that asks for patience, or tells of the store's trouble."""
    return TryLater(f"the image store answers {status}", retry_after=_retry_after_s(headers))


def misconfigured(detail: str, advice: str, **facts: object) -> Misconfigured:
    """Return the error for what only an operator can mend, and tell the log how.

    Clients may see the detail, so the advice, and names, are for the log.
    """
    log.error("image store is misconfigured", reason=detail, advice=advice, **facts)
    return Misconfigured(detail, advice=advice)


def _retry_after_s(headers: Mapping[str, str]) -> int:
    """Return the seconds that Retry-After (RFC 9110, 10.2.3) asks for, within reason."""
    said = headers.get("Retry-After", "")
    if said.isdecimal():
        return max(1, min(int(said), _LONGEST_S))
    try:
        left = parsedate_to_datetime(said) - datetime.now(UTC)
    except (ValueError, TypeError):
        return 5
    return max(1, min(round(left.total_seconds()), _LONGEST_S))
