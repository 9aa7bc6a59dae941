"""/files: where the signed links of the local folder lead. They work without any API key."""

from __future__ import annotations

import os
from datetime import UTC, datetime

from flask import Blueprint, Response, request, send_file

from colorway.errors import InvalidRequest, NotFound, WrongMediaType
from colorway.image_store.contract import IMMUTABLE
from colorway.image_store.local_folder import LINK_ROUTE, Link, LocalFolderStore, SlotLink
from dispatcher.api.uploads import Uploads
from dispatcher.spool import Limit

_MEDIA_TYPES = {"png": "image/png", "jpeg": "image/jpeg", "webp": "image/webp"}


def link_routes(store: LocalFolderStore, uploads: Uploads) -> Blueprint:
    """Return the routes that links to finished pictures, and upload slots, lead to."""
    routes = Blueprint("links", __name__, url_prefix=LINK_ROUTE)

    @routes.get("/<path:key>")
    def follow(key: str) -> Response:
        media_type = _MEDIA_TYPES.get(key.rpartition(".")[2])
        if media_type is None:
            raise NotFound("links lead to finished pictures only")
        asked = request.args.get
        link = Link(key, asked("name", ""), asked("expires", ""), asked("signature", ""))
        body = store.open_link(link, now=datetime.now(UTC))
        name = link.download_name
        answer = send_file(body, mimetype=media_type, download_name=name, conditional=False)
        answer.content_length = os.fstat(body.fileno()).st_size
        answer.headers["Cache-Control"] = IMMUTABLE
        return answer

    @routes.put("/<path:key>")
    def fill(key: str) -> Response:
        asked = request.args.get
        link = SlotLink(
            key,
            asked("bytes", ""),
            asked("type", ""),
            asked("expires", ""),
            asked("signature", ""),
        )
        limit = Limit(store.check_slot(link, now=datetime.now(UTC)), ", as was announced")
        if request.mimetype != link.media_type:
            raise WrongMediaType(f"this upload slot takes {link.media_type}, as was announced")
        with uploads.body(request, limit) as spool:
            if spool.size != limit.bytes:
                raise InvalidRequest(
                    f"the picture is too small: {spool.size} of the {limit.bytes} bytes announced"
                )
            spool.file.seek(0)
            store.fill_slot(key, spool.file, size=limit.bytes)
        return Response(status=204)

    return routes
