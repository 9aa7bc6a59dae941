"""A picture from a request's body: received within limits, hashed, its header read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager

from flask import Request

from colorway.errors import Malformed, WrongMediaType
from dispatcher.api.multipart import parts_of
from dispatcher.places import Places
from dispatcher.spool import CHUNK, Limit, Spool, Upload

MAX_JSON = 1_000_000
"""Bytes of a job document; 500 palettes of 16 colours, with names and keys, are half of it."""

PICTURE = "the picture"
SLOT_ADVICE = ", through an upload slot (JSON to POST /v1/images) too"

_FRAMING = 10_000  # bytes of boundaries and headers around two parts


class Uploads:
    """Receives pictures, so large and no larger, and of those above 1 MB so many at once."""

    def __init__(
        self,
        *,
        max_bytes: int,
        max_pixels: int,
        places: Places,
    ) -> None:
        """A picture above 1 MB takes one of the places."""
        self.limit = Limit(max_bytes, SLOT_ADVICE)
        self._max_pixels = max_pixels
        self.places = places

    @contextmanager
    def picture_and_job(self, request: Request) -> Iterator[tuple[Upload, bytes]]:
        """Yield the parts `image` and `job` of a multipart request."""
        self._limit_body(request, self.limit.bytes + MAX_JSON + _FRAMING)
        limits = {"image": self.limit, "job": Limit(MAX_JSON)}
        with parts_of(request, limits, self.places) as parts:
            yield self._upload(parts["image"]), parts["job"].read()

    @contextmanager
    def picture(self, request: Request) -> Iterator[Upload]:
        """Yield the one picture of a request: its part `image`, or the body itself."""
        if is_multipart(request):
            self._limit_body(request, self.limit.bytes + _FRAMING)
            with parts_of(request, {"image": self.limit}, self.places) as parts:
                yield self._upload(parts["image"])
        elif request.mimetype.startswith("image/") or _is_bytes(request):
            with self.body(request, self.limit) as spool:
                yield self._upload(spool)
        else:
            raise WrongMediaType(
                "send the picture itself, multipart with a part `image`, or JSON for an upload slot"
            )

    @contextmanager
    def body(self, request: Request, limit: Limit) -> Iterator[Spool]:
        """Yield the body, which is a picture; or raise TooLarge, or Malformed if it broke off."""
        if (request.content_length or 0) > limit.bytes:
            raise limit.refusal(PICTURE)
        request.max_content_length = limit.bytes + 1  # the one that is too many is seen here
        with closing(Spool(PICTURE, limit, self.places)) as spool:
            while chunk := request.stream.read(CHUNK):
                spool.write(chunk)
            if request.content_length not in {None, spool.size}:  # nobody else compares them
                raise Malformed("the body ended before its Content-Length")
            yield spool

    def _upload(self, spool: Spool) -> Upload:
        return Upload(spool.file, spool.facts(max_pixels=self._max_pixels))

    def _limit_body(self, request: Request, most: int) -> None:
        request.max_content_length = most
        if (request.content_length or 0) > most:
            raise self.limit.refusal(PICTURE)


def is_multipart(request: Request) -> bool:
    """Whether the body comes in parts."""
    return request.mimetype == "multipart/form-data"


def _is_bytes(request: Request) -> bool:
    return request.mimetype in {"application/octet-stream", ""}
