"""A client's URL becomes a picture: every hop is looked at anew, everything ends in time."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from http.client import HTTPResponse
from ipaddress import ip_address
from typing import Protocol

import structlog

from colorway.errors import InvalidRequest, Refused
from dispatcher.places import Places
from dispatcher.remote_image.address import IPAddress, is_public
from dispatcher.remote_image.refusals import blaming, blocked, pointing_at_the_url, unreachable
from dispatcher.remote_image.source_url import SourceUrl, UrlRules
from dispatcher.remote_image.wire import Deadline, Wires
from dispatcher.spool import CHUNK, Limit, Spool, Upload

log = structlog.get_logger()

_PICTURE = "the picture"

MAX_REDIRECTS = 5
_REDIRECTS = {301, 302, 303, 307, 308}

_BYTES = {"application/octet-stream", "binary/octet-stream"}
"""What hosts call a file they know nothing about; the second is what S3 says."""


class Resolver(Protocol):
    """Looks names up."""

    def __call__(self, host: str) -> Sequence[IPAddress]:
        """Return every address of the host, the one to prefer first; raises OSError."""


def resolve_by_system(host: str) -> Sequence[IPAddress]:
    """Return what getaddrinfo says.

    It cannot be interrupted, but ends by itself: after some seconds per name server, by the
    options `timeout` and `attempts` of resolv.conf.
    """
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return [ip_address(str(place[0])) for *_, place in found]


@dataclass(frozen=True, slots=True)
class Limits:
    """How large a picture may be, and how long everything may take."""

    max_bytes: int
    max_pixels: int
    fetch_for: timedelta
    connect_for: timedelta = timedelta(seconds=5)
    silence_for: timedelta = timedelta(seconds=10)


class RemoteImages:
    """Fetches pictures, a few at once."""

    def __init__(
        self,
        limits: Limits,
        rules: UrlRules,
        places: Places,
        *,
        resolve: Resolver = resolve_by_system,
        may_connect: Callable[[IPAddress], bool] = is_public,
        tls: ssl.SSLContext | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """By default names are looked up by the system, and its certificates are trusted.

        `may_connect` says which addresses may be called: public ones. `clock` is in seconds.
        """
        self._limits = limits
        self._size = Limit(limits.max_bytes)
        self._rules = rules
        self._places = places
        self._resolve = resolve
        self._may_connect = may_connect
        self._wires = Wires(
            tls or ssl.create_default_context(),
            limits.connect_for.total_seconds(),
            limits.silence_for.total_seconds(),
        )
        self._clock = clock

    def check(self, url: str) -> None:
        """Raise InvalidRequest if this URL would not be fetched, whatever its host is."""
        with pointing_at_the_url():
            self._rules.read(url)

    @contextmanager
    def picture_at(self, url: str) -> Iterator[Upload]:
        """Yield the picture.

        Raises InvalidRequest (`source-blocked`, `source-unreachable`, and what is wrong with the
        picture), TooLarge, and TryLater where too many are being fetched.
        """
        with self._places.take(), closing(Spool(_PICTURE, self._size)) as spool:
            with pointing_at_the_url():
                self._fetch(self._rules.read(url), spool)
                facts = spool.facts(max_pixels=self._limits.max_pixels)
            yield Upload(spool.file, facts)

    def _fetch(self, first: SourceUrl, spool: Spool) -> None:
        began = self._clock()
        deadline = Deadline(began + self._limits.fetch_for.total_seconds(), self._clock)
        url, host = first, first.host
        try:
            for _ in range(MAX_REDIRECTS + 1):
                location = self._visit(url, host, spool, deadline)
                if location is None:
                    seconds = round(self._clock() - began, 3)
                    log.info("source fetched", host=first.host, bytes=spool.size, seconds=seconds)
                    return
                host = f"the place that {first.host} redirects to"
                url = self._follow(url, location, first.host)
            raise blocked(f"{first.host} redirects more than {MAX_REDIRECTS} times")
        except Refused as error:
            log.info("source refused", host=first.host, last=url.host, reason=error.detail)
            raise

    def _follow(self, url: SourceUrl, location: str, host: str) -> SourceUrl:
        try:
            return self._rules.follow(url, location)
        except InvalidRequest as error:
            raise blocked(
                f"{host} redirects to where we do not fetch from: {error.detail}"
            ) from error

    def _visit(self, url: SourceUrl, host: str, spool: Spool, deadline: Deadline) -> str | None:
        """Receive the picture, or return where this host says that it is."""
        addresses = self._addresses_of(url, host)
        with ExitStack() as connection:
            with blaming(host):
                answer = connection.enter_context(self._wires.get(url, addresses, deadline))
            location = answer.headers.get("Location")
            if answer.status in _REDIRECTS and location is not None:
                return location
            self._receive(answer, host, spool)
            return None

    def _addresses_of(self, url: SourceUrl, host: str) -> Sequence[IPAddress]:
        """Return all of them, or raise InvalidRequest if one is not public."""
        try:
            addresses = (url.address,) if url.address else self._resolve(url.host)
        except OSError as error:
            log.info("source has no address", host=url.host, reason=str(error))
            addresses = ()
        if not addresses:
            raise unreachable(f"{host} has no address")
        if not all(map(self._may_connect, addresses)):
            log.warning("source leads inside", host=url.host, addresses=[*map(str, addresses)])
            raise blocked(f"{host} is not on the public internet, or not with all its addresses")
        return addresses

    def _receive(self, answer: HTTPResponse, host: str, spool: Spool) -> None:
        if answer.status != 200:
            raise unreachable(f"{host} answered {answer.status}, not 200")
        if answer.headers.get("Content-Encoding", "identity").lower() != "identity":
            raise unreachable(f"{host} sent the picture encoded, which we asked it not to")
        if not _may_be_picture(answer):
            raise unreachable(f"{host} sent no image/* and no application/octet-stream")
        length = answer.length
        if length is not None and length > self._size.bytes:
            raise self._size.refusal(_PICTURE)
        for chunk in _chunks(answer, host):
            spool.write(chunk)
        if length not in {None, spool.size}:
            raise unreachable(f"{host} broke off before the picture's end")


def _may_be_picture(answer: HTTPResponse) -> bool:
    """Whether the host calls it one, or does not know; the bytes themselves are looked at later."""
    if "Content-Type" not in answer.headers:
        return True
    kind = answer.headers.get_content_type()
    return kind.startswith("image/") or kind in _BYTES


def _chunks(answer: HTTPResponse, host: str) -> Iterator[bytes]:
    while True:
        with blaming(host):
            chunk = answer.read(CHUNK)
        if not chunk:
            return
        yield chunk
