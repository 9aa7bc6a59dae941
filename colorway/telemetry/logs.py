"""One JSON object a line, in the fields that Cloud Logging reads.

https://cloud.google.com/logging/docs/structured-logging#special-payload-fields
A line is a constant sentence plus facts; `structlog.contextvars` binds facts for a whole block.
What libraries warn of by `logging` comes out likewise.
"""

from __future__ import annotations

import logging
import sys
from typing import TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from colorway.telemetry.traces import current_place

_TRACEBACKS = structlog.processors.ExceptionRenderer(
    structlog.tracebacks.ExceptionDictTransformer(show_locals=False)  # they hold keys and tokens
)


def configure_logging(
    service: str, level: str, *, project: str | None = None, to: TextIO | None = None
) -> None:
    """Send every line of this process to standard output, or elsewhere, as JSON.

    With the `project`, lines name their trace such that Google's consoles link the two.
    """
    stream = to or sys.stdout
    shaping: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        _labelled(service),
        _placed(project),
        _severity,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
        _TRACEBACKS,
        structlog.processors.EventRenamer("message"),
    ]
    render = structlog.processors.JSONRenderer(default=str)
    structlog.configure(
        processors=[*shaping, render],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level.upper())),
        logger_factory=structlog.WriteLoggerFactory(stream),
        cache_logger_on_first_use=True,
    )
    theirs = logging.StreamHandler(stream)
    theirs.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *shaping,
                render,
            ],
        )
    )
    logging.basicConfig(handlers=[theirs], level=logging.WARNING, force=True)


def _labelled(service: str) -> Processor:
    def label(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
        event["logging.googleapis.com/labels"] = {"service": service}
        return event

    return label


def _placed(project: str | None) -> Processor:
    within = f"projects/{project}/traces/" if project else ""

    def place(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
        here = current_place()
        if here is not None:
            event["logging.googleapis.com/trace"] = within + here.trace_id
            event["logging.googleapis.com/spanId"] = here.span_id
            event["logging.googleapis.com/trace_sampled"] = here.is_sampled
        return event

    return place


def _severity(_: WrappedLogger, method: str, event: EventDict) -> EventDict:
    event["severity"] = "ERROR" if method == "exception" else method.upper()
    return event
