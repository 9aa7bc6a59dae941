"""Errors become problem+json (RFC 9457), here and nowhere else."""

from __future__ import annotations

import structlog
from flask import Flask, Response, g, request
from gunicorn.http.errors import ParseException
from pydantic import BaseModel, ConfigDict
from werkzeug.exceptions import HTTPException
from werkzeug.http import HTTP_STATUS_CODES

from colorway.errors import Flaw, Refused, TryLater

log = structlog.get_logger()

MEDIA_TYPE = "application/problem+json"
_CODES = {404: "not-found", 405: "method", 413: "too-large", 415: "media-type"}
_TITLES = {
    "validation": "The request is not valid",
    "malformed": "The request cannot be read",
    "request-timeout": "The request came too slowly",
    "unauthenticated": "An API key is needed",
    "not-found": "There is no such thing",
    "not-ready": "Not ready yet",
    "not-done": "Not done yet",
    "expired": "It has expired",
    "in-use": "Something refers to it",
    "slot-filled": "Something lies there already",
    "source-blocked": "No picture is fetched from there",
    "source-unreachable": "The picture could not be fetched",
    "nothing-to-retry": "Nothing to retry",
    "idempotency-in-progress": "The same request is under way",
    "idempotency-mismatch": "The key belongs to another request",
    "rate-limited": "Too many requests",
    "quota-exceeded": "More than the account's quota",
    "unavailable": "Not available right now",
    "internal": "Something broke on our side",
}


class FlawBody(BaseModel):
    """One thing wrong: where (in the job document, or which query parameter), and what."""

    model_config = ConfigDict(extra="forbid")

    pointer: str | None = None
    parameter: str | None = None
    code: str
    detail: str


class ProblemBody(BaseModel):
    """A problem in the terms of RFC 9457, with our `code` to branch on."""

    model_config = ConfigDict(extra="forbid")

    type: str
    title: str
    status: int
    detail: str
    instance: str
    code: str
    retryable: bool
    request_id: str | None = None
    errors: list[FlawBody] | None = None


def show_problems(app: Flask) -> None:
    """Answer every error of this app as problem+json."""

    @app.errorhandler(Refused)
    def refused(error: Refused) -> Response:
        answer = problem(
            error.status, error.code, error.detail, error.flaws, retry_after=error.retry_after
        )
        if error.status == 401:
            answer.headers["WWW-Authenticate"] = "Bearer"
        return answer

    @app.errorhandler(TryLater)
    def try_later(error: TryLater) -> Response:
        log.warning("request put off", reason=str(error), cause=repr(error.__cause__))
        return problem(503, "unavailable", str(error), retry_after=error.retry_after)

    @app.errorhandler(HTTPException)
    def http(error: HTTPException) -> Response:
        status = error.code or 500
        detail = error.description or ""
        if status == 413 and request.max_content_length is not None:
            detail = f"the body is too large; the limit is {request.max_content_length} bytes"
        answer = problem(status, _CODES.get(status, "malformed"), detail)
        if status == 405:
            answer.headers["Allow"] = ", ".join(sorted(getattr(error, "valid_methods", None) or ()))
        return answer

    @app.errorhandler(ParseException)
    def unreadable(_: ParseException) -> Response:
        """gunicorn reads chunks only as the body is read, which is in the middle of a call."""
        return problem(400, "malformed", "the chunks of the body are not as RFC 9112 has them")

    @app.errorhandler(Exception)
    def broken(error: Exception) -> Response:
        log.error("request broke", path=request.path, exc_info=error)  # the caller learns nothing
        return problem(500, "internal", "this is our fault; the request id helps us find it")


def problem(
    status: int,
    code: str,
    detail: str,
    flaws: tuple[Flaw, ...] = (),
    *,
    retry_after: int | None = None,
) -> Response:
    """Return a problem+json answer; `type` names the kind of problem under this server's URL.

    It is `retryable` where the same request may fare better after so many seconds.
    """
    g.problem = code
    body = problem_body(
        status,
        code,
        detail,
        flaws,
        root=request.url_root,
        instance=request.path,
        request_id=g.get("request_id"),
        retryable=retry_after is not None,
    )
    answer = Response(body, status=status, mimetype=MEDIA_TYPE)
    if retry_after is not None:
        answer.headers["Retry-After"] = str(retry_after)
    return answer


def problem_body(
    status: int,
    code: str,
    detail: str,
    flaws: tuple[Flaw, ...] = (),
    *,
    root: str = "/",
    instance: str,
    request_id: str | None,
    retryable: bool = False,
) -> str:
    """Return the JSON of a problem, also of one that no app ever saw; `root` is our URL."""
    body = ProblemBody(
        type=f"{root}problems/{code}",
        title=_TITLES.get(code) or HTTP_STATUS_CODES.get(status, "Error"),
        status=status,
        detail=detail,
        instance=instance,
        code=code,
        retryable=retryable,
        request_id=request_id,
        errors=[_flaw_body(flaw) for flaw in flaws] or None,
    )
    return body.model_dump_json(exclude_none=True)


def _flaw_body(flaw: Flaw) -> FlawBody:
    if flaw.pointer.startswith("#"):
        return FlawBody(pointer=flaw.pointer, code=flaw.code, detail=flaw.detail)
    return FlawBody(parameter=flaw.pointer, code=flaw.code, detail=flaw.detail)
