"""Requests and answers as they look: one photograph in two palettes, from upload to picture.

A test holds each of them to its schema.
"""

from __future__ import annotations

from typing import Any

Example = dict[str, Any]

JOB_ID = "01a21914-9a5d-77b2-9ee9-f45325b11823"
IMAGE_ID = "01a21914-9a58-7312-8bc2-b59a434659b1"
KEY, OTHER_KEY = "nord", "spring"
PICTURE = "(the bytes of coffee.jpg)"
"""Stands for a file, which cannot be written in JSON."""
ARCHIVE = f"(the bytes of {JOB_ID}.zip)"

_JOB = f"/v1/jobs/{JOB_ID}"
_STORED = "01a21914-7f9c-71ba-824e-bd8a1789b395/colorways"
PICTURE_LINK = (
    f"/files/{_STORED}/b0e4a0b5/01a21914-9a5e-1.png?name=nord.png&expires=1795718013&signature=a9"
)

_NORD = {"name": "Nord", "colors": ["#2e3440", "#5e81ac", "#88c0d0", "#eceff4"]}
_SPRING = {"name": "Spring", "colors": ["#cdb4db", "#ffc8dd", "#a2d2ff"]}
_RENDER = {"strength": 1.0, "preserve_luminance": True}
_OUTPUT = {
    "format": "png",
    "quality": 90,
    "lossless": True,
    "max_edge": None,
    "thumbnail_edge": 320,
}

JOB_PART: Example = {"palettes": [_NORD, _SPRING], "metadata": {"campaign": "spring"}}
SUBMISSION: Example = {"image": {"id": IMAGE_ID}} | JOB_PART
FROM_THE_WEB: Example = {"image": {"url": "https://cdn.example/base.png"}, "palettes": [_NORD]}
EVERY_OPTION: Example = {
    "image": {"id": IMAGE_ID},
    "palettes": [{"key": "nord-2"} | _NORD, {"key": "spring"} | _SPRING],
    "render": {"strength": 0.8, "preserve_luminance": True},
    "output": {
        "format": "webp",
        "quality": 82,
        "lossless": False,
        "max_edge": 1024,
        "thumbnail_edge": 256,
    },
    "priority": "high",
    "on_error": "stop",
    "reuse": "force",
    "metadata": {"campaign": "spring", "sku": "MUG-0042"},
}

JOB_IMAGE: Example = {
    "id": IMAGE_ID,
    "sha256": "b827060666b66039089ba89afb6b817ff9614d01fe27ef6c316643260a8d525c",
    "width": 1920,
    "height": 1280,
    "format": "jpeg",
    "frames": 1,
    "bytes": 255977,
}
IMAGE: Example = JOB_IMAGE | {
    "duplicates": {
        "exact": ["01a20b2e-52c1-7d09-8a74-4c5e1f0b7a33"],
        "near": [{"id": "01a1f7c4-0e6b-71f8-b1d2-96a3c2f45e10", "distance": 4}],
    }
}
NEW_IMAGE: Example = IMAGE | {"frames": None, "duplicates": {"exact": [], "near": None}}
ANNOUNCEMENT: Example = {
    "filename": "coffee.jpg",
    "bytes": JOB_IMAGE["bytes"],
    "sha256": JOB_IMAGE["sha256"],
    "content_type": "image/jpeg",
}
SLOT: Example = {
    "id": IMAGE_ID,
    "object": "upload_slot",
    "upload": {
        "method": "PUT",
        "url": f"https://colorway.example/files/slots/{IMAGE_ID}?bytes=255977&signature=5d",
        "headers": {"Content-Type": "image/jpeg"},
        "expires_at": "2026-11-26T18:33:30.358848Z",
    },
}


def _colorway(index: int, palette: Example, **more: Any) -> Example:
    key = palette["name"].lower()
    picture = f"{_JOB}/colorways/{key}/image"
    return {
        "key": key,
        **palette,
        "index": index,
        "status": "pending",
        "cached": False,
        "attempts": 0,
        "image_url": picture,
        "thumbnail_url": f"{picture}?thumbnail=1",
        "result": None,
        "timings_ms": None,
        "error": None,
    } | more


_RESULT: Example = {
    "sha256": "b298916863b33b1e4c5813aa748345653bb5a1512d7757dd85de39835377b2d9",
    "bytes": 2434454,
    "width": 1920,
    "height": 1280,
    "format": "png",
    "path": f"{_STORED}/b0e4a0b5/01a21914-9a5e-1.png",
}
_OTHER_RESULT: Example = _RESULT | {
    "sha256": "19ebb750bc2726ba69fa8fa08c42bc61093f302bed5d7911d60e17180c6a5329",
    "bytes": 2040401,
    "path": f"{_STORED}/3db918fb/01a21914-9a5f-1.png",
}
_COMPLETED: Example = {
    "status": "completed",
    "attempts": 1,
    "result": _RESULT,
    "timings_ms": {"queued": 70, "fetch": 232, "render": 108, "encode": 77, "upload": 24},
}
_FAILED: Example = {
    "status": "failed",
    "attempts": 5,
    "error": {
        "code": "timed-out",
        "detail": "it did not end in time, and was given up",
        "phase": None,
        "attempt": 5,
    },
}

COMPLETED_COLORWAY: Example = _colorway(0, _NORD, **_COMPLETED)
WAITING_COLORWAY: Example = _colorway(
    1,
    _SPRING,
    attempts=1,
    error={
        "code": "store-unavailable",
        "detail": "the store does not answer",
        "phase": None,
        "attempt": 1,
    },
)
FAILED_COLORWAY: Example = _colorway(1, _SPRING, **_FAILED)
_CANCELLED_COLORWAY: Example = _colorway(1, _SPRING, status="cancelled")
COLORWAY_PAGE: Example = {
    "object": "list",
    "data": [COMPLETED_COLORWAY, WAITING_COLORWAY],
    "next": f"{_JOB}/colorways?limit=2&cursor=1",
}


def _job(version: int, status: str, *colorways: Example, **more: Any) -> Example:
    states = [colorway["status"] for colorway in colorways]
    ended = sum(state in {"completed", "failed", "cancelled"} for state in states)
    results = [colorway["result"] for colorway in colorways if colorway["result"]]
    attempts = sum(colorway["attempts"] for colorway in colorways)
    return {
        "id": JOB_ID,
        "object": "job",
        "version": version,
        "status": status,
        "done": ended == len(states),
        "progress_percent": 100 * ended // len(states),
        "eta_seconds": None,
        "counts": {
            "total": len(states),
            **{state: states.count(state) for state in ("pending", "processing", "completed")},
            **{state: states.count(state) for state in ("failed", "cancelled")},
        },
        "stats": {
            "cached": 0,
            "attempts": attempts,
            "retries": max(0, attempts - len(states)),
            "render_seconds": 0.185 * len(results),
            "upload_seconds": 0.024 * len(results),
            "bytes": sum(result["bytes"] for result in results),
        },
        "image": JOB_IMAGE,
        "render": _RENDER | {"engine_version": "2"},
        "output": _OUTPUT,
        "priority": "normal",
        "on_error": "continue",
        "reuse": "cache",
        "metadata": {"campaign": "spring"},
        "created_at": "2026-11-26T18:18:30.358848Z",
        "started_at": "2026-11-26T18:18:30.418611Z",
        "finished_at": None,
        "expires_at": "2026-12-26T18:18:30.358848Z",
        "colorways": list(colorways),
        "colorways_next": None,
        "links": {
            "self": _JOB,
            "colorways": f"{_JOB}/colorways",
            "archive": f"{_JOB}/archive",
        },
    } | more


_FINISHED_AT = "2026-11-26T18:18:30.897297Z"

ACCEPTED_JOB: Example = _job(
    1,
    "pending",
    _colorway(0, _NORD),
    _colorway(1, _SPRING),
    image=JOB_IMAGE | {"frames": None},
    started_at=None,
)
PROCESSING_JOB: Example = _job(
    4,
    "processing",
    COMPLETED_COLORWAY,
    _colorway(1, _SPRING, status="processing", attempts=1),
    eta_seconds=1,
)
COMPLETED_JOB: Example = _job(
    5,
    "completed",
    COMPLETED_COLORWAY,
    _colorway(1, _SPRING, **_COMPLETED | {"result": _OTHER_RESULT}),
    finished_at=_FINISHED_AT,
)
PARTIAL_JOB: Example = _job(
    13, "partial", COMPLETED_COLORWAY, FAILED_COLORWAY, finished_at=_FINISHED_AT
)
CANCELLED_JOB: Example = _job(
    5, "cancelled", COMPLETED_COLORWAY, _CANCELLED_COLORWAY, finished_at=_FINISHED_AT
)
RETRIED_JOB: Example = _job(14, "processing", COMPLETED_COLORWAY, _colorway(1, _SPRING))

_NOT_IN_THE_LIST = {"stats", "colorways", "colorways_next"}
JOB_PAGE: Example = {
    "object": "list",
    "data": [{name: COMPLETED_JOB[name] for name in COMPLETED_JOB if name not in _NOT_IN_THE_LIST}],
    "next": f"/v1/jobs?limit=1&cursor={JOB_ID}",
}

ESTIMATE: Example = {
    "object": "estimate",
    "counts": {"total": 2, "cached": 1, "to_render": 1},
    "seconds": 0.6,
    "seconds_from_jobs": 12,
    "bytes": 4474855,
    "bytes_from_jobs": 12,
    "image": JOB_IMAGE,
    "render": COMPLETED_JOB["render"],
    "output": _OUTPUT,
    "priority": "normal",
    "on_error": "continue",
    "reuse": "cache",
    "metadata": {"campaign": "spring"},
    "colorways": [
        {"key": "nord", **_NORD, "index": 0, "cached": True},
        {"key": "spring", **_SPRING, "index": 1, "cached": False},
    ],
}

QUEUE_STATS: Example = {
    "object": "queue_stats",
    "at": "2026-11-26T18:18:33.120514Z",
    "depth": {"high": 0, "normal": 112, "low": 40},
    "processing": 6,
    "stalled": 0,
    "oldest_pending_seconds": 3.4,
    "completed_per_minute": 410.2,
    "failed_last_hour": 1,
    "undelivered": 0,
    "drift": 0,
    "reconciled_at": "2026-11-26T18:18:30.004811Z",
}

METRICS = """\
# HELP tasks_delivered_total tasks handed to the queue
# TYPE tasks_delivered_total counter
tasks_delivered_total 14.0
# HELP ledger_drift jobs whose counters the reconciler found wrong at its last call; must be 0
# TYPE ledger_drift gauge
ledger_drift 0.0
"""
