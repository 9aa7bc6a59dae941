"""The calls of colorways and their pictures."""

from __future__ import annotations

from dispatcher.api.archive import SLOWEST
from dispatcher.api.bodies import ColorwayBody, ColorwayPage
from dispatcher.api.openapi.calls import (
    BYTES,
    SCHEMA,
    Schema,
    call,
    header,
    in_path,
    in_query,
    says,
)

_JOB, _KEY = in_path("job", uuid=True), in_path("key")
_ARCHIVE: Schema = {
    "description": "The archive, made while it is sent; `manifest.json` is its last file."
    f" Whoever takes less than {SLOWEST // 1000} kB a second for long is cut off",
    "headers": {
        "Content-Disposition": header("`attachment`, under the job's id") | {"required": True},
        "Content-Length": header("Its length; less means that it broke off") | {"required": True},
    },
    "content": {"application/zip": {"schema": BYTES}},
}


def colorway_paths() -> Schema:
    """Return what is said of each path."""
    return {
        "/v1/jobs/{job}/colorways": {
            "get": call(
                "list_colorways",
                "A job's colorways, in the order of submission",
                {200: says("A page of colorways", ColorwayPage)},
                problems=(404, 422),
                parameters=[
                    _JOB,
                    in_query("limit", {"type": "integer", "minimum": 1, "maximum": 500}),
                    in_query("cursor", {"type": "string"}),
                    in_query("status", {"$ref": SCHEMA.format(model="Status")}),
                ],
            )
        },
        "/v1/jobs/{job}/colorways/{key}": {
            "get": call(
                "show_colorway",
                "One colorway",
                {200: says("The colorway", ColorwayBody)},
                parameters=[_JOB, _KEY],
            )
        },
        "/v1/jobs/{job}/colorways/{key}/image": {
            "get": call(
                "fetch_image",
                "A finished picture, by redirect to a link that expires",
                {307: {"description": "Follow `Location`"}},
                problems=(404, 409, 410, 422),
                parameters=[_JOB, _KEY, in_query("thumbnail", {"type": "string", "enum": ["1"]})],
            )
        },
        "/v1/jobs/{job}/archive": {
            "get": call(
                "fetch_archive",
                "All finished pictures in one zip archive, with a manifest.json",
                {200: _ARCHIVE},
                problems=(404, 409, 410, 422, 503),
                parameters=[_JOB],
            )
        },
    }
