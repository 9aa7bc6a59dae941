"""/v1/jobs: submit, look, cancel, retry, fetch pictures."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import PurePosixPath
from urllib.parse import urlencode
from uuid import UUID

import structlog
from flask import Blueprint, Response, redirect, request
from werkzeug.wrappers import Response as AnyResponse

from colorway.errors import Conflict, Flaw, Malformed, NotFound, WrongMediaType
from colorway.image_keys import thumbnail_key
from colorway.image_store import ImageStore
from colorway.ledger import progress
from colorway.ledger.commands import cancel_job, retry_job
from colorway.ledger.repairs import doubt
from colorway.lifecycle import Status
from colorway.palette import is_key
from dispatcher.api.authentication import caller_of
from dispatcher.api.bodies import (
    COLORWAYS_SHOWN,
    colorway_body,
    colorway_page_body,
    job_body,
)
from dispatcher.api.calls import (
    is_number,
    json_answer,
    limit_flaw,
    read_document,
    refuse_a_body,
    refuse_unknown_parameters,
)
from dispatcher.api.job_requests import (
    IDEMPOTENCY_KEY_PATTERN,
    parse_job_request,
    parse_retry_request,
)
from dispatcher.api.uploads import Uploads, is_multipart
from dispatcher.intake import Intake

log = structlog.get_logger()

MAX_PAGE = 500
_IDEMPOTENCY_KEY = re.compile(IDEMPOTENCY_KEY_PATTERN)


def utc_now() -> datetime:
    """Return the time."""
    return datetime.now(UTC)


def job_routes(
    intake: Intake,
    store: ImageStore,
    uploads: Uploads,
    *,
    max_palettes: int,
    links_work_for: timedelta,
    clock: Callable[[], datetime] = utc_now,
) -> Blueprint:
    """Return the routes of jobs and their colorways."""
    routes = Blueprint("jobs", __name__, url_prefix="/v1/jobs")
    ledger = intake.ledger

    @routes.post("")
    def submit() -> Response:
        account = caller_of(ledger, request, "submit").account
        refuse_unknown_parameters()
        key = _idempotency_key()
        if is_multipart(request):
            with uploads.picture_and_job(request) as (picture, document):
                wanted = parse_job_request(document, with_upload=True, max_palettes=max_palettes)
                accepted = intake.accept_job(account, wanted, picture, key=key, now=clock())
        elif request.mimetype == "application/json":
            wanted = parse_job_request(
                read_document(), with_upload=False, max_palettes=max_palettes
            )
            accepted = intake.accept_job(account, wanted, key=key, now=clock())
        else:
            raise WrongMediaType("send application/json, or multipart/form-data with a picture")
        answer = _accepted_answer(account, accepted.job)
        if accepted.is_replay:
            answer.headers["Idempotency-Replayed"] = "true"
        return answer

    @routes.get("/<uuid:job>")
    def show(job: UUID) -> AnyResponse:
        account = caller_of(ledger, request, "read").account
        if request.if_none_match:
            with ledger.reading() as session:
                found = progress.find_job(session, account, job)
            if request.if_none_match.contains_weak(str(found.version)):
                unchanged = Response(status=304)
                unchanged.set_etag(str(found.version), weak=True)
                return unchanged
        return _job_answer(account, job)

    @routes.post("/<uuid:job>/cancel")
    def cancel(job: UUID) -> Response:
        account = caller_of(ledger, request, "submit").account
        refuse_unknown_parameters()
        refuse_a_body()
        with ledger.transaction() as session:
            end = cancel_job(session, account, job, now=clock())
        if end is not None:
            log.info(
                "job_finished",
                job=str(end.job),
                status=end.progress.status,
                overall_seconds=end.overall.total_seconds(),
            )
        return _job_answer(account, job)

    @routes.post("/<uuid:job>/retry")
    def retry(job: UUID) -> Response:
        account = caller_of(ledger, request, "submit").account
        refuse_unknown_parameters()
        keys = _keys_to_retry()
        with ledger.transaction() as session:
            count = retry_job(session, account, job, keys, now=clock())
        if count == 0:
            raise Conflict("nothing of this has failed or was cancelled", code="nothing-to-retry")
        log.info("job_retried", job=job, colorways=count)
        intake.tell_queue(job)
        return _accepted_answer(account, job)

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
        with ledger.reading() as session:
            row = progress.find_colorway(session, account, job, _key(key))
        return json_answer(colorway_body(job, row))

    @routes.get("/<uuid:job>/colorways/<key>/image")
    def image(job: UUID, key: str) -> AnyResponse:
        account = caller_of(ledger, request, "read").account
        wants_thumbnail = _thumbnail_wanted()
        with ledger.reading() as session:
            row = progress.find_colorway(session, account, job, _key(key))
        if row.status != Status.COMPLETED:
            raise Conflict(f"colorway {key!r} is {row.status}", code="not-ready")
        stored = thumbnail_key(row.rendition_key) if wants_thumbnail else row.rendition_key
        _require_picture(stored, row.rendition_id)
        name = f"{key}{PurePosixPath(stored).suffix}"
        link = store.signed_url(stored, expires_in=links_work_for, download_name=name)
        return redirect(link, code=307)

    def _require_picture(stored: str, rendition: UUID) -> None:
        """Raise Conflict where a link would lead to nothing; the reconciler sees to it next."""
        try:
            store.stat(stored)
        except NotFound as error:
            with ledger.transaction() as session:
                doubt(session, rendition)
            log.error("picture missed", object=stored, rendition=rendition)
            lost = "the picture was lost, and will be rendered again"
            raise Conflict(lost, code="not-ready") from error

    def _accepted_answer(account: UUID, job: UUID) -> Response:
        answer = _job_answer(account, job)
        answer.status_code = 202
        answer.headers["Location"] = f"/v1/jobs/{job}"
        answer.headers["Retry-After"] = "2"
        return answer

    def _job_answer(account: UUID, job: UUID) -> Response:
        now = clock()
        with ledger.reading() as session:
            view = progress.job_view(session, account, job, most=COLORWAYS_SHOWN)
        answer = json_answer(job_body(view, now=now))
        answer.set_etag(str(view.job.version), weak=True)
        if not view.progress.is_done:
            answer.headers["Retry-After"] = _poll_again_in(now - view.job.created_at)
        return answer

    return routes


def _poll_again_in(age: timedelta) -> str:
    if age < timedelta(minutes=1):
        return "2"
    return "5" if age < timedelta(minutes=10) else "10"


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


def _idempotency_key() -> str | None:
    key = request.headers.get("Idempotency-Key")
    if key is not None and not _IDEMPOTENCY_KEY.fullmatch(key):
        raise Malformed("an Idempotency-Key has 1 to 255 characters of printable ASCII")
    return key


def _keys_to_retry() -> list[str] | None:
    document = read_document()
    if not document.strip():
        return None
    if request.mimetype != "application/json":
        raise WrongMediaType("send application/json, or no body to retry all")
    return parse_retry_request(document)


def _key(text: str) -> str:
    """Return the key, or raise NotFound for what cannot be one, and some databases cannot take."""
    if not is_key(text):
        raise NotFound("there is no such colorway")
    return text
