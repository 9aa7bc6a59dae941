"""/v1/jobs/…/archive: all finished pictures of a job at once."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import closing
from datetime import datetime
from itertools import chain
from time import monotonic
from uuid import UUID

import structlog
from flask import Blueprint, Response, request

from dispatcher.api.authentication import caller_of
from dispatcher.api.calls import refuse_unknown_parameters, utc_now
from dispatcher.archive import Archives
from dispatcher.places import Places

log = structlog.get_logger()

SLOWEST = 25_000
"""Bytes per second; who takes an archive more slowly keeps its place from others for too long."""

GRACE_S = 30.0
"""For so long, a client may take nothing at all."""


def archive_routes(
    archives: Archives,
    places: Places,
    *,
    clock: Callable[[], datetime] = utc_now,
    stopwatch: Callable[[], float] = monotonic,
) -> Blueprint:
    """Return the route of archives."""
    routes = Blueprint("archive", __name__, url_prefix="/v1/jobs")

    @routes.get("/<uuid:job>/archive")
    def archive(job: UUID) -> Response:
        account = caller_of(archives.ledger, request, "read").account
        refuse_unknown_parameters()
        contents = archives.contents(account, job, now=clock())
        pieces = _sent(archives.stream(contents))
        first = next(pieces)  # what goes wrong so far is still a problem with a status of its own
        answer = Response(chain([first], pieces), mimetype="application/zip")
        answer.call_on_close(pieces.close)
        answer.content_length = contents.length
        answer.headers["Content-Disposition"] = f'attachment; filename="{job}.zip"'
        return answer

    def _sent(pieces: Generator[bytes]) -> Generator[bytes]:
        """Yield the pieces from a place, as long as they are taken fast enough."""
        sent, waited_s = 0, 0.0
        with places.take(), closing(pieces):
            try:
                for piece in pieces:
                    given_at = stopwatch()
                    yield piece
                    waited_s += stopwatch() - given_at
                    sent += len(piece)
                    if waited_s > GRACE_S + sent / SLOWEST:
                        raise TimeoutError("the archive is taken too slowly")
            except BaseException as reason:  # GeneratorExit, too: then the client is gone
                if sent:
                    log.warning("archive broken off", bytes=sent, reason=repr(reason))
                raise

    return routes
