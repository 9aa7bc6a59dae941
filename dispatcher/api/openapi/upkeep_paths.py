"""The calls that tell how the service does."""

from __future__ import annotations

from dispatcher.api.openapi.calls import Schema, open_call


def upkeep_paths() -> Schema:
    """Return what is said of each path."""
    return {
        "/health": {"get": open_call("health", "Whether the process answers")},
        "/ready": {"get": open_call("ready", "Whether it can do its work", problems=(503,))},
        "/openapi.json": {"get": open_call("openapi", "This document")},
    }
