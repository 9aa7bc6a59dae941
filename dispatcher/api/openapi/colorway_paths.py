"""The calls of colorways and their pictures."""

from __future__ import annotations

from dispatcher.api.archive import SLOWEST
from dispatcher.api.bodies import ColorwayBody, ColorwayPage
from dispatcher.api.openapi import examples
from dispatcher.api.openapi.calls import (
    BYTES,
    SCHEMA,
    answer,
    call,
    in_path,
    in_query,
    says,
)
from dispatcher.api.openapi.headers import Schema, header
from dispatcher.api.openapi.job_paths import JOB

_KEY = in_path(
    "key",
    "The colorway's `key`",
    {"type": "string"},
    example=examples.KEY,
)


def colorway_paths() -> Schema:
    """Return what is said of each path."""
    return {
        "/v1/jobs/{job}/colorways": {"get": _list_colorways()},
        "/v1/jobs/{job}/colorways/{key}": {"get": _show_colorway()},
        "/v1/jobs/{job}/colorways/{key}/image": {"get": _fetch_image()},
        "/v1/jobs/{job}/archive": {"get": _fetch_archive()},
    }


def _list_colorways() -> Schema:
    return call(
        "list_colorways",
        "List a job's colorways",
        {
            200: says(
                "A page of colorways",
                ColorwayPage,
                examples={"Two of many": examples.COLORWAY_PAGE},
            )
        },
        description=(
            "In the order in which their palettes were submitted. The first 100 come with the job"
            " itself; `next` is the path of the next page, or null."
        ),
        scope="read",
        problems=("not-found", "validation"),
        parameters=[
            JOB,
            in_query(
                "limit",
                "How many colorways make a page",
                {"type": "integer", "minimum": 1, "maximum": 500, "default": 100},
                example=100,
            ),
            in_query(
                "cursor",
                "Where the page before ended; take it from `next`",
                {"type": "string", "pattern": "^[0-9]{1,6}$"},
                example="99",
            ),
            in_query(
                "status",
                "Only colorways of this status",
                {"$ref": SCHEMA.format(model="Status")},
                example="failed",
            ),
        ],
    )


def _show_colorway() -> Schema:
    return call(
        "show_colorway",
        "Look at one colorway",
        {
            200: says(
                "The colorway",
                ColorwayBody,
                examples={
                    "Completed": examples.COMPLETED_COLORWAY,
                    "Waiting for its next attempt": examples.WAITING_COLORWAY,
                    "Failed": examples.FAILED_COLORWAY,
                },
            )
        },
        description="What became of one palette, by its key within the job.",
        scope="read",
        problems=("not-found", "validation"),
        parameters=[JOB, _KEY],
    )


def _fetch_image() -> Schema:
    location = header("Location", always=True, example=examples.PICTURE_LINK)
    return call(
        "fetch_image",
        "Fetch a finished picture",
        {307: answer("Follow `Location`; no API key is needed there", headers=location)},
        description=(
            "This address stays, and leads to a fresh link that works for some minutes: keep this"
            " one, not the link. Do not send your API key there; most clients leave it out by"
            " themselves where the link leads to another host."
        ),
        scope="read",
        problems=("not-found", "not-ready", "expired", "validation"),
        parameters=[
            JOB,
            _KEY,
            in_query(
                "thumbnail",
                "`1` for the small picture",
                {"type": "string", "enum": ["1"]},
                example="1",
            ),
        ],
    )


def _fetch_archive() -> Schema:
    zipped = {"schema": BYTES, "examples": {"An archive": {"value": examples.ARCHIVE}}}
    headers = header("Content-Disposition", always=True) | header("Content-Length", always=True)
    return call(
        "fetch_archive",
        "Fetch all finished pictures in one zip archive",
        {200: answer("The archive", {"application/zip": zipped}, headers=headers)},
        description=(
            "It is made while it is sent, and `manifest.json`, its last file, tells how each"
            " picture was made and what became of the others. Whoever takes less than"
            f" {SLOWEST // 1000} kB a second for long is cut off, and sees it by `Content-Length`."
        ),
        scope="read",
        problems=("not-found", "not-ready", "expired", "validation"),
        parameters=[JOB],
    )
