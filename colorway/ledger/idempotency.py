"""Keys by which a client may repeat a submission: of all who use one, a single request makes a job.

A request reserves its key for a minute, in a transaction of its own, and completes the reservation
in its job's transaction. So a crash between the two blocks the key for that minute and no longer,
and who comes back too late, after another has taken the key over, can record nothing.

Each function waits for whoever is writing the same key. So it is all that a transaction does, or
the last thing: no two can wait for each other.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field, fields, is_dataclass
from datetime import datetime, timedelta
from typing import Any, cast
from uuid import UUID

from sqlalchemy import CursorResult, and_, bindparam, delete, or_, select, update
from sqlalchemy.dialects.postgresql import insert  # SQLite renders its ON CONFLICT just the same
from sqlalchemy.orm import Session
from uuid_utils.compat import uuid7

from colorway.errors import Conflict, InvalidRequest
from colorway.job import JobRequest
from colorway.ledger.tables import UtcDateTime, idempotency_keys

RESERVED_FOR = timedelta(seconds=60)
KEPT_FOR = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Reservation:
    """One request's hold on a key; `holder` tells it from any other request under that key."""

    account: UUID
    route: str
    key: str
    request_sha256: str
    holder: UUID = field(default_factory=uuid7)


_PRIMARY_KEY = ("account_id", "route", "key")
_NEW = insert(idempotency_keys)
_IS_FREE = or_(
    and_(
        idempotency_keys.c.job_id.is_(None),
        idempotency_keys.c.reserved_until <= _NEW.excluded.created_at,
    ),
    idempotency_keys.c.created_at <= bindparam("forgotten_before", type_=UtcDateTime),
)

# Who finds the key in use locks its row all the same, so that it is still there to be read.
RESERVE = _NEW.on_conflict_do_update(
    index_elements=_PRIMARY_KEY,
    set_={c.name: c for c in _NEW.excluded if c.name not in _PRIMARY_KEY},
    where=_IS_FREE,
).returning(idempotency_keys.c.holder)

_THIS_KEY = and_(
    idempotency_keys.c.account_id == bindparam("account"),
    idempotency_keys.c.route == bindparam("of_route"),
    idempotency_keys.c.key == bindparam("of_key"),
)
_IS_HELD = and_(_THIS_KEY, idempotency_keys.c.holder == bindparam("of_holder"))

IN_USE = select(idempotency_keys.c.request_sha256, idempotency_keys.c.job_id).where(_THIS_KEY)
COMPLETE = update(idempotency_keys).where(_IS_HELD).values(job_id=bindparam("made"))
RELEASE = delete(idempotency_keys).where(_IS_HELD, idempotency_keys.c.job_id.is_(None))


def request_sha256(wanted: JobRequest, *, uploaded: str | None) -> str:
    """Return what two submissions share that ask for the same.

    `uploaded` is the SHA-256 of the picture that came along.
    """
    asked = {"job": wanted, "uploaded": uploaded}
    return hashlib.sha256(json.dumps(asked, sort_keys=True, default=_said).encode()).hexdigest()


def reserve(session: Session, wanted: Reservation, *, now: datetime) -> UUID | None:
    """Reserve the key for a minute, or return the job that it has made already.

    Raises InvalidRequest where it was used for something else, and Conflict while another request
    has reserved it. A key is forgotten after a day.
    """
    row = {
        "account_id": wanted.account,
        "route": wanted.route,
        "key": wanted.key,
        "request_sha256": wanted.request_sha256,
        "holder": wanted.holder,
        "reserved_until": now + RESERVED_FOR,
        "job_id": None,
        "created_at": now,
    }
    reserving = row | {"forgotten_before": now - KEPT_FOR}
    if session.execute(RESERVE, reserving).one_or_none() is not None:
        return None
    earlier = session.execute(IN_USE, _key(wanted)).one()
    if earlier.request_sha256 != wanted.request_sha256:
        raise InvalidRequest(
            "this Idempotency-Key was used for another request", code="idempotency-mismatch"
        )
    if earlier.job_id is None:
        raise _in_progress()
    return cast("UUID", earlier.job_id)


def complete(session: Session, held: Reservation, job: UUID) -> None:
    """Tie the key to the job that this transaction records, as the last thing it does.

    Raises Conflict where another request has taken the reservation over; then nothing may stay of
    the job.
    """
    completing = _key(held) | {"of_holder": held.holder, "made": job}
    completed = cast("CursorResult[Any]", session.execute(COMPLETE, completing))
    if completed.rowcount == 0:
        raise _in_progress()


def release(session: Session, held: Reservation) -> None:
    """Let the key be used again at once; not if it was completed or taken over."""
    session.execute(RELEASE, _key(held) | {"of_holder": held.holder})


def _key(held: Reservation) -> dict[str, Any]:
    return {"account": held.account, "of_route": held.route, "of_key": held.key}


def _in_progress() -> Conflict:
    detail = "another request with this Idempotency-Key is under way"
    return Conflict(detail, code="idempotency-in-progress", retry_after=2)


def _said(value: object) -> object:
    """Return what differs from the defaults: an option that a release adds changes no hash."""
    if not is_dataclass(value):
        return str(value)
    said = ((each, getattr(value, each.name)) for each in fields(value))
    return {each.name: given for each, given in said if given != each.default}
