"""The calls that tell how the service does."""

from __future__ import annotations

from colorway.telemetry.metrics import Metrics
from dispatcher.api.bodies import HealthBody, ReadyBody
from dispatcher.api.openapi import examples
from dispatcher.api.openapi.calls import answer, call, open_call, says
from dispatcher.api.openapi.headers import Schema
from dispatcher.api.queue import QueueStatsBody


def upkeep_paths() -> Schema:
    """Return what is said of each path."""
    return {
        "/v1/queue/stats": {"get": _queue_stats()},
        "/health": {"get": _health()},
        "/ready": {"get": _ready()},
        "/metrics": {"get": _metrics()},
        "/openapi.json": {"get": _openapi()},
    }


def _queue_stats() -> Schema:
    return call(
        "queue_stats",
        "How the queue does",
        {
            200: says(
                "All accounts together", QueueStatsBody, examples={"Busy": examples.QUEUE_STATS}
            )
        },
        description="What waits, since when, how fast it goes, and what is stuck.",
        scope="admin",
        problems=("validation",),
    )


def _health() -> Schema:
    return open_call(
        "health",
        "Whether the process answers",
        {200: says("It does", HealthBody, examples={"Alive": {"status": "ok"}})},
        description="Asks nobody else. Where this fails, restart the process.",
    )


def _ready() -> Schema:
    return open_call(
        "ready",
        "Whether it can do its work",
        {200: says("It can", ReadyBody, examples={"Ready": {"status": "ready"}})},
        description=(
            "Asks the database. The queue may be away: jobs are accepted all the same. Where this"
            " fails, send requests elsewhere for a while."
        ),
        problems=("unavailable",),
    )


def _metrics() -> Schema:
    text = {"schema": {"type": "string"}, "examples": {"Two metrics": {"value": examples.METRICS}}}
    return call(
        "metrics",
        "Metrics for Prometheus",
        {200: answer("Every metric of this process", {_TEXT: text})},
        description="Requests, deliveries and repairs. `ledger_drift` must always be 0.",
        scope="admin",
        problems=(),
    )


def _openapi() -> Schema:
    content = {"application/json": {"schema": _DOCUMENT, "examples": {"It": {"value": _IN_SHORT}}}}
    return open_call(
        "openapi",
        "This document",
        {200: answer("OpenAPI 3.1", content)},
        description="For generators of clients, and for `/docs`.",
    )


_TEXT = Metrics.media_type.partition(";")[0]

_IN_SHORT: Schema = {
    "openapi": "3.1.0",
    "info": {"title": "Colorway", "version": "0.1.0"},
    "servers": [{"url": "/"}],
    "tags": [],
    "security": [],
    "paths": {},
    "components": {},
}
_LIST: Schema = {"type": "array"}
_MAP: Schema = {"type": "object"}
# what lies within is for the OpenAPI Specification to say
_DOCUMENT: Schema = {
    "type": "object",
    "properties": {
        "openapi": {"type": "string"},
        "info": _MAP,
        "servers": _LIST,
        "tags": _LIST,
        "security": _LIST,
        "paths": _MAP,
        "components": _MAP,
    },
    "required": list(_IN_SHORT),
    "additionalProperties": False,
}
