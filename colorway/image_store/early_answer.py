"""Uploads whose answer is heard even if it comes before the body was taken.

A server may refuse an upload by its head, and then neither read the body nor close the connection.
Whoever goes on sending waits until the time for it is up, and would never see the answer that lies
ready meanwhile. So where nobody takes what we send, we look for an answer, as urllib3 already does
where the connection was closed.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection


class UploadAdapter(HTTPAdapter):
    """An adapter for a `requests.Session` that uploads."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _HttpPool, "https": _HttpsPool}


@contextmanager
def _looking_for_an_answer() -> Iterator[None]:
    try:
        yield
    except TimeoutError as error:
        raise BrokenPipeError("nobody takes the body") from error  # urllib3 reads the answer then


class _HttpConnection(HTTPConnection):
    def send(self, data: Any) -> None:
        with _looking_for_an_answer():
            super().send(data)


class _HttpsConnection(HTTPSConnection):
    def send(self, data: Any) -> None:
        with _looking_for_an_answer():
            super().send(data)


class _HttpPool(HTTPConnectionPool):
    ConnectionCls = _HttpConnection


class _HttpsPool(HTTPSConnectionPool):
    ConnectionCls = _HttpsConnection
