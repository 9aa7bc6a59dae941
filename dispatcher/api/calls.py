"""How calls are read and answered, whatever the route.

What a route does not know is refused: a typo must cost nothing, least of all where it deletes.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from flask import Response, request

from colorway.errors import Flaw, InvalidRequest
from dispatcher.api.bodies import Body
from dispatcher.api.uploads import MAX_JSON


def utc_now() -> datetime:
    """Return the time."""
    return datetime.now(UTC)


def json_answer(body: Body) -> Response:
    """Return the answer that says this."""
    return Response(body.model_dump_json(), mimetype="application/json")


def refuse_unknown_parameters(*known: str, flaws: Sequence[Flaw] = ()) -> None:
    """Raise InvalidRequest for these flaws and any other parameter, all at once."""
    unknown = [
        Flaw(name, "unknown", "there is no such parameter")
        for name in request.args
        if name not in known
    ]
    if flaws or unknown:
        raise InvalidRequest("the query is not valid", flaws=(*flaws, *unknown))


def refuse_a_body() -> None:
    """Raise InvalidRequest for a body that says anything."""
    if read_document().strip() not in (b"", b"{}"):
        raise InvalidRequest("this call takes no body")


def read_document() -> bytes:
    """Return the body of a call that takes JSON."""
    request.max_content_length = MAX_JSON
    return request.get_data(cache=False)


def limit_flaw(limit: str, *, most: int) -> list[Flaw]:
    """Return what is wrong with the length of a page."""
    if is_number(limit) and 1 <= int(limit) <= most:
        return []
    return [Flaw("limit", "range", f"limit is a number from 1 to {most}")]


def is_number(text: str) -> bool:
    """Whether this is a number of at most six digits."""
    return text.isascii() and text.isdigit() and len(text) < 7
