"""/v1/images: upload a source once, use it in many jobs."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

from flask import Blueprint, Response, request

from colorway.ledger.images import find_image
from dispatcher.api.authentication import caller_of
from dispatcher.api.bodies import image_body
from dispatcher.api.uploads import Uploads
from dispatcher.intake import Intake


def image_routes(intake: Intake, uploads: Uploads) -> Blueprint:
    """Return the routes of sources."""
    routes = Blueprint("images", __name__, url_prefix="/v1/images")

    @routes.post("")
    def upload() -> Response:
        account = caller_of(intake.ledger, request, "submit").account
        with uploads.picture(request) as picture:
            row, is_new = intake.accept_image(account, picture, now=datetime.now(UTC))
        answer = Response(image_body(row).model_dump_json(), mimetype="application/json")
        answer.status_code = 201 if is_new else 200
        answer.headers["Location"] = f"/v1/images/{row.id}"
        return answer

    @routes.get("/<uuid:image>")
    def show(image: UUID) -> Response:
        account = caller_of(intake.ledger, request, "read").account
        with intake.ledger.reading() as session:
            row = find_image(session, account, image)
        return Response(image_body(row).model_dump_json(), mimetype="application/json")

    return routes
