"""multipart/form-data, part by part: none twice, none unknown, none above its limit.

Flask's own reader takes the first of two parts, swallows a broken body and replaces bytes that are
not UTF-8; here each of these is an error. The decoder is the one that Flask uses.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager

from flask import Request
from werkzeug.sansio.multipart import Data, Epilogue, Field, File, MultipartDecoder, NeedData

from colorway.errors import Flaw, InvalidRequest, Malformed
from dispatcher.places import Places
from dispatcher.spool import CHUNK, Limit, Spool

_HEADERS = 1 << 18  # what the decoder may hold back: one chunk, and a part's headers


@contextmanager
def parts_of(
    request: Request, limits: Mapping[str, Limit], places: Places
) -> Iterator[dict[str, Spool]]:
    """Yield the request's parts, which must be just those that have a limit here."""
    with ExitStack() as open_files:
        parts: dict[str, Spool] = {}
        current: Spool | None = None
        for event in _events(request):
            if isinstance(event, Field | File):
                _refuse_name(event.name, known=limits, seen=parts)
                current = Spool(f"the part {event.name!r}", limits[event.name], places)
                open_files.callback(current.close)
                parts[event.name] = current
            elif isinstance(event, Data) and current is not None:
                current.write(event.data)
        missing = tuple(
            Flaw("#", "missing-part", f"the part {name!r} is missing")
            for name in limits
            if name not in parts
        )
        if missing:
            raise InvalidRequest("a part is missing", flaws=missing)
        yield parts


def _refuse_name(
    name: str | None, *, known: Mapping[str, Limit], seen: Mapping[str, Spool]
) -> None:
    if name in seen:
        flaw = Flaw("#", "part-twice", f"the part {name!r} was sent twice")
        raise InvalidRequest("a part was sent twice", flaws=(flaw,))
    if name not in known:
        parts = " and ".join(repr(part) for part in known)
        flaw = Flaw("#", "unknown-part", f"there is no part {name!r}; send {parts}")
        raise InvalidRequest("there is a part that we do not know", flaws=(flaw,))


def _events(request: Request) -> Iterator[object]:
    boundary = request.mimetype_params.get("boundary", "")
    if not boundary:
        raise Malformed("multipart/form-data without a boundary")
    decoder = MultipartDecoder(boundary.encode(), max_form_memory_size=_HEADERS)
    while True:
        decoder.receive_data(request.stream.read(CHUNK) or None)
        try:
            while not isinstance(event := decoder.next_event(), NeedData):
                yield event
                if isinstance(event, Epilogue):
                    return
        except ValueError as error:
            raise Malformed("this is not multipart/form-data, or its end is missing") from error
