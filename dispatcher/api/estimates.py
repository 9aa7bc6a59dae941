"""What is answered to `?dry_run=true`."""

from __future__ import annotations

from dataclasses import asdict
from typing import Literal
from uuid import UUID

from pydantic import Field

from colorway.fingerprint import ENGINE_VERSION
from colorway.job import OnError, Priority, Reuse
from dispatcher.api.bodies import Body, Count, OutputBody, Pixels, RenderBody, Sha256
from dispatcher.estimates import Estimate


class EstimatedImageBody(Body):
    """The source that the job would have."""

    id: UUID | None = Field(description="null where the picture came along and is new")
    sha256: Sha256
    width: Pixels
    height: Pixels
    format: str
    frames: int | None = Field(description="null until a worker has decoded it")
    bytes: Count


class EstimatedCountsBody(Body):
    """How many colorways there would be."""

    total: Count
    cached: Count = Field(description="of which you have equal pictures already")
    to_render: Count


class EstimatedColorwayBody(Body):
    """One palette of the job."""

    key: str
    name: str
    colors: list[str]
    index: Count
    cached: bool = Field(
        description="whether you have an equal picture already, and did not forbid its use"
    )


class EstimateBody(Body):
    """What a submission of the same would make, told from your own last jobs."""

    object: Literal["estimate"] = "estimate"
    counts: EstimatedCountsBody
    seconds: float | None = Field(
        description="until the job is done; null where none of your jobs tells anything"
    )
    seconds_from_jobs: Count = Field(description="how many of your jobs tell that")
    bytes: Count | None = Field(
        description="of all its pictures, without thumbnails; those that are there already count"
        " as what they have; null where none of your jobs tells anything"
    )
    bytes_from_jobs: Count = Field(description="how many of your jobs tell that")
    image: EstimatedImageBody
    render: RenderBody
    output: OutputBody
    priority: Priority
    on_error: OnError
    reuse: Reuse
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
        render=RenderBody(**asdict(wanted.render), engine_version=ENGINE_VERSION),
        output=OutputBody(**asdict(wanted.output)),
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
