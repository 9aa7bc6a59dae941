"""/v1/images: upload a source once, use it in many jobs. And the links of the local folder."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from uuid import UUID

from flask import Blueprint, Response, request, send_file

from colorway.errors import NotFound
from colorway.image_store.contract import IMMUTABLE
from colorway.image_store.local_folder import LINK_ROUTE, Link, LocalFolderStore
from colorway.ledger.images import find_image
from dispatcher.api.authentication import caller_of
from dispatcher.api.bodies import image_body
from dispatcher.api.uploads import Uploads
from dispatcher.intake import Intake

_MEDIA_TYPES = {"png": "image/png", "jpeg": "image/jpeg", "webp": "image/webp"}


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


def link_routes(store: LocalFolderStore) -> Blueprint:
    """Return the route that signed links of the local folder store lead to."""
    routes = Blueprint("links", __name__, url_prefix=LINK_ROUTE)

    @routes.get("/<path:key>")
    def follow(key: str) -> Response:
        media_type = _MEDIA_TYPES.get(key.rpartition(".")[2])
        if media_type is None:
            raise NotFound("links lead to finished pictures only")
        asked = request.args.get
        link = Link(key, asked("name", ""), asked("expires", ""), asked("signature", ""))
        body = store.open_link(link, now=datetime.now(UTC))
        answer = send_file(body, mimetype=media_type, download_name=link.download_name)
        answer.content_length = os.fstat(body.fileno()).st_size
        answer.headers["Cache-Control"] = IMMUTABLE
        return answer

    return routes
