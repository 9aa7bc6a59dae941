"""Carries one attempt to its target over HTTP and reports what came back.

Connections are kept alive and known, so that stop() can end the attempts on them at once instead
of waiting for a handler that may take its half hour. Redirects are not followed: they are failures.
"""

import http.client
import socket
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from weakref import WeakSet

from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager, Timeout
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError, NewConnectionError, TimeoutError

MISSED_DEADLINE = 504
# Idle connections kept for one host: as many as a queue dispatches at once unless told otherwise.
KEPT_ALIVE = 1000


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of an attempt. No status: the target was not reached, or hung up."""

    status: int | None
    is_answered: bool
    trouble: str = ""

    @property
    def is_success(self) -> bool:
        return self.is_answered and self.status is not None and 200 <= self.status <= 299


class Courier:
    def __init__(self) -> None:
        self._connections: WeakSet[HTTPConnection] = WeakSet()
        self._lock = threading.Lock()
        self._pools = PoolManager(maxsize=KEPT_ALIVE)
        self._pools.pool_classes_by_scheme = self._tracked_pools()

    def deliver(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        body: bytes,
        deadline: float,
    ) -> Answer:
        """Send the request and wait for the whole response, `deadline` seconds in all.

        At the deadline the connection is dropped; the target may well go on working.
        """
        give_up_at = time.monotonic() + deadline
        try:
            response: Any = self._pools.urlopen(
                method,
                url,
                headers=headers,
                body=body or None,
                timeout=Timeout(total=deadline),
                retries=False,
                redirect=False,
                preload_content=False,
                decode_content=False,
            )
            while response.read1(65536):
                if time.monotonic() > give_up_at:
                    response.close()
                    raise TimeoutError
            response.release_conn()
        except NewConnectionError as error:  # to urllib3 this is a kind of TimeoutError
            return Answer(None, is_answered=False, trouble=str(error))
        except TimeoutError:
            return Answer(MISSED_DEADLINE, is_answered=False, trouble="deadline exceeded")
        except (HTTPError, http.client.HTTPException, OSError, ValueError) as error:
            # ValueError: a URL or a header that passed the door but cannot be written.
            return Answer(None, is_answered=False, trouble=str(error))
        return Answer(response.status, is_answered=True)

    def stop(self) -> None:
        """Hang up on whatever is being delivered."""
        with self._lock:
            connections = list(self._connections)
        for connection in connections:
            if connection.sock is not None:
                with suppress(OSError):  # gone already
                    connection.sock.shutdown(socket.SHUT_RDWR)
        self._pools.clear()

    def _tracked_pools(self) -> dict[str, type[HTTPConnectionPool]]:
        courier = self

        class PlainConnection(HTTPConnection):
            def connect(self) -> None:
                super().connect()
                courier._know(self)

        class TlsConnection(HTTPSConnection):
            def connect(self) -> None:
                super().connect()
                courier._know(self)

        class PlainPool(HTTPConnectionPool):
            ConnectionCls = PlainConnection

        class TlsPool(HTTPSConnectionPool):
            ConnectionCls = TlsConnection

        return {"http": PlainPool, "https": TlsPool}

    def _know(self, connection: HTTPConnection) -> None:
        with self._lock:
            self._connections.add(connection)
