"""Where in which trace we are: read from a request's headers, passed on to a task.

W3C Trace Context, https://www.w3.org/TR/trace-context/; and Google's older header beside it,
https://cloud.google.com/trace/docs/trace-context. `tracestate` is not passed on.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Protocol

_ID = r"(?!0{32})([0-9a-f]{32})"
_TRACEPARENT = re.compile(
    rf"(?!ff)([0-9a-f]{{2}})-{_ID}-(?!0{{16}})([0-9a-f]{{16}})-([0-9a-f]{{2}})"
)
_GOOGLES = re.compile(rf"{_ID}/([0-9]{{1,20}})(?:;o=([0-9]))?")


class Headers(Protocol):
    """Headers as every framework has them."""

    def get(self, key: str, /) -> str | None:
        """Return the header of this name, in whatever case; None if there is none."""


@dataclass(frozen=True, slots=True)
class TraceContext:
    """A span within a trace, by its ids in lower-case hex."""

    trace_id: str
    span_id: str
    is_sampled: bool

    @property
    def traceparent(self) -> str:
        """The header that tells of it."""
        return f"00-{self.trace_id}-{self.span_id}-{int(self.is_sampled):02x}"

    @classmethod
    def parse(cls, traceparent: str | None) -> TraceContext | None:
        """Return the span in this header; None if there is none, or it is malformed."""
        found = _TRACEPARENT.match(traceparent or "")
        if found is None or traceparent is None:
            return None
        version, trace_id, span_id, flags = found.groups()
        more = traceparent[found.end() :]
        if more and (version == "00" or not more.startswith("-")):  # later versions may say more
            return None
        return cls(trace_id, span_id, bool(int(flags, 16) & 1))

    @classmethod
    def of_request(cls, headers: Headers) -> TraceContext | None:
        """Return the caller's span, if its request tells of one."""
        told = cls.parse(headers.get("traceparent"))
        return told or cls._of_google(headers.get("X-Cloud-Trace-Context") or "")

    @classmethod
    def _of_google(cls, header: str) -> TraceContext | None:
        found = _GOOGLES.fullmatch(header)
        if found is None or not 0 < int(found[2]) < 2**64:
            return None
        return cls(found[1], f"{int(found[2]):016x}", found[3] == "1")
