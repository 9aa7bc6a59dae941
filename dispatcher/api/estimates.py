"""What is answered to `?dry_run=true`."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any
from uuid import UUID

from colorway.fingerprint import ENGINE_VERSION
from colorway.job import Priority
from dispatcher.api.bodies import Body
from dispatcher.estimates import Estimate


class EstimatedImageBody(Body):
    """The source; `id` is null where it came along and is new, `frames` until one is decoded."""

    id: UUID | None
    sha256: str
    width: int
    height: int
    format: str
    frames: int | None
    bytes: int


class EstimatedCountsBody(Body):
    """How many colorways there would be, how many are `cached`, and how many would be rendered."""

    total: int
    cached: int
    to_render: int


class EstimatedColorwayBody(Body):
    """One palette; `cached` where you have an equal picture already, and did not forbid its use."""

    key: str
    name: str
    colors: list[str]
    index: int
    cached: bool


class EstimateBody(Body):
    """What a submission of the same would make.

    `seconds` (until the job is done) and `bytes` (of all its pictures, without thumbnails) are
    told from your own last jobs, so many of them each; null where none of them tells anything.
    Pictures of which there are equal ones count with the bytes that these have.
    """

    object: str = "estimate"
    counts: EstimatedCountsBody
    seconds: float | None
    seconds_from_jobs: int
    bytes: int | None
    bytes_from_jobs: int
    image: EstimatedImageBody
    render: dict[str, Any]
    output: dict[str, Any]
    priority: Priority
    on_error: str
    reuse: str
    metadata: dict[str, str]
    colorways: list[EstimatedColorwayBody]


def estimate_body(found: Estimate) -> EstimateBody:
    """Return the answer for an estimate."""
    wanted, seconds, size = found.wanted, found.seconds, found.bytes
    return EstimateBody(
        counts=EstimatedCountsBody(
            total=len(wanted.palettes), cached=len(found.cached), to_render=found.to_render
        ),
        seconds=None if seconds.value is None else round(seconds.value, 1),
        seconds_from_jobs=seconds.jobs,
        bytes=None if size.value is None else round(size.value),
        bytes_from_jobs=size.jobs,
        image=EstimatedImageBody(id=found.image, frames=found.frames, **asdict(found.source)),
        render=asdict(wanted.render) | {"engine_version": ENGINE_VERSION},
        output=asdict(wanted.output),
        priority=wanted.priority,
        on_error=wanted.on_error,
        reuse=wanted.reuse,
        metadata=dict(wanted.metadata),
        colorways=[
            EstimatedColorwayBody(
                key=order.key,
                name=order.palette.name,
                colors=list(order.palette.colors),
                index=index,
                cached=order.key in found.cached,
            )
            for index, order in enumerate(wanted.palettes)
        ],
    )
