"""How one call is described: its parameters, its bodies, its answers and its problems."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import BaseModel

from colorway.ledger.accounts import Scope
from dispatcher.api.openapi.headers import Schema, header, refer
from dispatcher.api.problem_kinds import KINDS
from dispatcher.api.problems import MEDIA_TYPE, ProblemBody, example_of

SCHEMA = "#/components/schemas/{model}"
_PROBLEM_EXAMPLE = "#/components/examples/{code}"

_FOR_ALL = ("malformed", "media-type")
"""What any call may answer, whatever it reads: the head of a request is looked at first."""

_WITH_KEY = ("unauthenticated", "forbidden", "rate-limited", "unavailable")
"""What any call that needs a key may answer."""

TIME: Schema = {"type": "string", "format": "date-time"}
BYTES: Schema = {
    "type": "string",
    "format": "binary",
    "contentMediaType": "application/octet-stream",
}


def call(
    operation: str,
    summary: str,
    answers: Mapping[int, Schema],
    *,
    description: str,
    scope: Scope,
    problems: tuple[str, ...] = ("not-found",),
    parameters: list[Schema] | None = None,
    body: Schema | None = None,
    needs_body: bool = True,
) -> Schema:
    """Return a call that needs an API key of this scope; `problems` are codes."""
    said: Schema = {
        "operationId": operation,
        "summary": summary,
        "description": f"{description}\n\nThe API key needs the scope `{scope}`.",
        "security": [{"api_key": [scope]}],
    }
    if parameters:
        said["parameters"] = parameters
    if body:
        said["requestBody"] = {"required": needs_body, "content": body}
    said["responses"] = _responses(answers, (*_WITH_KEY, *problems))
    for status, answered in said["responses"].items():
        if status != "401":  # whose rate could be told there?
            answered["headers"] |= refer("RateLimit-Policy", "RateLimit")
    return said


def open_call(
    operation: str,
    summary: str,
    answers: Mapping[int, Schema],
    *,
    description: str,
    problems: tuple[str, ...] = (),
) -> Schema:
    """Return a call that needs no API key."""
    return {
        "operationId": operation,
        "summary": summary,
        "description": description,
        "security": [],
        "responses": _responses(answers, problems),
    }


def says(
    description: str,
    model: type[BaseModel],
    *,
    examples: Mapping[str, Any],
    headers: Schema | None = None,
    links: Schema | None = None,
) -> Schema:
    """Return an answer in JSON of this model; `examples` by what they show."""
    content = {"application/json": {"schema": schema_of(model), "examples": _named(examples)}}
    return answer(description, content, headers=headers, links=links)


def answer(
    description: str,
    content: Schema | None = None,
    *,
    headers: Schema | None = None,
    links: Schema | None = None,
) -> Schema:
    """Return an answer with these headers and those that every answer has."""
    said: Schema = {
        "description": description,
        "headers": (headers or {}) | refer("X-Request-Id"),
    }
    if content:
        said["content"] = content
    if links:
        said["links"] = links
    return said


def takes(model: type[BaseModel], examples: Mapping[str, Any]) -> Schema:
    """Return the content of a body in JSON of this model."""
    return {"schema": schema_of(model), "examples": _named(examples)}


def link(
    operation: str, description: str, parameters: Mapping[str, str] | None = None, **more: Any
) -> Schema:
    """Return a link to the call that may come next, fed from the answer."""
    return {
        "operationId": operation,
        "description": description,
        "parameters": dict(parameters or {}),
    } | more


def schema_of(model: type[BaseModel]) -> Schema:
    """Return a reference to the model's schema."""
    return {"$ref": SCHEMA.format(model=model.__name__)}


def in_path(name: str, description: str, schema: Schema, *, example: str) -> Schema:
    """Return a parameter of the path."""
    return _parameter("path", name, description, schema, example) | {"required": True}


def in_query(name: str, description: str, schema: Schema, *, example: Any) -> Schema:
    """Return a parameter of the query."""
    return _parameter("query", name, description, schema, example)


def in_header(name: str, description: str, schema: Schema, *, example: str) -> Schema:
    """Return a parameter among the headers."""
    return _parameter("header", name, description, schema, example)


def problem_examples() -> Schema:
    """Return one problem of every kind, for the document's components."""
    return {code: {"summary": code, "value": example_of(code)} for code in KINDS}


def _responses(answers: Mapping[int, Schema], problems: Iterable[str]) -> Schema:
    said = {str(status): answer for status, answer in answers.items()}
    codes_by_status: dict[int, list[str]] = {}
    for code in dict.fromkeys((*_FOR_ALL, *problems)):
        codes_by_status.setdefault(KINDS[code].status, []).append(code)
    return said | {
        str(status): _problem(status, codes) for status, codes in sorted(codes_by_status.items())
    }


def _problem(status: int, codes: list[str]) -> Schema:
    """Return the answer for problems of this status, which are of these kinds here."""
    content = {
        "schema": schema_of(ProblemBody),
        "examples": {code: {"$ref": _PROBLEM_EXAMPLE.format(code=code)} for code in codes},
    }
    description = "; ".join(f"`{code}`: {KINDS[code].title}" for code in codes)
    headers, retries = {}, {KINDS[code].retry for code in codes}
    if status == 401:
        headers = header("WWW-Authenticate", always=True)
    elif retries != {"never"}:
        headers = header("Retry-After", always=retries == {"always"})
    return answer(description, {MEDIA_TYPE: content}, headers=headers)


def _parameter(place: str, name: str, description: str, schema: Schema, example: Any) -> Schema:
    # in the schema, because /docs would fill in an example that stands beside it
    said = schema | {"examples": [example]}
    return {"name": name, "in": place, "description": description, "schema": said}


def _named(examples: Mapping[str, Any]) -> Schema:
    return {name: {"value": value} for name, value in examples.items()}
