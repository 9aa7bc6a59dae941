"""What a job would be, told without making it: nothing is stored, recorded or reserved."""

from __future__ import annotations

import math
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.orm import Session

from colorway.fingerprint import fingerprint, options_digest
from colorway.job import JobRequest, OutputOptions
from colorway.ledger.connection import Ledger
from colorway.ledger.history import past_jobs
from colorway.ledger.images import SourceFacts, find_image, image_with
from colorway.ledger.renditions import rendition_bytes
from colorway.ledger.tables import Record
from dispatcher.forecast import Guess, expected_bytes, expected_seconds
from dispatcher.spool import Upload


@dataclass(frozen=True, slots=True)
class Estimate:
    """A job that was not made."""

    wanted: JobRequest
    source: SourceFacts
    image: UUID | None
    """None where the picture is new."""
    frames: int | None
    cached: frozenset[str]
    """The keys of palettes of which the account has an equal rendition, and may use it."""
    to_render: int
    seconds: Guess
    bytes: Guess
    """Of all pictures; those of which there is an equal one count as they are."""


def estimate(ledger: Ledger, account: UUID, wanted: JobRequest, upload: Upload | None) -> Estimate:
    """Return what the job would be, with its picture unless it names an image.

    Raises NotFound if the account has no such image.
    """
    with ledger.reading() as session:
        row, source = _source(session, account, wanted, upload)
        equal = _equal_pictures(session, account, wanted, source)
        past = past_jobs(session, account)
    image = row.id if row else None
    cached = frozenset(equal) if wanted.reuse == "cache" else frozenset()
    palettes, pixels = len(wanted.palettes), _pixels_of_one(source, wanted.output)
    to_render = palettes - len(cached)
    return Estimate(
        wanted=wanted,
        source=source,
        image=image,
        frames=row.frames if row else None,
        cached=cached,
        to_render=to_render,
        seconds=expected_seconds(
            past, palettes=to_render, source_pixels=source.width * source.height
        ),
        bytes=expected_bytes(
            past,
            wanted.output,
            image=image,
            pixels=(palettes - len(equal)) * pixels,
            known=equal.values(),
        ),
    )


def _source(
    session: Session, account: UUID, wanted: JobRequest, upload: Upload | None
) -> tuple[Record | None, SourceFacts]:
    """Return the image's row, if there is one, and what is known of the picture."""
    if upload is not None:
        return image_with(session, account, upload.facts.sha256), upload.facts
    row = find_image(session, account, wanted.image_id)
    return row, SourceFacts(row.sha256, row.bytes, row.format, row.width, row.height)


def _equal_pictures(
    session: Session, account: UUID, wanted: JobRequest, source: SourceFacts
) -> dict[str, int]:
    """Return the bytes of the pictures that are there already, by the keys of their palettes."""
    options = options_digest(wanted.render, wanted.output)
    prints = {
        order.key: fingerprint(source.sha256, order.palette, options) for order in wanted.palettes
    }
    made = rendition_bytes(session, account, list(prints.values()))
    return {key: made[print_] for key, print_ in prints.items() if print_ in made}


def _pixels_of_one(source: SourceFacts, output: OutputOptions) -> float:
    """Return how many pixels a picture has, made smaller where that is asked for."""
    scale = min(1, (output.max_edge or math.inf) / max(source.width, source.height))
    return source.width * source.height * scale**2
