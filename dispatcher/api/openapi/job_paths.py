"""The calls of jobs."""

from __future__ import annotations

from dispatcher.api.bodies import JobBody, JobPage
from dispatcher.api.estimates import EstimateBody
from dispatcher.api.job_requests import IDEMPOTENCY_KEY_PATTERN, JobIn, RetryIn
from dispatcher.api.openapi.calls import (
    BYTES,
    GONE,
    SCHEMA,
    TIME,
    Schema,
    call,
    header,
    in_header,
    in_path,
    in_query,
    says,
    schema_of,
)

_ACCEPTED = {
    "Location": "The job's URL",
    "ETag": "The job's `version`",
    "Retry-After": "Look at the job again after so many seconds",
}
_APPLIED = {"Preference-Applied": header("Present where the answer would have been held so long")}
_PREFER = in_header(
    "Prefer",
    "`wait=20` holds the answer for so many seconds at the most, 25 being the most",
    {"type": "string", "examples": ["wait=20"]},
)
_JOB = in_path("job", uuid=True)


def job_paths() -> Schema:
    """Return what is said of each path."""
    return {
        "/v1/jobs": {"get": _list_jobs(), "post": _submit()},
        "/v1/jobs/{job}": {
            "get": _show_job(),
            "delete": call(
                "delete_job",
                "Delete a job that is done, and those of its pictures that no other job shares",
                {204: GONE},
                problems=(404, 409, 413, 422, 503),
                parameters=[_JOB],
            ),
        },
        "/v1/jobs/{job}/cancel": {
            "post": call(
                "cancel_job",
                "Cancel what has not ended, running colorways too; done already is fine",
                {200: says("The job, done", JobBody)},
                problems=(404, 413, 422, 503),
                parameters=[_JOB],
            )
        },
        "/v1/jobs/{job}/retry": {
            "post": call(
                "retry_job",
                "Render again what failed or was cancelled: all of it, or these keys",
                {202: _accepted("The job, reopened")},
                problems=(400, 404, 409, 413, 415, 422, 503),
                parameters=[_JOB],
                body={"application/json": {"schema": schema_of(RetryIn)}},
                needs_body=False,
            )
        },
    }


def _list_jobs() -> Schema:
    return call(
        "list_jobs",
        "Your jobs, the newest first",
        {200: says("A page of jobs", JobPage)},
        problems=(422,),
        parameters=[
            in_query("limit", {"type": "integer", "minimum": 1, "maximum": 100, "default": 20}),
            in_query("cursor", {"type": "string"}),
            in_query("status", {"$ref": SCHEMA.format(model="JobStatus")}),
            in_query("created_after", TIME),
            in_query("created_before", TIME),
        ],
    )


def _show_job() -> Schema:
    shown = {"ETag": header("The job's `version`") | {"required": True}} | _APPLIED
    return call(
        "show_job",
        "How far a job is; by `Prefer`, once it has moved on from `If-None-Match`, or is done",
        {
            200: says("The job", JobBody) | {"headers": shown},
            304: {
                "description": "It is still at the version of `If-None-Match`",
                "headers": shown,
            },
        },
        problems=(404, 422),
        parameters=[
            _JOB,
            _PREFER,
            in_header("If-None-Match", "The `ETag` that was seen last", {"type": "string"}),
        ],
    )


def _submit() -> Schema:
    return call(
        "submit",
        "Submit one image in many palettes",
        {
            202: _accepted("The job is accepted", is_submission=True),
            200: says("What the job would be, with `dry_run`; nothing was made", EstimateBody),
        },
        problems=(400, 404, 409, 413, 415, 422, 503),
        parameters=[
            in_query("dry_run", {"type": "boolean", "default": False}),
            in_header(
                "Idempotency-Key",
                "Repeat a submission under its key, and no second job is made; kept for a day",
                {"type": "string", "pattern": IDEMPOTENCY_KEY_PATTERN},
            ),
            _PREFER,
        ],
        body={
            "application/json": {"schema": schema_of(JobIn)},
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["image", "job"],
                    "properties": {"image": BYTES, "job": schema_of(JobIn)},
                    "additionalProperties": False,
                },
                "encoding": {"job": {"contentType": "application/json"}},
            },
        },
    )


def _accepted(description: str, *, is_submission: bool = False) -> Schema:
    headers = {name: header(meaning) | {"required": True} for name, meaning in _ACCEPTED.items()}
    if is_submission:
        headers["Idempotency-Replayed"] = header("`true` where an earlier request made this job")
        headers |= _APPLIED
    return says(description, JobBody) | {"headers": headers}
