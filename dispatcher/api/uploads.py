"""A picture from a request's body: received within limits, hashed, its header read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import timedelta

from flask import Request

from colorway.errors import Malformed, TooLarge, WrongMediaType
from colorway.ledger.images import SourceFacts
from dispatcher.api.multipart import CHUNK, Spool, parts_of
from dispatcher.intake import Upload
from dispatcher.picture_header import picture_header
from dispatcher.places import Places

MAX_JSON = 1_000_000
"""Bytes of a job document; 500 palettes of 16 colours, with names and keys, are half of it."""

_FRAMING = 10_000  # bytes of boundaries and headers around two parts


class Uploads:
    """Receives pictures, so many at once and so large, and no more."""

    def __init__(
        self,
        *,
        max_bytes: int,
        max_pixels: int,
        at_once: int,
        wait_for: timedelta = timedelta(seconds=2),
    ) -> None:
        """`wait_for` a place: a burst of quick uploads passes, nobody waits long for slow ones."""
        self._max_bytes = max_bytes
        self._max_pixels = max_pixels
        full = "too many pictures are being received at once"
        self._places = Places(at_once, full=full, wait_for=wait_for)

    @contextmanager
    def picture_and_job(self, request: Request) -> Iterator[tuple[Upload, bytes]]:
        """Yield the parts `image` and `job` of a multipart request."""
        self._limit_body(request, self._max_bytes + MAX_JSON + _FRAMING)
        limits = {"image": self._max_bytes, "job": MAX_JSON}
        with self._places.take(), parts_of(request, limits) as parts:
            yield self._upload(parts["image"]), parts["job"].read()

    @contextmanager
    def picture(self, request: Request) -> Iterator[Upload]:
        """Yield the one picture of a request: its part `image`, or the body itself."""
        if is_multipart(request):
            self._limit_body(request, self._max_bytes + _FRAMING)
            with self._places.take(), parts_of(request, {"image": self._max_bytes}) as parts:
                yield self._upload(parts["image"])
        elif request.mimetype.startswith("image/") or _is_bytes(request):
            self._limit_body(request, self._max_bytes)
            with self._places.take(), closing(Spool("the picture", self._max_bytes)) as spool:
                while chunk := request.stream.read(CHUNK):
                    spool.write(chunk)
                if request.content_length not in {None, spool.size}:  # nobody else compares them
                    raise Malformed("the body ended before its Content-Length")
                yield self._upload(spool)
        else:
            raise WrongMediaType("send the picture itself, or multipart with a part `image`")

    def _upload(self, spool: Spool) -> Upload:
        kind, width, height = picture_header(spool.file, max_pixels=self._max_pixels)
        facts = SourceFacts(spool.sha256(), spool.size, kind, width, height)
        return Upload(spool.file, facts)

    def _limit_body(self, request: Request, most: int) -> None:
        request.max_content_length = most
        if (request.content_length or 0) > most:
            raise TooLarge(f"the picture is too large; the limit is {self._max_bytes} bytes")


def is_multipart(request: Request) -> bool:
    """Whether the body comes in parts."""
    return request.mimetype == "multipart/form-data"


def _is_bytes(request: Request) -> bool:
    return request.mimetype in {"application/octet-stream", ""}
