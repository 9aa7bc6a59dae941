"""The headers of answers, each described once; those of nearly every answer by reference."""

from __future__ import annotations

from typing import Any

Schema = dict[str, Any]

_TEXT: Schema = {"type": "string"}
_SECONDS: Schema = {"type": "integer", "minimum": 1}

# what it says · what it looks like · an example
_KNOWN: dict[str, tuple[str, Schema, Any]] = {
    "X-Request-Id": (
        "Names this request in the service's log",
        {"type": "string", "pattern": "^[A-Za-z0-9_.-]{1,64}$"},
        "01a21914-a7f1-7286-81af-ba358c1b0cad",
    ),
    "ETag": (
        "The job's `version`; send it as `If-None-Match`",
        {"type": "string", "pattern": '^W/"[0-9]+"$'},
        'W/"17"',
    ),
    "Location": ("The path of what was made, or where to go", _TEXT, None),
    "Retry-After": ("Ask again after so many seconds", _SECONDS, 2),
    "Preference-Applied": (
        "The wait that was applied, whether or not all of it was needed; missing where the answer"
        " came without waiting, because too many others wait",
        {"type": "string", "pattern": "^wait=[0-9]+$"},
        "wait=20",
    ),
    "Idempotency-Replayed": (
        "`true` where an earlier request under the same key made this job",
        {"type": "string", "enum": ["true"]},
        "true",
    ),
    "Content-Disposition": (
        "`attachment`, with a name for the file",
        _TEXT,
        'attachment; filename="01a21914-9a5d-77b2-9ee9-f45325b11823.zip"',
    ),
    "Content-Length": (
        "Bytes of the body; whoever gets less was cut off",
        {"type": "integer", "minimum": 0},
        4476201,
    ),
    "RateLimit-Policy": (
        "How often this API key may call this process: `q` times in `w` seconds; missing where"
        " there is no limit",
        _TEXT,
        '"default";q=6000;w=60',
    ),
    "RateLimit": (
        "What is left of that: `r` calls, until `t` seconds from now",
        _TEXT,
        '"default";r=5999;t=59',
    ),
    "WWW-Authenticate": ("How to authenticate", {"type": "string", "enum": ["Bearer"]}, "Bearer"),
}


def header(name: str, *, always: bool = False, example: str | None = None) -> Schema:
    """Return this header by its name; `always` where no such answer comes without it."""
    description, schema, usual = _KNOWN[name]
    shown = example or usual
    said = {"description": description, "schema": schema, "required": always}
    return {name: said if shown is None else said | {"example": shown}}


OFTEN: Schema = (
    header("X-Request-Id", always=True) | header("RateLimit-Policy") | header("RateLimit")
)
"""What the document's components have."""


def refer(*names: str) -> Schema:
    """Return references to these headers."""
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}
