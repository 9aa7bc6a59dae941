"""The ledger's rows; the only mapped classes. No behaviour, no lazy relationships, aware UTC only.

accounts ◀─ api_keys          ┌── idempotency_keys
    ▲      upload_slots       ▼
    │           ▼
    ├──────── images ◀─────── jobs ◀── colorways ◀── outbox
    └────── renditions ◀───────────────────┘             reconciliations   rounds

What is in use cannot be deleted: jobs.image_id and colorways.rendition_id are RESTRICT.
"""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, ClassVar, cast
from uuid import UUID

import sqlalchemy
from sqlalchemy import (
    JSON,
    BigInteger,
    DateTime,
    Dialect,
    Enum,
    ForeignKey,
    Index,
    MetaData,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    Uuid,
    false,
    func,
    text,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from uuid_utils.compat import uuid7

from colorway.job import Priority
from colorway.lifecycle import Status


class UtcDateTime(TypeDecorator[datetime]):
    """Aware UTC on both databases; SQLite stores no zone and would hand back naive times."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse naive times, keep the others in UTC."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("the ledger takes aware times only")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return the time as aware UTC."""
        if value is None:
            return None
        if value.tzinfo is None:
            return value.replace(tzinfo=UTC)
        return value.astimezone(UTC)  # Postgres answers in the time zone it is set to


def _one_of(kind: type[StrEnum]) -> Enum:
    return Enum(kind, native_enum=False, length=16, values_callable=list)


def _where(condition: str) -> dict[str, Any]:
    """Return the options of an index on just these rows, for each database."""
    return {f"{dialect}_where": text(condition) for dialect in ("postgresql", "sqlite")}


class Row(DeclarativeBase):
    """What every row shares: how constraints are named, and what Python types become."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        datetime: UtcDateTime,
        UUID: Uuid,
        str: Text,
        Priority: _one_of(Priority),
        Status: _one_of(Status),
        dict[str, Any]: JSON(none_as_null=True),
        list[str]: JSON,
    }


class Account(Row):
    """Whose images and jobs these are."""

    __tablename__ = "accounts"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    name: Mapped[str]
    created_at: Mapped[datetime]
    # its quotas, where they differ from those of the settings
    max_pending: Mapped[int | None]
    max_stored_bytes: Mapped[int | None] = mapped_column(BigInteger)


class ApiKey(Row):
    """A secret that speaks for an account; only its SHA-256 is kept."""

    __tablename__ = "api_keys"
    __table_args__ = (UniqueConstraint("sha256"), Index(None, "account_id"))

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    account_id: Mapped[UUID] = mapped_column(ForeignKey("accounts.id", ondelete="CASCADE"))
    sha256: Mapped[str]
    prefix: Mapped[str]  # the first characters, for people to tell keys apart
    scopes: Mapped[list[str]]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]


class Image(Row):
    """A source picture: once per account, however often it is sent."""

    __tablename__ = "images"
    __table_args__ = (
        UniqueConstraint("account_id", "sha256"),
        # the few that killed workers; nobody looks for the others
        Index(None, "deaths", **_where("deaths > 0")),
        Index(None, "account_id", "bytes"),  # what an account has stored, for its quota
        # those that look the same to every hash, and the newest that were looked at
        Index(
            "ix_images_account_id_hashes",
            *("account_id", "phash", "ahash", "dhash", "whash", "id"),
            **_where("phash IS NOT NULL"),
        ),
        Index("ix_images_account_id_newest", "account_id", "id", **_where("phash IS NOT NULL")),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    account_id: Mapped[UUID] = mapped_column(ForeignKey("accounts.id", ondelete="CASCADE"))
    sha256: Mapped[str]
    key: Mapped[str]
    bytes: Mapped[int] = mapped_column(BigInteger)
    format: Mapped[str]
    width: Mapped[int]  # as viewers show it: the EXIF orientation is applied
    height: Mapped[int]
    frames: Mapped[int | None]  # known once a worker has decoded it
    # leases that ran out while a colorway of it rendered alone; one that is finished clears it
    deaths: Mapped[int] = mapped_column(default=0, server_default="0")
    # what it looks like: all four, or none until a worker has looked
    phash: Mapped[int | None] = mapped_column(BigInteger)
    ahash: Mapped[int | None] = mapped_column(BigInteger)
    dhash: Mapped[int | None] = mapped_column(BigInteger)
    whash: Mapped[int | None] = mapped_column(BigInteger)
    created_at: Mapped[datetime]
    # when a client last sent these bytes, or submitted a job of them that is gone since
    wanted_at: Mapped[datetime] = mapped_column(server_default=func.now())


class UploadSlot(Row):
    """A place in the store that a client may put one source into; once confirmed, an image."""

    __tablename__ = "upload_slots"
    __table_args__ = (Index(None, "expires_at"), Index(None, "image_id"))

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    account_id: Mapped[UUID] = mapped_column(ForeignKey("accounts.id", ondelete="CASCADE"))
    key: Mapped[str]
    sha256: Mapped[str]  # as the client told it, like the next
    bytes: Mapped[int] = mapped_column(BigInteger)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    image_id: Mapped[UUID | None] = mapped_column(ForeignKey("images.id", ondelete="CASCADE"))


class Job(Row):
    """One accepted request. The counters are a cache of its colorways, moved with them."""

    __tablename__ = "jobs"
    __table_args__ = (
        Index(None, "account_id", "id"),
        Index(None, "image_id"),
        Index(None, "finished_at"),  # the reconciler's choice of jobs to prove
        Index(None, "expires_at"),  # the cleanup's search for what has expired
        # what an account has under way, for its quota
        Index("ix_jobs_account_id_open", "account_id", **_where("finished_at IS NULL")),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    account_id: Mapped[UUID] = mapped_column(ForeignKey("accounts.id", ondelete="CASCADE"))
    image_id: Mapped[UUID] = mapped_column(ForeignKey("images.id", ondelete="RESTRICT"))
    priority: Mapped[Priority]
    on_error: Mapped[str]
    reuse: Mapped[str]
    render: Mapped[dict[str, Any]]
    output: Mapped[dict[str, Any]]
    client_metadata: Mapped[dict[str, Any]]
    total: Mapped[int]
    # whose pictures were there when it was submitted; it stays
    cached: Mapped[int] = mapped_column(default=0, server_default="0")
    processing: Mapped[int] = mapped_column(default=0)
    completed: Mapped[int] = mapped_column(default=0)
    failed: Mapped[int] = mapped_column(default=0)
    cancelled: Mapped[int] = mapped_column(default=0)
    version: Mapped[int] = mapped_column(default=1)  # rises with every change a client can see
    created_at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    cancelled_at: Mapped[datetime | None]  # when the client asked; on_error: stop leaves it empty
    expires_at: Mapped[datetime]
    # the span of its request, for its tasks to belong to, however late they are delivered
    traceparent: Mapped[str | None]


class Rendition(Row):
    """A finished picture, known by its fingerprint; several colorways may share one."""

    __tablename__ = "renditions"
    __table_args__ = (
        UniqueConstraint("account_id", "fingerprint"),
        Index(None, "checked_at"),  # the reconciler's choice of objects to look at
        Index(None, "account_id", "bytes"),  # what an account has stored, for its quota
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    account_id: Mapped[UUID] = mapped_column(ForeignKey("accounts.id", ondelete="CASCADE"))
    fingerprint: Mapped[str]
    key: Mapped[str]
    sha256: Mapped[str]
    bytes: Mapped[int] = mapped_column(BigInteger)
    format: Mapped[str]
    width: Mapped[int]
    height: Mapped[int]
    created_at: Mapped[datetime]
    # when its object was last known to be as it should
    checked_at: Mapped[datetime] = mapped_column(server_default=func.now())


class Colorway(Row):
    """One source image in one palette: the unit that is queued, leased and rendered."""

    __tablename__ = "colorways"
    __table_args__ = (
        UniqueConstraint("job_id", "key"),
        UniqueConstraint("job_id", "position"),
        Index(None, "status", "leased_until"),  # the reconciler's search for expired leases
        Index(None, "status", "queue_seen_at"),  # and for tasks the queue has lost
        Index(None, "status", "opened_at"),  # and for what has been open for too long
        Index(None, "status", "finished_at"),  # how much ends, for whoever watches the queue
        Index(None, "rendition_id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7)
    job_id: Mapped[UUID] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"))
    position: Mapped[int]
    key: Mapped[str]
    name: Mapped[str]
    colors: Mapped[list[str]]
    fingerprint: Mapped[str]
    status: Mapped[Status] = mapped_column(default=Status.PENDING)
    cached: Mapped[bool] = mapped_column(default=False)
    epoch: Mapped[int] = mapped_column(default=0)  # reopened so many times; older tasks are over
    nudge: Mapped[int] = mapped_column(default=0)  # delivered so many times; makes task names new
    fence: Mapped[int] = mapped_column(default=0)  # only the newest holder may write, see lease.py
    tries: Mapped[int] = mapped_column(default=0)  # failed so many times by its own fault
    attempts: Mapped[int] = mapped_column(default=0)  # claimed so many times; what clients see
    # a lease of it ran out: until it is finished, its attempts have their process to themselves
    alone: Mapped[bool] = mapped_column(default=False, server_default=false())
    opened_at: Mapped[datetime] = mapped_column(server_default=func.now())  # ordered, or reopened
    queue_seen_at: Mapped[datetime]  # when its task was last known to be with the queue
    leased_until: Mapped[datetime | None]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    rendition_id: Mapped[UUID | None] = mapped_column(
        ForeignKey("renditions.id", ondelete="RESTRICT")
    )
    error: Mapped[dict[str, Any] | None]
    queued_ms: Mapped[int | None]
    fetch_ms: Mapped[int | None]
    render_ms: Mapped[int | None]
    encode_ms: Mapped[int | None]
    upload_ms: Mapped[int | None]


class OutboxEntry(Row):
    """A nudge the queue has not been told of yet."""

    __tablename__ = "outbox"
    __table_args__ = (Index(None, "created_at"), Index(None, "job_id"))

    colorway_id: Mapped[UUID] = mapped_column(
        ForeignKey("colorways.id", ondelete="CASCADE"), primary_key=True
    )
    epoch: Mapped[int] = mapped_column(primary_key=True)
    nudge: Mapped[int] = mapped_column(primary_key=True)
    job_id: Mapped[UUID] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"))
    priority: Mapped[Priority]
    created_at: Mapped[datetime]


class IdempotencyKey(Row):
    """A submission that a client may repeat: reserved at first, then tied to the job it made."""

    __tablename__ = "idempotency_keys"
    __table_args__ = (Index(None, "created_at"), Index(None, "job_id"))

    account_id: Mapped[UUID] = mapped_column(
        ForeignKey("accounts.id", ondelete="CASCADE"), primary_key=True
    )
    route: Mapped[str] = mapped_column(primary_key=True)  # method and path
    key: Mapped[str] = mapped_column(primary_key=True)
    request_sha256: Mapped[str]  # of what was asked: the same key for something else is refused
    holder: Mapped[UUID]  # whose reservation it is; only the newest holder may complete it
    reserved_until: Mapped[datetime]
    job_id: Mapped[UUID | None] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"))
    created_at: Mapped[datetime]


class Reconciliation(Row):
    """What the reconciler's last round found; one row."""

    __tablename__ = "reconciliations"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    at: Mapped[datetime]
    drift: Mapped[int]  # jobs whose counters were wrong; must always be 0


class Round(Row):
    """How far a round of the cleanup has come through what may be more than one call can see."""

    __tablename__ = "rounds"

    kind: Mapped[str] = mapped_column(primary_key=True)
    behind: Mapped[str]  # the last that was looked at; empty before the first


def _table(row: type[Row]) -> Table:
    return cast(Table, row.__table__)


Record = sqlalchemy.Row[*tuple[Any, ...]]
"""A row as a statement returns it, with the columns that the statement names."""

# Statements on the hot path are built once, on these, with bindparam: a fourth of the ORM's cost.
accounts = _table(Account)
api_keys = _table(ApiKey)
images = _table(Image)
upload_slots = _table(UploadSlot)
jobs = _table(Job)
renditions = _table(Rendition)
colorways = _table(Colorway)
outbox = _table(OutboxEntry)
idempotency_keys = _table(IdempotencyKey)
reconciliations = _table(Reconciliation)
rounds = _table(Round)
