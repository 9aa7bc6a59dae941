"""The OpenAPI 3.1 document: schemas from the very models that parse and answer, paths by hand.

A test holds the paths against the app's url_map, and real answers against the schemas.
"""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, jsonify
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from dispatcher.api.bodies import ColorwayBody, ColorwayPage, ImageBody, JobBody, JobPage
from dispatcher.api.job_requests import IDEMPOTENCY_KEY_PATTERN, JobIn, RetryIn
from dispatcher.api.problems import MEDIA_TYPE, ProblemBody

Schema = dict[str, Any]

_SCHEMA = "#/components/schemas/{model}"
_REQUESTS: tuple[type[BaseModel], ...] = (JobIn, RetryIn)
_ANSWERS: tuple[type[BaseModel], ...] = (
    JobBody,
    JobPage,
    ColorwayPage,
    ColorwayBody,
    ImageBody,
    ProblemBody,
)

_PROBLEMS = {
    400: "The request cannot be read",
    401: "No API key, or one that is not known",
    403: "The API key lacks the scope",
    404: "There is no such thing, or it is another account's",
    409: "The state of things does not allow this now; `code` says which",
    413: "Too large",
    415: "A media type that is not read here",
    422: "Not valid; `errors` lists everything at once",
    503: "Not available right now; try again after `Retry-After` seconds",
}
_ACCEPTED = {
    "Location": "The job's URL",
    "ETag": "The job's `version`",
    "Retry-After": "Look at the job again after so many seconds",
}
_GONE: Schema = {"description": "It is gone"}
_TIME: Schema = {"type": "string", "format": "date-time", "description": "Exclusive"}
_BYTES: Schema = {"type": "string", "contentMediaType": "application/octet-stream"}
_IDEMPOTENCY_KEY: Schema = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "Repeat a submission under its key, and no second job is made; kept for a day",
    "schema": {"type": "string", "pattern": IDEMPOTENCY_KEY_PATTERN},
}


def openapi_routes(version: str) -> Blueprint:
    """Return the route that shows the document."""
    routes = Blueprint("openapi", __name__)
    document = openapi_document(version)

    @routes.get("/openapi.json")
    def show() -> Response:
        return jsonify(document)

    return routes


def openapi_document(version: str) -> Schema:
    """Return the document as a JSON value."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Colorway",
            "version": version,
            "description": "One base image, many palettes.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "security": [{"api_key": []}],
        "paths": _paths(),
        "components": {
            "schemas": _schemas(),
            "securitySchemes": {"api_key": {"type": "http", "scheme": "bearer"}},
        },
    }


def _schemas() -> Schema:
    wanted = [(model, "validation") for model in _REQUESTS]
    wanted += [(model, "serialization") for model in _ANSWERS]
    _, definitions = models_json_schema(wanted, ref_template=_SCHEMA)  # type: ignore[arg-type]
    schemas: Schema = definitions["$defs"]
    return schemas


def _paths() -> Schema:
    job, key, image = _in_path("job", uuid=True), _in_path("key"), _in_path("image", uuid=True)
    return {
        "/v1/jobs": {
            "get": _call(
                "list_jobs",
                "Your jobs, the newest first",
                {200: _json("A page of jobs", JobPage)},
                problems=(422,),
                parameters=[
                    _in_query(
                        "limit", {"type": "integer", "minimum": 1, "maximum": 100, "default": 20}
                    ),
                    _in_query("cursor", {"type": "string"}),
                    _in_query("status", {"$ref": _SCHEMA.format(model="JobStatus")}),
                    _in_query("created_after", _TIME),
                    _in_query("created_before", _TIME),
                ],
            ),
            "post": _call(
                "submit",
                "Submit one image in many palettes",
                {202: _accepted("The job is accepted", may_be_replay=True)},
                problems=(400, 404, 409, 413, 415, 422, 503),
                parameters=[_IDEMPOTENCY_KEY],
                body={
                    "application/json": {"schema": _ref(JobIn)},
                    "multipart/form-data": {
                        "schema": {
                            "type": "object",
                            "required": ["image", "job"],
                            "properties": {"image": _BYTES, "job": _ref(JobIn)},
                            "additionalProperties": False,
                        },
                        "encoding": {"job": {"contentType": "application/json"}},
                    },
                },
            ),
        },
        "/v1/jobs/{job}": {
            "get": _call(
                "show_job",
                "How far a job is",
                {
                    200: _json("The job", JobBody),
                    304: {"description": "It is still at the version of `If-None-Match`"},
                },
                parameters=[job],
            ),
            "delete": _call(
                "delete_job",
                "Delete a job that is done, and those of its pictures that no other job shares",
                {204: _GONE},
                problems=(404, 409, 413, 422, 503),
                parameters=[job],
            ),
        },
        "/v1/jobs/{job}/cancel": {
            "post": _call(
                "cancel_job",
                "Cancel what has not ended, running colorways too; done already is fine",
                {200: _json("The job, done", JobBody)},
                problems=(404, 413, 422, 503),
                parameters=[job],
            )
        },
        "/v1/jobs/{job}/retry": {
            "post": _call(
                "retry_job",
                "Render again what failed or was cancelled: all of it, or these keys",
                {202: _accepted("The job, reopened")},
                problems=(400, 404, 409, 413, 415, 422, 503),
                parameters=[job],
                body={"application/json": {"schema": _ref(RetryIn)}},
                needs_body=False,
            )
        },
        "/v1/jobs/{job}/colorways": {
            "get": _call(
                "list_colorways",
                "A job's colorways, in the order of submission",
                {200: _json("A page of colorways", ColorwayPage)},
                problems=(404, 422),
                parameters=[
                    job,
                    _in_query("limit", {"type": "integer", "minimum": 1, "maximum": 500}),
                    _in_query("cursor", {"type": "string"}),
                    _in_query("status", {"$ref": _SCHEMA.format(model="Status")}),
                ],
            )
        },
        "/v1/jobs/{job}/colorways/{key}": {
            "get": _call(
                "show_colorway",
                "One colorway",
                {200: _json("The colorway", ColorwayBody)},
                parameters=[job, key],
            )
        },
        "/v1/jobs/{job}/colorways/{key}/image": {
            "get": _call(
                "fetch_image",
                "A finished picture, by redirect to a link that expires",
                {307: {"description": "Follow `Location`"}},
                problems=(404, 409, 422),
                parameters=[job, key, _in_query("thumbnail", {"type": "string", "enum": ["1"]})],
            )
        },
        "/v1/images": {
            "post": _call(
                "upload_image",
                "Upload a source once, to use it in many jobs",
                {
                    201: _json("A new image", ImageBody),
                    200: _json("These bytes were known already", ImageBody),
                },
                problems=(400, 413, 415, 422, 503),
                body={
                    "image/*": {"schema": _BYTES},
                    "application/octet-stream": {"schema": _BYTES},
                    "multipart/form-data": {
                        "schema": {
                            "type": "object",
                            "required": ["image"],
                            "properties": {"image": _BYTES},
                            "additionalProperties": False,
                        }
                    },
                },
            )
        },
        "/v1/images/{image}": {
            "get": _call(
                "show_image",
                "A source",
                {200: _json("The image", ImageBody)},
                parameters=[image],
            ),
            "delete": _call(
                "delete_image",
                "Delete a source that no job refers to",
                {204: _GONE},
                problems=(404, 409, 413, 422, 503),
                parameters=[image],
            ),
        },
        "/health": {"get": _open_call("health", "Whether the process answers")},
        "/ready": {"get": _open_call("ready", "Whether it can do its work", problems=(503,))},
        "/openapi.json": {"get": _open_call("openapi", "This document")},
    }


def _call(
    operation: str,
    summary: str,
    answers: dict[int, Schema],
    *,
    problems: tuple[int, ...] = (404,),
    parameters: list[Schema] | None = None,
    body: Schema | None = None,
    needs_body: bool = True,
) -> Schema:
    call: Schema = {"operationId": operation, "summary": summary}
    if parameters:
        call["parameters"] = parameters
    if body:
        call["requestBody"] = {"required": needs_body, "content": body}
    call["responses"] = {str(status): answer for status, answer in answers.items()}
    call["responses"] |= {str(status): _problem(status) for status in (401, 403, *problems)}
    return call


def _open_call(operation: str, summary: str, *, problems: tuple[int, ...] = ()) -> Schema:
    """Return a call that needs no API key."""
    answer = {"description": "Yes", "content": {"application/json": {"schema": {"type": "object"}}}}
    return {
        "operationId": operation,
        "summary": summary,
        "security": [],
        "responses": {"200": answer} | {str(status): _problem(status) for status in problems},
    }


def _json(description: str, model: type[BaseModel]) -> Schema:
    return {
        "description": description,
        "content": {"application/json": {"schema": _ref(model)}},
    }


def _accepted(description: str, *, may_be_replay: bool = False) -> Schema:
    headers = {name: _header(meaning) | {"required": True} for name, meaning in _ACCEPTED.items()}
    if may_be_replay:
        headers["Idempotency-Replayed"] = _header("`true` where an earlier request made this job")
    return _json(description, JobBody) | {"headers": headers}


def _header(description: str) -> Schema:
    return {"description": description, "schema": {"type": "string"}}


def _problem(status: int) -> Schema:
    return {
        "description": _PROBLEMS[status],
        "content": {MEDIA_TYPE: {"schema": _ref(ProblemBody)}},
    }


def _ref(model: type[BaseModel]) -> Schema:
    return {"$ref": _SCHEMA.format(model=model.__name__)}


def _in_path(name: str, *, uuid: bool = False) -> Schema:
    schema = {"type": "string"} | ({"format": "uuid"} if uuid else {})
    return {"name": name, "in": "path", "required": True, "schema": schema}


def _in_query(name: str, schema: Schema) -> Schema:
    return {"name": name, "in": "query", "schema": schema}
