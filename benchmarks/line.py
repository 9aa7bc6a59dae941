"""A kept-alive connection that costs its side next to nothing, so that the server's share shows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from email.message import Message
from http.client import HTTPConnection, HTTPException
from time import perf_counter
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

EMPTY_ROUTE = "/v1/empty"
"""What benchmarks/empty_route.py adds to the dispatcher."""

_TIMEOUT_S = 60


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back; status 0 where nothing did."""

    status: int
    headers: Message
    body: bytes
    seconds: float


class Line:
    """One caller's connection to the dispatcher at this URL."""

    def __init__(self, url: str, api_key: str) -> None:
        self._connection = HTTPConnection(urlsplit(url).netloc, timeout=_TIMEOUT_S)
        self._headers = {"Authorization": f"Bearer {api_key}"}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        self._connection.close()

    def get(self, path: str, **headers: str) -> Answer:
        """Ask for this; underscores in names of headers are hyphens."""
        return self._call("GET", path, None, headers)

    def post(self, path: str, body: bytes, media_type: str) -> Answer:
        """Send this."""
        return self._call("POST", path, body, {"Content_Type": media_type})

    def _call(
        self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]
    ) -> Answer:
        sent = self._headers | {name.replace("_", "-"): text for name, text in headers.items()}
        began = perf_counter()
        try:
            self._connection.request(method, path, body, sent)
            answer = self._connection.getresponse()
            received = answer.read()
        except (OSError, HTTPException):
            self._connection.close()  # the next call opens another
            return Answer(0, Message(), b"", perf_counter() - began)
        return Answer(answer.status, answer.headers, received, perf_counter() - began)
