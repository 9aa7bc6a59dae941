"""/v1/images: upload a source once, use it in many jobs."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from uuid import UUID

from flask import Blueprint, Response, request

from colorway.ledger.duplicates import duplicates_of
from colorway.ledger.images import find_image
from colorway.ledger.tables import Record
from dispatcher.api.authentication import caller_of
from dispatcher.api.calls import (
    json_answer,
    read_document,
    refuse_a_body,
    refuse_unknown_parameters,
    utc_now,
)
from dispatcher.api.image_bodies import image_body
from dispatcher.api.upload_slots import parse_slot_request, slot_body
from dispatcher.api.uploads import Uploads
from dispatcher.intake import Intake
from dispatcher.slots import Slots


def image_routes(
    intake: Intake, uploads: Uploads, slots: Slots, *, clock: Callable[[], datetime] = utc_now
) -> Blueprint:
    """Return the routes of sources."""
    routes = Blueprint("images", __name__, url_prefix="/v1/images")

    @routes.post("")
    def upload() -> Response:
        account = caller_of(intake.ledger, request, "submit").account
        refuse_unknown_parameters()
        if request.mimetype == "application/json":
            return _announced(account)
        with uploads.picture(request) as picture:
            row, is_new = intake.accept_image(account, picture, now=clock())
        return _image_answer(row, status=201 if is_new else 200)

    @routes.post("/<uuid:slot>/confirm")
    def confirm(slot: UUID) -> Response:
        account = caller_of(intake.ledger, request, "submit").account
        refuse_unknown_parameters()
        refuse_a_body()
        return _image_answer(slots.confirm(account, slot, now=clock()), status=200)

    @routes.get("/<uuid:image>")
    def show(image: UUID) -> Response:
        account = caller_of(intake.ledger, request, "read").account
        refuse_unknown_parameters()
        with intake.ledger.reading() as session:
            row = find_image(session, account, image)
            return json_answer(image_body(row, duplicates_of(session, row)))

    def _announced(account: UUID) -> Response:
        """Answer with the image where we have it already, or else with a slot to put it into."""
        told = parse_slot_request(read_document(), limit=uploads.limit)
        known = slots.known_image(account, told.sha256, now=clock())
        if known is not None:
            return _image_answer(known, status=200)
        slot, place = slots.open(account, told, now=clock())
        # Under the address that the client has just reached us by: no other is known to work.
        answer = json_answer(slot_body(slot, place, root=request.url_root))
        answer.status_code = 201
        return answer

    def _image_answer(row: Record, *, status: int) -> Response:
        with intake.ledger.reading() as session:
            answer = json_answer(image_body(row, duplicates_of(session, row)))
        answer.status_code = status
        answer.headers["Location"] = f"/v1/images/{row.id}"
        return answer

    return routes
