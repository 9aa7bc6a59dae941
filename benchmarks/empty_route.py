"""The dispatcher with one more route, that authenticates and does nothing: what others cost."""

from __future__ import annotations

from flask import Response, request

from benchmarks.line import EMPTY_ROUTE
from dispatcher.api.authentication import caller_of
from dispatcher.wsgi import app

ledger = app.extensions["machinery"].ledger


@app.get(EMPTY_ROUTE)
def empty() -> Response:
    """Answer whoever may read."""
    caller_of(ledger, request, "read")
    return Response(status=204)
