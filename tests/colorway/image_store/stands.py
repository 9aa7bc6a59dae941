"""A stand holds up a store for the promises: the store, and the world on its other side.

A store joins by a stand and a fixture of it in conftest.py, named in STORES; one that is reached
over a network in FAR, too, with a FarStand.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from http.client import HTTPConnection, HTTPException, HTTPMessage
from pathlib import Path
from typing import Protocol
from urllib.parse import urljoin, urlsplit

from flask import Flask

from colorway.image_store import ImageStore, UploadSlot
from colorway.image_store.local_folder import LocalFolderStore
from dispatcher.api.links import link_routes
from dispatcher.api.problems import show_problems
from dispatcher.api.uploads import Uploads
from dispatcher.places import Places
from tests.fakes import StoreInMemory
from tests.faulty_front import FaultyFront
from tests.served import served

SIGNING_KEY = "k" * 32
_ANSWER_WITHIN_S = 10


@dataclass(frozen=True, slots=True)
class Got:
    """What somebody gets who has a link, or a slot; status 0 where there was no answer."""

    status: int
    headers: HTTPMessage
    body: bytes


class Stand(Protocol):
    """An empty store, and somebody without any key of ours who has its links and slots."""

    store: ImageStore

    def use(self, slot: UploadSlot, body: bytes, *, announced: int) -> int:
        """Use the slot with this body, of which so many bytes are announced; return the status."""

    def told(self, key: str) -> tuple[str | None, str | None]:
        """Return Content-Type and Cache-Control, as the world is told of the object."""


class LinkedStand(Stand, Protocol):
    """A stand whose store is what a fresh process opens, and whose links lead over real HTTP."""

    environment: Mapping[str, str]
    """The variables with which `open_store()` opens the same store in another process."""

    def follow(self, url: str, method: str = "GET") -> Got:
        """Follow a link."""

    def an_old_link(self, key: str) -> str:
        """Return a link whose time has come."""


class FarStand(LinkedStand, Protocol):
    """A stand whose store is a server, to which all calls go through a front that can fail.

    The adapter waits at most a second for a connection and for an answer.
    """

    front: FaultyFront

    def with_wrong_credentials(self) -> ImageStore:
        """Return a store on the same server, which it refuses."""

    def with_missing_bucket(self) -> ImageStore:
        """Return a store on the same server, in a bucket that is not there."""

    def at(self, url: str) -> ImageStore:
        """Return a store whose server is thought to be at this address."""


class MemoryStand:
    """The fake; where others speak HTTP, it is asked."""

    def __init__(self) -> None:
        self.store = StoreInMemory()

    def use(self, slot: UploadSlot, body: bytes, *, announced: int) -> int:
        return self.store.use_slot(slot.method, slot.url, slot.headers, body, announced=announced)

    def told(self, key: str) -> tuple[str | None, str | None]:
        return self.store.told[key]


class FolderStand:
    """The local folder, whose links and slots the dispatcher serves."""

    def __init__(self, folder: Path, dispatcher: str, store: LocalFolderStore) -> None:
        self.store = store
        self.dispatcher = dispatcher
        self.environment = {
            "IMAGE_STORE": folder.as_uri(),
            "LINK_SIGNING_KEY": SIGNING_KEY,
        }

    def use(self, slot: UploadSlot, body: bytes, *, announced: int) -> int:
        return exchange(self.dispatcher, slot.method, slot.url, slot.headers, body, announced)

    def follow(self, url: str, method: str = "GET") -> Got:
        return followed(self.dispatcher, method, url)

    def an_old_link(self, key: str) -> str:
        return a_link(self.store, key, seconds=-1)

    def told(self, key: str) -> tuple[str | None, str | None]:
        return told_by_link(self, key)


@contextmanager
def folder_stand(folder: Path) -> Iterator[FolderStand]:
    store = LocalFolderStore(folder, SIGNING_KEY)
    app = Flask(__name__)
    show_problems(app)
    uploads = Uploads(max_bytes=1, max_pixels=1, places=Places(1, full="full"))
    app.register_blueprint(link_routes(store, uploads))
    with served(app) as url:
        yield FolderStand(folder, url, store)


def told_by_link(stand: LinkedStand, key: str) -> tuple[str | None, str | None]:
    """Return Content-Type and Cache-Control as whoever follows a link is told them."""
    headers = stand.follow(a_link(stand.store, key)).headers
    return headers["Content-Type"], headers["Cache-Control"]


def a_link(store: ImageStore, key: str, *, seconds: float = 60, name: str = "nord.png") -> str:
    return store.signed_url(key, expires_in=timedelta(seconds=seconds), download_name=name)


def exchange(
    server: str,
    method: str,
    url: str,
    headers: Mapping[str, str],
    body: bytes,
    announced: int,
) -> int:
    """Send a request that announces so many bytes; return the answer's status."""
    return _exchanged(server, method, url, headers, body, announced).status


def followed(server: str, method: str, url: str) -> Got:
    """Follow a link; one that is a path leads to this server."""
    return _exchanged(server, method, url, {}, b"", None)


def _exchanged(
    server: str,
    method: str,
    url: str,
    headers: Mapping[str, str],
    body: bytes,
    announced: int | None,
) -> Got:
    target = urlsplit(urljoin(server, url))
    connection = HTTPConnection(target.netloc, timeout=_ANSWER_WITHIN_S)
    with closing(connection):
        connection.putrequest(method, f"{target.path}?{target.query}")
        for name, value in headers.items():
            connection.putheader(name, value)
        if announced is not None:
            connection.putheader("Content-Length", str(announced))
        connection.endheaders()
        try:
            connection.send(body)
            if announced is not None and len(body) < announced:
                connection.sock.shutdown(socket.SHUT_WR)
            with connection.getresponse() as answer:
                return Got(answer.status, answer.headers, answer.read())
        except (OSError, HTTPException):
            return Got(0, HTTPMessage(), b"")
