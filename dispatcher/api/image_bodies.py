"""What an image by itself looks like: what a job tells of its source, and what looks like it."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from pydantic import Field

from colorway.ledger.duplicates import MOST_SHOWN, NEWEST, Duplicates
from colorway.ledger.tables import Record
from colorway.perceptual_hashes import NEAR
from dispatcher.api.bodies import Body, JobImageBody, job_image_body


class NearImageBody(Body):
    """An image that looks much the same."""

    id: UUID
    distance: Annotated[
        int,
        Field(
            description="in how many of 64 bits three of their four hashes differ at most",
            json_schema_extra={"minimum": 0, "maximum": NEAR},
        ),
    ]


class DuplicatesBody(Body):
    """Which of your other images look like this one: a hint, to be looked at by people.

    Greys are compared, so two pictures that differ in their colours alone look the same.
    """

    exact: Annotated[
        list[UUID],
        Field(
            description="the newest of those that look the same to all four hashes",
            json_schema_extra={"maxItems": MOST_SHOWN},
        ),
    ]
    near: Annotated[
        list[NearImageBody] | None,
        Field(
            description=f"of your newest {NEWEST:,} images those that differ in a few bits, the"
            " nearest first; null until a worker has seen the picture, with its first job",
            json_schema_extra={"maxItems": MOST_SHOWN},
        ),
    ]


class ImageBody(JobImageBody):
    """A source picture, and what looks like it."""

    duplicates: DuplicatesBody


def image_body(row: Record, found: Duplicates) -> ImageBody:
    """Return the answer for a row of `images` and its duplicates."""
    near = None
    if found.near is not None:
        near = [NearImageBody(id=it.image, distance=it.distance) for it in found.near]
    return ImageBody(
        **job_image_body(row).model_dump(),
        duplicates=DuplicatesBody(exact=list(found.exact), near=near),
    )
