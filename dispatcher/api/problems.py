"""Errors become problem+json (RFC 9457), here and nowhere else."""

from __future__ import annotations

import json
from typing import Any

import structlog
from flask import Flask, Response, g, request
from gunicorn.http.errors import ParseException
from pydantic import BaseModel, ConfigDict, Field
from werkzeug.exceptions import HTTPException

from colorway.errors import Flaw, Refused, TryLater
from dispatcher.api.problem_kinds import KINDS

log = structlog.get_logger()

MEDIA_TYPE = "application/problem+json"
_CODES = {404: "not-found", 405: "method", 413: "too-large", 415: "media-type"}


class FlawBody(BaseModel):
    """One thing wrong: where, and what. Exactly one of `pointer` and `parameter` is there."""

    model_config = ConfigDict(extra="forbid")

    pointer: str | None = Field(
        default=None,
        description="where in the JSON document: a JSON Pointer (RFC 6901) as a URI fragment",
        examples=["#/palettes/3/colors/1"],
    )
    parameter: str | None = Field(default=None, description="which parameter of the query")
    code: str = Field(
        description="the kind of flaw, for programs; more may be added", examples=["color-syntax"]
    )
    detail: str = Field(description="what is wrong and what would be right, for people")


class ProblemBody(BaseModel):
    """A problem in the terms of RFC 9457. Branch on `code`; if you do not know it, on `status`."""

    model_config = ConfigDict(extra="forbid")

    type: str = Field(description="the page that explains this kind of problem")
    title: str = Field(description="the kind of problem, in words; always the same for a `code`")
    status: int = Field(description="the HTTP status, once more")
    detail: str = Field(description="what went wrong this time, for people; do not parse it")
    instance: str = Field(description="the path that was called")
    code: str = Field(
        description="the kind of problem, for programs; more may be added",
        json_schema_extra={"x-extensible-enum": list(KINDS)},
    )
    retryable: bool = Field(
        description="whether the same request, sent later, may succeed by itself"
    )
    request_id: str | None = Field(default=None, description="the same as `X-Request-Id`")
    errors: list[FlawBody] | None = Field(
        default=None, description="everything that is wrong with the request, where that is known"
    )


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
        allowed = ", ".join(sorted(getattr(error, "valid_methods", None) or ()))
        detail = error.description or ""
        if status == 404:
            detail = "nothing is at this path; /docs lists those there are, and ids are UUIDs"
        elif status == 405:
            detail = f"this path takes {allowed}"
        elif status == 413 and request.max_content_length is not None:
            detail = f"the body is too large; the limit is {request.max_content_length} bytes"
        answer = problem(status, _CODES.get(status, "malformed"), detail)
        if status == 405:
            answer.headers["Allow"] = allowed
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
        title=KINDS[code].title,
        status=status,
        detail=detail,
        instance=instance,
        code=code,
        retryable=retryable,
        request_id=request_id,
        errors=[_flaw_body(flaw) for flaw in flaws] or None,
    )
    return body.model_dump_json(exclude_none=True)


def example_of(code: str) -> Any:
    """Return a problem of this kind, as a JSON value."""
    kind = KINDS[code]
    return json.loads(
        problem_body(
            kind.status,
            code,
            kind.detail,
            kind.flaws,
            root="https://colorway.example/",
            instance=kind.instance,
            request_id="01a21914-a7f1-7286-81af-ba358c1b0cad",
            retryable=kind.retry != "never",
        )
    )


def _flaw_body(flaw: Flaw) -> FlawBody:
    if flaw.pointer.startswith("#"):
        return FlawBody(pointer=flaw.pointer, code=flaw.code, detail=flaw.detail)
    return FlawBody(parameter=flaw.pointer, code=flaw.code, detail=flaw.detail)
