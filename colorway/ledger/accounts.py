"""Accounts and their API keys. A key is shown once, when made; the ledger keeps its SHA-256."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session
from uuid_utils.compat import uuid7

from colorway.errors import Unauthenticated
from colorway.ledger.tables import Account, ApiKey, api_keys

Scope = Literal["submit", "read", "admin"]
ALL_SCOPES: tuple[Scope, ...] = ("submit", "read", "admin")

_PREFIX = "cw_"
_SHOWN = len(_PREFIX) + 6


@dataclass(frozen=True, slots=True)
class Caller:
    """Who an API key speaks for, and what it may do."""

    account: UUID
    scopes: frozenset[str]


BY_HASH = select(api_keys.c.account_id, api_keys.c.scopes, api_keys.c.expires_at).where(
    api_keys.c.sha256 == bindparam("sha256")
)


def open_account(session: Session, name: str, *, now: datetime) -> UUID:
    """Make an account and return its id."""
    account = Account(id=uuid7(), name=name, created_at=now)
    session.add(account)
    session.flush()
    return account.id


def issue_key(
    session: Session,
    account: UUID,
    *,
    now: datetime,
    scopes: tuple[Scope, ...] = ALL_SCOPES,
    expires_at: datetime | None = None,
) -> str:
    """Make a key with 256 random bits and return it; it cannot be read again."""
    key = _PREFIX + secrets.token_urlsafe(32)
    session.add(
        ApiKey(
            account_id=account,
            sha256=_hash(key),
            prefix=key[:_SHOWN],
            scopes=list(scopes),
            created_at=now,
            expires_at=expires_at,
        )
    )
    session.flush()
    return key


def caller_with(session: Session, key: str, *, now: datetime) -> Caller:
    """Return whom this key speaks for, or raise Unauthenticated."""
    row = session.execute(BY_HASH, {"sha256": _hash(key)}).one_or_none()
    if row is None:
        raise Unauthenticated("this API key is not known")
    if row.expires_at is not None and row.expires_at <= now:
        raise Unauthenticated("this API key has expired")
    return Caller(row.account_id, frozenset(row.scopes))


def _hash(key: str) -> str:
    # no salt and no stretching: the key is random, there is nothing to guess
    return hashlib.sha256(key.encode()).hexdigest()
