"""/v1/jobs: submit, look, cancel, retry. To submit and to look may wait for news.

A submission may be dry: then it is answered with an estimate, and nothing is made.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID

from flask import Blueprint, Response, request
from werkzeug.datastructures import ETags

from colorway.errors import Flaw, Malformed, WrongMediaType
from colorway.job import JobRequest
from colorway.ledger import progress
from colorway.ledger.commands import cancel_job
from colorway.ledger.tables import Record
from dispatcher.api.authentication import caller_of
from dispatcher.api.bodies import COLORWAYS_SHOWN, job_body
from dispatcher.api.calls import (
    json_answer,
    read_document,
    refuse_a_body,
    refuse_unknown_parameters,
    utc_now,
)
from dispatcher.api.documents import IDEMPOTENCY_KEY_PATTERN
from dispatcher.api.estimates import estimate_body
from dispatcher.api.job_requests import parse_job_request, parse_retry_request
from dispatcher.api.uploads import Uploads, is_multipart
from dispatcher.api.waiting import Waiting, wait_preferred
from dispatcher.estimates import estimate
from dispatcher.intake import Intake
from dispatcher.spool import Upload

_IDEMPOTENCY_KEY = re.compile(IDEMPOTENCY_KEY_PATTERN)


def job_routes(
    intake: Intake,
    uploads: Uploads,
    waiting: Waiting,
    *,
    max_palettes: int,
    clock: Callable[[], datetime] = utc_now,
) -> Blueprint:
    """Return the routes of single jobs."""
    routes = Blueprint("jobs", __name__, url_prefix="/v1/jobs")
    ledger = intake.ledger
    parse = partial(
        parse_job_request, max_palettes=max_palettes, check_url=intake.remote_images.check
    )

    @routes.post("")
    def submit() -> Response:
        account = caller_of(ledger, request, "submit").account
        is_dry_run = _is_dry_run()
        key = _idempotency_key()
        with _order() as (wanted, picture):
            if is_dry_run:
                with intake.received(wanted, picture) as source:
                    return json_answer(estimate_body(estimate(ledger, account, wanted, source)))
            accepted = intake.accept_job(account, wanted, picture, key=key, now=clock())
        with intake.telling_queue(accepted):
            answer = _accepted_answer(account, accepted.job)
        if waited := _wait(account, accepted.job, until=_is_done):
            answer = _accepted_answer(account, accepted.job)
            answer.headers.update(waited)
        if accepted.is_replay:
            answer.headers["Idempotency-Replayed"] = "true"
        return answer

    @routes.get("/<uuid:job>")
    def show(job: UUID) -> Response:
        account = caller_of(ledger, request, "read").account
        refuse_unknown_parameters()
        seen = request.if_none_match
        waited = _wait(account, job, until=_has_left(seen) if seen else _is_done)
        answer = _unchanged_answer(account, job, seen) or _job_answer(account, job)
        answer.headers.update(waited)
        return answer

    @routes.post("/<uuid:job>/cancel")
    def cancel(job: UUID) -> Response:
        account = caller_of(ledger, request, "submit").account
        refuse_unknown_parameters()
        refuse_a_body()
        with ledger.transaction() as session:
            end = cancel_job(session, account, job, now=clock())
        if end is not None:
            intake.metrics.job_ended(end)
        return _job_answer(account, job)

    @routes.post("/<uuid:job>/retry")
    def retry(job: UUID) -> Response:
        account = caller_of(ledger, request, "submit").account
        refuse_unknown_parameters()
        keys = _keys_to_retry()
        intake.retry_job(account, job, keys, now=clock())
        return _accepted_answer(account, job)

    @contextmanager
    def _order() -> Iterator[tuple[JobRequest, Upload | None]]:
        """Yield what the request asks for, with the picture where that came along."""
        if is_multipart(request):
            with uploads.picture_and_job(request) as (picture, document):
                yield parse(document, with_upload=True), picture
        elif request.mimetype == "application/json":
            yield parse(read_document(), with_upload=False), None
        else:
            raise WrongMediaType("send application/json, or multipart/form-data with a picture")

    def _wait(account: UUID, job: UUID, *, until: Callable[[Record], bool]) -> dict[str, str]:
        """Wait as long as the caller prefers to; return the header that tells of it."""
        at_most = wait_preferred(request)
        if not at_most or not waiting.until(until, account, job, at_most=at_most):
            return {}
        return {"Preference-Applied": f"wait={at_most.seconds}"}

    def _unchanged_answer(account: UUID, job: UUID, seen: ETags) -> Response | None:
        """Return a 304 where the caller has seen the job as it is; that costs next to nothing."""
        if not seen:
            return None
        with ledger.reading() as session:
            found = progress.glance_at_job(session, account, job)
        if not seen.contains_weak(str(found.version)):
            return None
        return _dated(Response(status=304), found)

    def _accepted_answer(account: UUID, job: UUID) -> Response:
        answer = _job_answer(account, job)
        answer.status_code = 202
        answer.headers["Location"] = f"/v1/jobs/{job}"
        answer.headers["Retry-After"] = "2"
        return answer

    def _job_answer(account: UUID, job: UUID) -> Response:
        with ledger.reading() as session:
            view = progress.job_view(session, account, job, most=COLORWAYS_SHOWN)
        return _dated(json_answer(job_body(view, now=clock())), view.job)

    def _dated(answer: Response, job: Record) -> Response:
        """Tell which version of the job this is, and when to ask for the next."""
        answer.set_etag(str(job.version), weak=True)
        if not _is_done(job):
            answer.headers["Retry-After"] = _poll_again_in(clock() - job.created_at)
        return answer

    return routes


def _is_done(job: Record) -> bool:
    return progress.progress_of(job).is_done


def _has_left(seen: ETags) -> Callable[[Record], bool]:
    return lambda job: not seen.contains_weak(str(job.version))


def _poll_again_in(age: timedelta) -> str:
    if age < timedelta(minutes=1):
        return "2"
    return "5" if age < timedelta(minutes=10) else "10"


def _is_dry_run() -> bool:
    asked = request.args.getlist("dry_run")
    is_clear = asked in ([], ["true"], ["false"])
    flaw = Flaw("dry_run", "enum", "dry_run is true or false, and stands once")
    refuse_unknown_parameters("dry_run", flaws=[] if is_clear else [flaw])
    return asked == ["true"]


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
