"""/v1/jobs: the list of an account's jobs, the newest first."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urlencode
from uuid import UUID

from flask import Blueprint, Response, request

from colorway.errors import Flaw
from colorway.job import JobStatus
from colorway.ledger.connection import Ledger
from colorway.ledger.job_list import BEFORE_ALL, JobsWanted, job_page
from dispatcher.api.authentication import caller_of
from dispatcher.api.bodies import job_page_body
from dispatcher.api.calls import json_answer, limit_flaw, refuse_unknown_parameters

MAX_PAGE = 100
_PARAMETERS = ("limit", "cursor", "status", "created_after", "created_before")

# fromisoformat() alone takes much more than RFC 3339 does: weeks, other zones, no zone
_RFC_3339 = re.compile(
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", re.ASCII | re.IGNORECASE
)


def job_list_routes(ledger: Ledger) -> Blueprint:
    """Return the route of the list."""
    routes = Blueprint("job_list", __name__, url_prefix="/v1/jobs")

    @routes.get("")
    def jobs() -> Response:
        account = caller_of(ledger, request, "read").account
        page = _page_wanted(request.args)
        with ledger.reading() as session:
            found = job_page(
                session, account, page.wanted, older_than=page.older_than, most=page.most + 1
            )
        shown, is_last = found[: page.most], len(found) <= page.most
        following = None if is_last else _next_url(shown[-1].job.id)
        return json_answer(job_page_body(shown, following=following, now=datetime.now(UTC)))

    return routes


@dataclass(frozen=True, slots=True)
class _Page:
    older_than: UUID
    most: int
    wanted: JobsWanted


def _page_wanted(asked: Mapping[str, str]) -> _Page:
    """Return what the query asks of the list, or raise InvalidRequest."""
    limit, status = asked.get("limit", "20"), asked.get("status")
    flaws = limit_flaw(limit, most=MAX_PAGE)
    older_than = _cursor(asked.get("cursor"), flaws)
    if status is not None and status not in set(JobStatus):
        flaws.append(Flaw("status", "enum", f"status is one of {', '.join(JobStatus)}"))
    after, before = (_time(name, asked, flaws) for name in ("created_after", "created_before"))
    refuse_unknown_parameters(*_PARAMETERS, flaws=flaws)
    wanted = JobsWanted(None if status is None else JobStatus(status), after, before)
    return _Page(older_than, int(limit), wanted)


def _cursor(text: str | None, flaws: list[Flaw]) -> UUID:
    """Return the job that the page before ended with; note a flaw where this cannot be one."""
    if text is None:
        return BEFORE_ALL
    with suppress(ValueError):
        cursor = UUID(text)
        if str(cursor) == text:  # UUID() takes other spellings too
            return cursor
    flaws.append(Flaw("cursor", "cursor", "take the cursor from the page before"))
    return BEFORE_ALL


def _time(name: str, asked: Mapping[str, str], flaws: list[Flaw]) -> datetime | None:
    """Return the time of this name, if there is one; note a flaw where it is no RFC 3339."""
    text = asked.get(name)
    if text is None:
        return None
    with suppress(ValueError, OverflowError):  # there is no such day, or it is out of all years
        if _RFC_3339.fullmatch(text):
            return datetime.fromisoformat(text.upper()).astimezone(UTC)
    how = "write a time as RFC 3339 has it, like 2030-01-31T12:00:00Z (a + in it as %2B)"
    flaws.append(Flaw(name, "time", how))
    return None


def _next_url(last: UUID) -> str:
    """Return where the page behind this job is: the same question, with another cursor."""
    return f"/v1/jobs?{urlencode(request.args.to_dict() | {'cursor': str(last)})}"
