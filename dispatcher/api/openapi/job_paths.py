"""The calls of jobs."""

from __future__ import annotations

from dispatcher.api.bodies import JobBody, JobPage
from dispatcher.api.documents import IDEMPOTENCY_KEY_PATTERN, JobIn, JobPart, RetryIn
from dispatcher.api.estimates import EstimateBody
from dispatcher.api.openapi import examples
from dispatcher.api.openapi.calls import (
    BYTES,
    SCHEMA,
    TIME,
    answer,
    call,
    in_header,
    in_path,
    in_query,
    link,
    says,
    schema_of,
    takes,
)
from dispatcher.api.openapi.headers import Schema, header

JOB = in_path(
    "job", "The job's `id`", {"type": "string", "format": "uuid"}, example=examples.JOB_ID
)

_PREFER = in_header(
    "Prefer",
    "`wait=20` holds the answer back until there is news, for so many seconds at the most (RFC"
    " 7240); more than 25 count as 25. Anything else is ignored.",
    {"type": "string"},
    example="wait=20",
)
_ID = {"job": "$response.body#/id"}
_OF_THIS_JOB = {
    "look": link("show_job", "How far it is", _ID),
    "cancel": link("cancel_job", "Stop what has not ended", _ID),
    "retry": link(
        "retry_job",
        "Render its first colorway again, if that failed or was cancelled",
        _ID,
        requestBody={"keys": ["{$response.body#/colorways/0/key}"]},
    ),
    "delete": link("delete_job", "Forget it, once it is done", _ID),
    "colorways": link("list_colorways", "All its colorways", _ID),
    "colorway": link(
        "show_colorway", "Its first colorway", _ID | {"key": "$response.body#/colorways/0/key"}
    ),
    "archive": link("fetch_archive", "All its finished pictures", _ID),
    "picture": link(
        "fetch_image",
        "The picture of its first colorway",
        _ID | {"key": "$response.body#/colorways/0/key"},
    ),
}


def job_paths() -> Schema:
    """Return what is said of each path."""
    return {
        "/v1/jobs": {"post": _submit(), "get": _list_jobs()},
        "/v1/jobs/{job}": {"get": _show_job(), "delete": _delete_job()},
        "/v1/jobs/{job}/cancel": {"post": _cancel_job()},
        "/v1/jobs/{job}/retry": {"post": _retry_job()},
    }


def _submit() -> Schema:
    return call(
        "submit",
        "Submit one image in many palettes",
        {
            202: _accepted(
                "The job is accepted: from now on it is not lost",
                {"A new job": examples.ACCEPTED_JOB, "It waited": examples.COMPLETED_JOB},
                is_submission=True,
            ),
            200: says(
                "With `dry_run`: what the job would be; nothing was made",
                EstimateBody,
                examples={"One palette of two is there already": examples.ESTIMATE},
            ),
        },
        description=(
            "Send a picture of your own as `multipart/form-data`; or name one in JSON, by the `id`"
            " of an upload or by a public `url`, which is fetched before the answer. All of it is"
            " checked before anything is recorded: either every palette is accepted, or none, and"
            " then every flaw is listed.\n\n"
            "The answer is always 202 with the job, even where every palette was rendered before"
            " and nothing is left to do: test `done`. With `Prefer: wait=20` a small job is"
            " usually done by then.\n\n"
            "Send an `Idempotency-Key` if you may repeat the request. With `dry_run=true` the same"
            " request makes nothing, and tells whether it is valid, what you have already, and what"
            " to expect."
        ),
        scope="submit",
        problems=(
            *("not-found", "idempotency-in-progress", "request-timeout", "too-large"),
            *("validation", "idempotency-mismatch", "image-undecodable", "image-too-many-pixels"),
            *("source-blocked", "source-unreachable", "quota-exceeded"),
        ),
        parameters=[
            in_query(
                "dry_run",
                "`true`: make nothing, and answer 200 with what the job would be",
                {"type": "boolean", "default": False},
                example=True,
            ),
            in_header(
                "Idempotency-Key",
                "Any name of your choice for this submission: whoever repeats it under the same"
                " name, within a day, gets the job that was made first",
                {"type": "string", "pattern": IDEMPOTENCY_KEY_PATTERN},
                example="spring-42",
            ),
            _PREFER,
        ],
        body={
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["image", "job"],
                    "properties": {
                        "image": BYTES | {"description": "the picture: a file as it is"},
                        "job": schema_of(JobPart),
                    },
                    "additionalProperties": False,
                },
                "encoding": {"job": {"contentType": "application/json"}},
                "examples": {
                    "A picture in two palettes": {
                        "value": {"image": examples.PICTURE, "job": examples.JOB_PART}
                    }
                },
            },
            "application/json": takes(
                JobIn,
                {
                    "Two palettes": examples.SUBMISSION,
                    "A picture from the web": examples.FROM_THE_WEB,
                    "Every option": examples.EVERY_OPTION,
                },
            ),
        },
    )


def _list_jobs() -> Schema:
    return call(
        "list_jobs",
        "List your jobs, the newest first",
        {200: says("A page of jobs", JobPage, examples={"One of many": examples.JOB_PAGE})},
        description=(
            "A job in this list says what it says by itself, but for its `stats` and `colorways`."
            " `next` is the path of the next page, filters included; it is null on the last one."
        ),
        scope="read",
        problems=("validation",),
        parameters=[
            in_query(
                "limit",
                "How many jobs make a page",
                {"type": "integer", "minimum": 1, "maximum": 100, "default": 20},
                example=20,
            ),
            in_query(
                "cursor",
                "Where the page before ended; take it from `next`",
                {"type": "string", "format": "uuid"},
                example=examples.JOB_ID,
            ),
            in_query(
                "status",
                "Only jobs of this status",
                {"$ref": SCHEMA.format(model="JobStatus")},
                example="completed",
            ),
            in_query(
                "created_after",
                "Only jobs that came later than this; RFC 3339, such as `2026-11-01T00:00:00Z`",
                TIME,
                example="2026-11-01T00:00:00Z",
            ),
            in_query(
                "created_before",
                "Only jobs that came earlier than this; RFC 3339, such as `2026-12-01T00:00:00Z`",
                TIME,
                example="2026-12-01T00:00:00Z",
            ),
        ],
    )


def _show_job() -> Schema:
    shown = header("ETag", always=True) | header("Retry-After") | header("Preference-Applied")
    return call(
        "show_job",
        "Look how far a job is",
        {
            200: says(
                "The job",
                JobBody,
                examples={
                    "Under way": examples.PROCESSING_JOB,
                    "Completed": examples.COMPLETED_JOB,
                    "One palette failed": examples.PARTIAL_JOB,
                },
                headers=shown,
                links=_OF_THIS_JOB,
            ),
            304: answer("It is still at the version of `If-None-Match`", headers=shown),
        },
        description=(
            "Poll this until `done`, as often as `Retry-After` says, and send the last `ETag` as"
            " `If-None-Match`: an unchanged job is a 304 without a body, and next to free.\n\n"
            "Or let us wait for you: with `Prefer: wait=20` and `If-None-Match` the answer comes"
            " with the next change; with `Prefer: wait=20` alone, with the end of the job."
        ),
        scope="read",
        problems=("not-found", "validation"),
        parameters=[
            JOB,
            _PREFER,
            in_header(
                "If-None-Match",
                'The `ETag` that you saw last, such as `W/"17"`',
                {"type": "string"},
                example='W/"17"',
            ),
        ],
    )


def _delete_job() -> Schema:
    return call(
        "delete_job",
        "Delete a job that is done",
        {204: answer("It is gone")},
        description=(
            "Those of its pictures that no other job shares are deleted with it. The source stays,"
            " for other jobs; delete it by itself."
        ),
        scope="submit",
        problems=("not-found", "not-done", "request-timeout", "too-large", "validation"),
        parameters=[JOB],
    )


def _cancel_job() -> Schema:
    return call(
        "cancel_job",
        "Cancel what has not ended",
        {
            200: says(
                "The job, which is done now",
                JobBody,
                examples={"One palette was ready": examples.CANCELLED_JOB},
                headers=header("ETag", always=True),
                links=_OF_THIS_JOB,
            )
        },
        description=(
            "It is over at once, for colorways that are being rendered, too; what is completed"
            " stays. To cancel a job that is done already is no error, and changes nothing."
        ),
        scope="submit",
        problems=("not-found", "request-timeout", "too-large", "validation"),
        parameters=[JOB],
    )


def _retry_job() -> Schema:
    return call(
        "retry_job",
        "Render again what failed or was cancelled",
        {202: _accepted("The job, reopened", {"One more try": examples.RETRIED_JOB})},
        description=(
            "All of it, or only the colorways with these keys. Nothing that is completed is"
            " rendered again."
        ),
        scope="submit",
        problems=(
            *("not-found", "nothing-to-retry", "expired", "request-timeout", "too-large"),
            *("validation", "quota-exceeded"),
        ),
        parameters=[JOB],
        body={
            "application/json": takes(
                RetryIn, {"All": {}, "One colorway": {"keys": [examples.OTHER_KEY]}}
            )
        },
        needs_body=False,
    )


def _accepted(
    description: str, shown: dict[str, examples.Example], *, is_submission: bool = False
) -> Schema:
    headers = header("Location", always=True, example=f"/v1/jobs/{examples.JOB_ID}")
    headers |= header("ETag", always=True) | header("Retry-After", always=True)
    if is_submission:
        headers |= header("Idempotency-Replayed") | header("Preference-Applied")
    return says(description, JobBody, examples=shown, headers=headers, links=_OF_THIS_JOB)
