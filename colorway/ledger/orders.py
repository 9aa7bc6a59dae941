"""What a worker must know of a colorway to render it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import and_, bindparam, exists, select
from sqlalchemy.orm import Session

from colorway.job import OutputOptions, RenderOptions
from colorway.ledger.tables import colorways, images, jobs, renditions
from colorway.lifecycle import Status
from colorway.palette import Palette
from colorway.render_task import RenderTask


@dataclass(frozen=True, slots=True)
class SourceRef:
    """Where the source lies, and what its bytes must hash to."""

    image: UUID
    key: str
    sha256: str
    bytes: int
    width: int
    height: int
    frames: int | None
    is_hashed: bool
    """Whether the ledger knows what it looks like."""


@dataclass(frozen=True, slots=True)
class Order:
    """One colorway to render."""

    account: UUID
    job: UUID
    key: str
    source: SourceRef
    palette: Palette
    render: RenderOptions
    output: OutputOptions
    fingerprint: str
    opened_at: datetime
    status: Status
    leased_until: datetime | None
    has_picture: bool
    """Whether there is an equal picture that it may be completed with."""
    alone: bool
    """Whether an attempt that begins now has its process to itself, as claim() would say."""

    def is_leased(self, *, now: datetime) -> bool:
        """Whether an attempt holds the lease, as claim() would see it."""
        return (
            self.status is Status.PROCESSING
            and self.leased_until is not None
            and self.leased_until >= now
        )


ORDER = (
    select(
        jobs.c.account_id,
        jobs.c.id.label("job_id"),
        jobs.c.render,
        jobs.c.output,
        colorways.c.opened_at,
        colorways.c.key,
        colorways.c.name,
        colorways.c.colors,
        colorways.c.fingerprint,
        colorways.c.status,
        colorways.c.leased_until,
        colorways.c.alone,
        images.c.id.label("image_id"),
        images.c.key.label("image_key"),
        images.c.sha256,
        images.c.bytes,
        images.c.width,
        images.c.height,
        images.c.frames,
        images.c.phash,
        images.c.deaths,
        and_(
            jobs.c.reuse == "cache",
            exists().where(
                renditions.c.account_id == jobs.c.account_id,
                renditions.c.fingerprint == colorways.c.fingerprint,
            ),
        ).label("has_picture"),
    )
    .select_from(
        colorways.join(jobs, colorways.c.job_id == jobs.c.id).join(
            images, jobs.c.image_id == images.c.id
        )
    )
    .where(colorways.c.id == bindparam("colorway"), colorways.c.epoch == bindparam("of_epoch"))
)


def order_of(session: Session, task: RenderTask) -> Order | None:
    """Return what this task asks for; None if it is over: deleted, or of an older epoch."""
    row = session.execute(ORDER, {"colorway": task.colorway, "of_epoch": task.epoch}).one_or_none()
    if row is None:
        return None
    render = {name: row.render[name] for name in ("strength", "preserve_luminance")}
    return Order(
        account=row.account_id,
        job=row.job_id,
        key=row.key,
        source=SourceRef(
            row.image_id,
            row.image_key,
            row.sha256,
            row.bytes,
            row.width,
            row.height,
            row.frames,
            row.phash is not None,
        ),
        palette=Palette(row.name, tuple(row.colors)),
        render=RenderOptions(**render),
        output=OutputOptions(**row.output),
        fingerprint=row.fingerprint,
        opened_at=row.opened_at,
        status=row.status,
        leased_until=row.leased_until,
        has_picture=row.has_picture,
        # of one that is processing, an attempt only begins where the lease has run out
        alone=row.alone or row.deaths > 0 or row.status is Status.PROCESSING,
    )
