"""What every answer tells browsers and caches, whatever it says."""

from __future__ import annotations

from flask import Flask, Response

_UNLESS_SAID_OTHERWISE = {
    # an account's data, which the next moment may change; a 304 costs next to nothing
    "Cache-Control": "private, no-cache",
    # an answer of the API is no page: nothing in it may run, load anything, or be framed
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


def set_answer_headers(app: Flask) -> None:
    """Add these headers to every answer of this app that does not have them."""

    @app.after_request
    def end(answer: Response) -> Response:
        for name, value in _UNLESS_SAID_OTHERWISE.items():
            answer.headers.setdefault(name, value)
        return answer
