"""/v1/jobs/…/colorways: what became of each palette, and its picture."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import PurePosixPath
from urllib.parse import urlencode
from uuid import UUID

import structlog
from flask import Blueprint, Response, request

from colorway.errors import Conflict, Flaw, Gone, NotFound
from colorway.image_keys import thumbnail_key
from colorway.image_store import ImageStore
from colorway.ledger import progress
from colorway.ledger.connection import Ledger
from colorway.ledger.repairs import doubt
from colorway.lifecycle import Status
from colorway.palette import is_key
from dispatcher.api.authentication import caller_of
from dispatcher.api.bodies import colorway_body, colorway_page_body
from dispatcher.api.calls import (
    is_number,
    json_answer,
    limit_flaw,
    refuse_unknown_parameters,
    utc_now,
)

log = structlog.get_logger()

MAX_PAGE = 500


def colorway_routes(
    ledger: Ledger,
    store: ImageStore,
    *,
    links_work_for: timedelta,
    clock: Callable[[], datetime] = utc_now,
) -> Blueprint:
    """Return the routes of a job's colorways."""
    routes = Blueprint("colorways", __name__, url_prefix="/v1/jobs")

    @routes.get("/<uuid:job>/colorways")
    def colorways(job: UUID) -> Response:
        account = caller_of(ledger, request, "read").account
        wanted = _page_wanted()
        with ledger.reading() as session:
            progress.find_job(session, account, job)
            rows = progress.colorway_page(
                session, job, after=wanted.after, most=wanted.most + 1, status=wanted.status
            )
        shown, is_last = rows[: wanted.most], len(rows) <= wanted.most
        following = None if is_last else _page_url(job, wanted, after=shown[-1].position)
        return json_answer(colorway_page_body(job, shown, following=following))

    @routes.get("/<uuid:job>/colorways/<key>")
    def colorway(job: UUID, key: str) -> Response:
        account = caller_of(ledger, request, "read").account
        refuse_unknown_parameters()
        with ledger.reading() as session:
            row = progress.find_colorway(session, account, job, _key(key))
        return json_answer(colorway_body(job, row))

    @routes.get("/<uuid:job>/colorways/<key>/image")
    def image(job: UUID, key: str) -> Response:
        account = caller_of(ledger, request, "read").account
        wants_thumbnail = _thumbnail_wanted()
        with ledger.reading() as session:
            row = progress.find_colorway(session, account, job, _key(key))
        if row.status != Status.COMPLETED:
            later = None if row.status.is_final else 2
            raise Conflict(f"colorway {key!r} is {row.status}", code="not-ready", retry_after=later)
        if row.expires_at <= clock():
            raise Gone(f"the job has expired, and its pictures with it: {row.expires_at:%F %T} UTC")
        stored = thumbnail_key(row.rendition_key) if wants_thumbnail else row.rendition_key
        name = f"{key}{PurePosixPath(stored).suffix}"
        link = _link(stored, row.rendition_id, name)
        return Response(status=307, headers={"Location": link})  # redirect() would add a page

    def _link(stored: str, rendition: UUID, name: str) -> str:
        """Return a link, or raise Conflict where it leads to nothing: the reconciler is next."""
        try:
            store.stat(stored)
            return store.signed_url(stored, expires_in=links_work_for, download_name=name)
        except NotFound as error:
            with ledger.transaction() as session:
                doubt(session, rendition)
            log.error("picture missed", object=stored, rendition=rendition)
            lost = "the picture was lost, and will be rendered again"
            raise Conflict(lost, code="not-ready", retry_after=2) from error

    return routes


@dataclass(frozen=True, slots=True)
class _Page:
    after: int
    most: int
    status: str | None


def _page_wanted() -> _Page:
    """Return what the query asks of the list of colorways, or raise InvalidRequest."""
    limit, cursor = request.args.get("limit", "100"), request.args.get("cursor", "-1")
    status = request.args.get("status")
    flaws = limit_flaw(limit, most=MAX_PAGE)
    if cursor != "-1" and not is_number(cursor):
        flaws.append(Flaw("cursor", "cursor", "take the cursor from the page before"))
    if status is not None and status not in set(Status):
        flaws.append(Flaw("status", "enum", f"status is one of {', '.join(Status)}"))
    refuse_unknown_parameters("limit", "cursor", "status", flaws=flaws)
    return _Page(int(cursor), int(limit), status)


def _page_url(job: UUID, page: _Page, *, after: int) -> str:
    query: dict[str, str | int] = {"limit": page.most, "cursor": after}
    if page.status is not None:
        query["status"] = page.status
    return f"/v1/jobs/{job}/colorways?{urlencode(query)}"


def _thumbnail_wanted() -> bool:
    flaws = []
    if request.args.get("thumbnail", "1") != "1":
        flaws.append(Flaw("thumbnail", "enum", "thumbnail is 1, or left out"))
    refuse_unknown_parameters("thumbnail", flaws=flaws)
    return "thumbnail" in request.args


def _key(text: str) -> str:
    """Return the key, or raise NotFound for what cannot be one, and some databases cannot take."""
    if not is_key(text):
        raise NotFound("there is no such colorway")
    return text
