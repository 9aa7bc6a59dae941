"""What is said of an upload slot: the announcement that comes in, and the answer to it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal
from urllib.parse import urljoin
from uuid import UUID

from pydantic import Field

from colorway.image_store import UploadSlot
from dispatcher.api.bodies import Body
from dispatcher.api.documents import WHOLE, Model
from dispatcher.api.job_requests import read_model
from dispatcher.api.uploads import PICTURE
from dispatcher.slots import Announcement
from dispatcher.spool import Limit


class SlotIn(Model):
    """A source that will be put into an upload slot. What it is, is found in its bytes."""

    filename: str = Field(
        min_length=1,
        max_length=255,
        pattern=r"^[^\x00-\x1f\x7f]*$",
        description="for the log alone",
    )
    bytes: Annotated[int, Field(ge=1), WHOLE] = Field(description="its exact size")
    sha256: str = Field(
        pattern=r"^[0-9a-f]{64}$", description="of the file, in hex: `sha256sum` prints it"
    )
    content_type: Literal[
        "image/png", "image/jpeg", "image/webp", "image/gif", "image/avif", "image/tiff"
    ]


class SlotUploadBody(Body):
    """How to put the picture: this method, to this URL, with these headers, each exactly so."""

    method: str
    url: Annotated[str, Field(json_schema_extra={"format": "uri"})]
    headers: dict[str, str]
    expires_at: datetime


class SlotBody(Body):
    """An upload slot: one picture, put there once, straight into the store."""

    id: UUID = Field(description="will be the image's, unless the same bytes come in before")
    object: Literal["upload_slot"] = "upload_slot"
    upload: SlotUploadBody


def parse_slot_request(body: bytes, *, limit: Limit) -> Announcement:
    """Return what is announced in this JSON, or raise Malformed, InvalidRequest or TooLarge."""
    told = read_model(SlotIn, body)
    if told.bytes > limit.bytes:
        raise limit.refusal(PICTURE)
    return Announcement(told.filename, told.bytes, told.sha256, told.content_type)


def slot_body(slot: UUID, place: UploadSlot, *, root: str) -> SlotBody:
    """Return the answer for a new slot; where its URL is a path, under this root."""
    upload = SlotUploadBody(
        method=place.method,
        url=urljoin(root, place.url),
        headers=dict(place.headers),
        expires_at=place.expires_at,
    )
    return SlotBody(id=slot, upload=upload)
