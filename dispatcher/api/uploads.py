"""A picture from a request's body, spooled to disk above 1 MB, hashed, its header read."""

from __future__ import annotations

import hashlib
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, BinaryIO, cast

from flask import Request
from werkzeug.datastructures import FileStorage

from colorway.errors import InvalidRequest, TooLarge, TryLater, WrongMediaType
from colorway.ledger.images import SourceFacts
from dispatcher.intake import Upload
from dispatcher.picture_header import picture_header

_CHUNK = 1 << 18
_SPOOL = 1 << 20
_WAIT_S = 5.0
_JOB_LIMIT = 4_000_000  # bytes of JSON; 500 palettes of 16 colours are a tenth of it


class Uploads:
    """Receives pictures, so many at once and so large, and no more."""

    def __init__(self, *, max_bytes: int, max_pixels: int, at_once: int) -> None:
        self._max_bytes = max_bytes
        self._max_pixels = max_pixels
        self._places = threading.BoundedSemaphore(at_once)

    @contextmanager
    def picture_and_job(self, request: Request) -> Iterator[tuple[Upload, bytes]]:
        """Yield the `image` and `job` parts of a multipart request, each there just once."""
        request.max_content_length = self._max_bytes + _JOB_LIMIT
        request.max_form_memory_size = _JOB_LIMIT
        with self._a_place():
            job = self._job_part(request)
            yield self._upload(_only_file(request, "image")), job

    @contextmanager
    def picture(self, request: Request) -> Iterator[Upload]:
        """Yield the one picture of a request: its `image` part, or the body itself."""
        request.max_content_length = self._max_bytes + (_CHUNK if is_multipart(request) else 0)
        with self._a_place():
            if is_multipart(request):
                yield self._upload(_only_file(request, "image"))
            elif request.mimetype.startswith("image/") or is_bytes(request):
                with tempfile.SpooledTemporaryFile(_SPOOL) as file:
                    for chunk in iter(lambda: request.stream.read(_CHUNK), b""):
                        file.write(chunk)
                    yield self._upload(cast("BinaryIO", file))
            else:
                raise WrongMediaType("send the picture itself, or multipart with an `image` part")

    def _upload(self, file: BinaryIO) -> Upload:
        sha256 = hashlib.sha256()
        size = 0
        file.seek(0)
        for chunk in iter(lambda: file.read(_CHUNK), b""):
            sha256.update(chunk)
            size += len(chunk)
        if size > self._max_bytes:
            raise TooLarge(f"the picture has {size} bytes; the limit is {self._max_bytes}")
        file.seek(0)
        kind, width, height = picture_header(file, max_pixels=self._max_pixels)
        file.seek(0)
        return Upload(file, SourceFacts(sha256.hexdigest(), size, kind, width, height))

    def _job_part(self, request: Request) -> bytes:
        fields, files = request.form.getlist("job"), request.files.getlist("job")
        if len(fields) + len(files) != 1:
            raise InvalidRequest("a multipart job has just one part `job`, with the JSON")
        return fields[0].encode() if fields else files[0].read()

    @contextmanager
    def _a_place(self) -> Iterator[None]:
        if not self._places.acquire(timeout=_WAIT_S):
            raise TryLater("too many pictures are being received at once", retry_after=2)
        try:
            yield
        finally:
            self._places.release()


def is_multipart(request: Request) -> bool:
    """Whether the body comes in parts."""
    return request.mimetype == "multipart/form-data"


def is_bytes(request: Request) -> bool:
    """Whether the body is said to be just bytes."""
    return request.mimetype in {"application/octet-stream", ""}


def _only_file(request: Request, name: str) -> BinaryIO:
    parts: list[FileStorage] = request.files.getlist(name)
    if name in request.form:
        raise InvalidRequest(f"the part {name!r} must be a file, with a file name")
    if len(parts) != 1:
        found = f"{len(parts)} of them" if parts else "none"
        raise InvalidRequest(f"send just one part {name!r}, with the picture; there were {found}")
    stream: IO[bytes] = parts[0].stream
    return cast("BinaryIO", stream)
