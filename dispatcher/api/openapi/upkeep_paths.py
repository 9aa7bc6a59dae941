"""The calls that tell how the service does."""

from __future__ import annotations

from dispatcher.api.openapi.calls import Schema, call, open_call, says
from dispatcher.api.queue import QueueStatsBody


def upkeep_paths() -> Schema:
    """Return what is said of each path."""
    return {
        "/v1/queue/stats": {
            "get": call(
                "queue_stats",
                "What waits, since when, how fast it goes and what is stuck; for admins",
                {200: says("How the queue does", QueueStatsBody)},
                problems=(422, 503),
            )
        },
        "/health": {"get": open_call("health", "Whether the process answers")},
        "/ready": {"get": open_call("ready", "Whether it can do its work", problems=(503,))},
        "/openapi.json": {"get": open_call("openapi", "This document")},
    }
