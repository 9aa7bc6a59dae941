"""How calls are read and answered, whatever the route.

What a route does not know is refused: a typo must cost nothing, least of all where it deletes.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime

from flask import Flask, Response, request

from colorway.errors import Flaw, InvalidRequest, Malformed, WrongMediaType
from dispatcher.api.bodies import Body
from dispatcher.api.uploads import MAX_JSON

_HOST = re.compile(r"[\w.~!$&'()*+,;=%:\[\]-]+", re.ASCII)  # RFC 3986 section 3.2.2, roughly


def utc_now() -> datetime:
    """Return the time."""
    return datetime.now(UTC)


def json_answer(body: Body) -> Response:
    """Return the answer that says this."""
    return Response(body.model_dump_json(), mimetype="application/json")


def refuse_what_is_misread(app: Flask) -> None:
    """Refuse, on every route, what would be taken for something else than it says it is."""

    @app.before_request
    def check() -> None:
        headers = request.headers
        # which knew no hosts, RFC 9112 section 3.2; some health checks still speak it
        is_http_1_0 = request.environ.get("SERVER_PROTOCOL") == "HTTP/1.0"
        if not (is_http_1_0 or _HOST.fullmatch(headers.get("Host", ""))):
            raise Malformed("the header Host is missing, or names no host")
        if headers.get("Transfer-Encoding", "chunked").lower() != "chunked":
            raise Malformed("the only Transfer-Encoding that is read here is chunked")
        if headers.get("Content-Encoding", "identity").lower() != "identity":
            raise WrongMediaType("send the body as it is, without a Content-Encoding")
        if request.mimetype_params.get("charset", "utf-8").lower() not in {"utf-8", "us-ascii"}:
            raise WrongMediaType("send text in UTF-8")


def refuse_unknown_parameters(*known: str, flaws: Sequence[Flaw] = ()) -> None:
    """Raise InvalidRequest for these flaws, and what is unknown or said twice; all at once."""
    unknown = [
        Flaw(name, "unknown", "there is no such parameter")
        for name in request.args
        if name not in known
    ]
    told = {flaw.pointer for flaw in (*flaws, *unknown)}
    twice = [
        Flaw(name, "twice", "this parameter was given more than once")
        for name, values in request.args.lists()
        if len(values) > 1 and name not in told
    ]
    if flaws or unknown or twice:
        raise InvalidRequest("the query is not valid", flaws=(*flaws, *unknown, *twice))


def refuse_a_body() -> None:
    """Raise InvalidRequest for a body that says anything."""
    if read_document().strip() not in (b"", b"{}"):
        raise InvalidRequest("this call takes no body")


def read_document() -> bytes:
    """Return the body of a call that takes JSON, all of it."""
    request.max_content_length = MAX_JSON
    document = request.get_data(cache=False)
    if request.content_length not in {None, len(document)}:  # `{}` may be a beginning, too
        raise Malformed("the body ended before its Content-Length")
    return document


def limit_flaw(limit: str, *, most: int) -> list[Flaw]:
    """Return what is wrong with the length of a page."""
    if is_number(limit) and 1 <= int(limit) <= most:
        return []
    return [Flaw("limit", "range", f"limit is a number from 1 to {most}")]


def is_number(text: str) -> bool:
    """Whether this is a number of at most six digits."""
    return text.isascii() and text.isdigit() and len(text) < 7
