"""One JSON object a line, in the fields that Cloud Logging reads.

https://cloud.google.com/logging/docs/structured-logging
A line is a constant sentence plus facts; `structlog.contextvars` binds facts for a whole block.
"""

from __future__ import annotations

import logging
import sys
from typing import TextIO

import structlog
from structlog.typing import EventDict, WrappedLogger

_TRACEBACKS = structlog.processors.ExceptionRenderer(
    structlog.tracebacks.ExceptionDictTransformer(show_locals=False)  # they hold keys and tokens
)


def configure_logging(service: str, level: str, *, to: TextIO | None = None) -> None:
    """Send every line of this process to standard output, or elsewhere, as JSON."""

    def name_service(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
        event["service"] = service
        return event

    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            name_service,
            _severity,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
            _TRACEBACKS,
            structlog.processors.EventRenamer("message"),
            structlog.processors.JSONRenderer(default=str),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level.upper())),
        logger_factory=structlog.WriteLoggerFactory(to or sys.stdout),
        cache_logger_on_first_use=True,
    )


def _severity(_: WrappedLogger, method: str, event: EventDict) -> EventDict:
    event["severity"] = "ERROR" if method == "exception" else method.upper()
    return event
