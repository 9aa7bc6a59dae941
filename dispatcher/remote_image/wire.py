"""One GET over one connection: to this very address, every wait within a deadline.

Of http.client only the reading of answers is used. Its connections would look a name up again, and
its timeouts begin anew with every byte, so that a host which drips could hold us for ever.
"""

from __future__ import annotations

import io
import socket
import ssl
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from http.client import HTTPResponse
from typing import TYPE_CHECKING, cast

from dispatcher.remote_image.address import IPAddress
from dispatcher.remote_image.source_url import SourceUrl

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

REQUEST = (
    "GET {url.target} HTTP/1.1\r\n"
    "Host: {url.authority}\r\n"
    "User-Agent: colorway\r\n"
    "Accept: image/*, application/octet-stream\r\n"
    "Accept-Encoding: identity\r\n"
    "Connection: close\r\n\r\n"
)


@dataclass(frozen=True, slots=True)
class Deadline:
    """The end of all waiting, in seconds of this clock."""

    at: float
    clock: Callable[[], float]

    def or_sooner(self, seconds: float) -> float:
        """Return how long to wait for one thing, or raise TimeoutError."""
        left = self.at - self.clock()
        if left <= 0:
            raise TimeoutError("the deadline is over")
        return min(left, seconds)


@dataclass(frozen=True, slots=True)
class Wires:
    """Makes connections; silence of so many seconds ends one."""

    tls: ssl.SSLContext
    connect_s: float
    silence_s: float

    @contextmanager
    def get(
        self, url: SourceUrl, addresses: Sequence[IPAddress], deadline: Deadline
    ) -> Iterator[HTTPResponse]:
        """Yield the answer, its body still to be read; raises OSError, HTTPException, ValueError.

        The first of the addresses that can be reached is asked.
        """
        with self._connected(url, addresses, deadline) as sock:
            sock.settimeout(deadline.or_sooner(self.silence_s))
            sock.sendall(REQUEST.format(url=url).encode("ascii"))
            wire = _Wire(sock, deadline, self.silence_s)
            with closing(HTTPResponse(cast("socket.socket", wire), method="GET")) as answer:
                answer.begin()
                yield answer

    @contextmanager
    def _connected(
        self, url: SourceUrl, addresses: Sequence[IPAddress], deadline: Deadline
    ) -> Iterator[socket.socket]:
        with self._first_reached(addresses, url.port, deadline) as sock:
            if url.scheme == "http":
                yield sock
                return
            # a body without a length ends with the connection: whoever else ends it is found out
            with self.tls.wrap_socket(
                sock, server_hostname=url.host, suppress_ragged_eofs=False
            ) as secured:
                yield secured

    def _first_reached(
        self, addresses: Sequence[IPAddress], port: int, deadline: Deadline
    ) -> socket.socket:
        failed: OSError = ConnectionError("there is no address")
        for address in addresses:
            within_s = deadline.or_sooner(self.connect_s)
            try:
                return socket.create_connection((str(address), port), timeout=within_s)
            except OSError as error:
                failed = error
        raise failed


class _Wire(io.RawIOBase):
    """What a socket says, as HTTPResponse reads it."""

    def __init__(self, sock: socket.socket, deadline: Deadline, silence_s: float) -> None:
        self._sock = sock
        self._deadline = deadline
        self._silence_s = silence_s

    def makefile(self, mode: str) -> io.BufferedReader:
        """Return the reader that HTTPResponse asks a socket for."""
        return io.BufferedReader(self)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        """Wait for some bytes, but not for long."""
        self._sock.settimeout(self._deadline.or_sooner(self._silence_s))
        return self._sock.recv_into(buffer)

    def readall(self) -> bytes:
        """Refuse: http.client asks for this where a chunk's size is -1, and it has no bounds."""
        raise OSError("a chunk of a negative size")
