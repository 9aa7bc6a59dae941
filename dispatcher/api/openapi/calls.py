"""How one call is described: its parameters, its bodies, its answers and its problems."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from dispatcher.api.problems import MEDIA_TYPE, ProblemBody

Schema = dict[str, Any]

SCHEMA = "#/components/schemas/{model}"

PROBLEMS = {
    400: "The request cannot be read",
    401: "No API key, or one that is not known",
    403: "The API key lacks the scope",
    404: "There is no such thing, or it is another account's",
    408: "The request came too slowly",
    409: "The state of things does not allow this now; `code` says which",
    410: "It was here, and has expired",
    413: "Too large",
    415: "A media type that is not read here",
    422: "Not valid; `errors` lists everything at once",
    429: "Too many requests, or more than the account's quota; `code` says which",
    503: "Not available right now; try again after `Retry-After` seconds",
}
_ALWAYS = (400, 401, 403, 415, 429)
_NOBODY = 401  # whose rate could be told here?
_RETRYABLE = (409, 429, 503)

RATE_LIMIT_HEADERS = {
    "RateLimit-Policy": {
        "description": "How often this API key may call this process: `q` times in `w` seconds",
        "schema": {"type": "string"},
        "example": '"default";q=6000;w=60',
    },
    "RateLimit": {
        "description": "What is left of that: `r` calls, until `t` seconds from now",
        "schema": {"type": "string"},
        "example": '"default";r=5999;t=59',
    },
}

GONE: Schema = {"description": "It is gone"}
TIME: Schema = {"type": "string", "format": "date-time", "description": "Exclusive"}
BYTES: Schema = {"type": "string", "contentMediaType": "application/octet-stream"}


def call(
    operation: str,
    summary: str,
    answers: Mapping[int, Schema],
    *,
    problems: tuple[int, ...] = (404,),
    parameters: list[Schema] | None = None,
    body: Schema | None = None,
    needs_body: bool = True,
) -> Schema:
    """Return a call that needs an API key."""
    said: Schema = {"operationId": operation, "summary": summary}
    if parameters:
        said["parameters"] = parameters
    if body:
        said["requestBody"] = {"required": needs_body, "content": body}
    may_be_slow = (408,) if 413 in problems else ()  # it reads a body
    problems = (*_ALWAYS, *may_be_slow, *problems)
    all_answers = {**answers} | {status: problem(status) for status in problems}
    said["responses"] = {
        str(status): answer if status == _NOBODY else _with_rate_limits(answer)
        for status, answer in all_answers.items()
    }
    return said


def open_call(operation: str, summary: str, *, problems: tuple[int, ...] = ()) -> Schema:
    """Return a call that needs no API key."""
    answer = {"description": "Yes", "content": {"application/json": {"schema": {"type": "object"}}}}
    return {
        "operationId": operation,
        "summary": summary,
        "security": [],
        "responses": {"200": answer} | {str(status): problem(status) for status in problems},
    }


def says(description: str, model: type[BaseModel]) -> Schema:
    """Return an answer in JSON of this model."""
    return {
        "description": description,
        "content": {"application/json": {"schema": schema_of(model)}},
    }


def problem(status: int) -> Schema:
    """Return the answer for a problem of this status."""
    said: Schema = {
        "description": PROBLEMS[status],
        "content": {MEDIA_TYPE: {"schema": schema_of(ProblemBody)}},
    }
    if status in _RETRYABLE:
        said["headers"] = {"Retry-After": header("Where it is `retryable`: after so many seconds")}
    return said


def _with_rate_limits(answer: Schema) -> Schema:
    told = {name: {"$ref": f"#/components/headers/{name}"} for name in RATE_LIMIT_HEADERS}
    return answer | {"headers": answer.get("headers", {}) | told}


def schema_of(model: type[BaseModel]) -> Schema:
    """Return a reference to the model's schema."""
    return {"$ref": SCHEMA.format(model=model.__name__)}


def in_path(name: str, *, uuid: bool = False) -> Schema:
    """Return a parameter of the path."""
    schema = {"type": "string"} | ({"format": "uuid"} if uuid else {})
    return {"name": name, "in": "path", "required": True, "schema": schema}


def in_query(name: str, schema: Schema) -> Schema:
    """Return a parameter of the query."""
    return {"name": name, "in": "query", "schema": schema}


def in_header(name: str, description: str, schema: Schema) -> Schema:
    """Return a parameter among the headers."""
    return {"name": name, "in": "header", "description": description, "schema": schema}


def header(description: str) -> Schema:
    """Return a header of an answer."""
    return {"description": description, "schema": {"type": "string"}}
