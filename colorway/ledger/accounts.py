"""Accounts and their API keys. A key is shown once, when made; the ledger keeps its SHA-256.

So a key is named by its first characters, which are kept for that, and an account by id or name.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

from sqlalchemy import bindparam, case, delete, func, or_, select, update
from sqlalchemy.orm import Session
from uuid_utils.compat import uuid7

from colorway.errors import InvalidRequest, NotFound, Unauthenticated
from colorway.ledger.tables import Account, ApiKey, Record, accounts, api_keys

Scope = Literal["submit", "read", "admin"]
ALL_SCOPES: tuple[Scope, ...] = ("submit", "read", "admin")

MAX_NAME = 100

_PREFIX = "cw_"
_SHOWN = len(_PREFIX) + 6


@dataclass(frozen=True, slots=True)
class Caller:
    """Who an API key speaks for, and what it may do."""

    key: UUID
    account: UUID
    scopes: frozenset[str]


@dataclass(frozen=True, slots=True)
class KeyFacts:
    """What may be told of a key to whoever does not hold it."""

    prefix: str
    scopes: list[str]
    created_at: datetime
    expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class AccountFacts:
    """An account with its keys, the oldest first; a quota of None is that of the settings."""

    id: UUID
    name: str
    created_at: datetime
    max_pending: int | None
    max_stored_bytes: int | None
    keys: list[KeyFacts]


@dataclass(frozen=True, slots=True)
class Rotation:
    """A new key, and when the one that it succeeds expires."""

    key: str
    scopes: list[str]
    expires_at: datetime | None
    old_prefix: str
    old_expires_at: datetime


BY_HASH = select(
    api_keys.c.id, api_keys.c.account_id, api_keys.c.scopes, api_keys.c.expires_at
).where(api_keys.c.sha256 == bindparam("sha256"))


def open_account(session: Session, name: str, *, now: datetime) -> UUID:
    """Make an account and return its id."""
    account = Account(id=uuid7(), name=name, created_at=now)
    session.add(account)
    session.flush()
    return account.id


def require_new_name(session: Session, name: str) -> None:
    """Raise InvalidRequest unless an account of this name could be told from all others."""
    if not (name.strip() == name and name.isprintable() and 1 <= len(name) <= MAX_NAME):
        raise InvalidRequest(
            f"an account's name has 1 to {MAX_NAME} printable characters, and no space around them"
        )
    if _as_id(name) is not None:
        raise InvalidRequest(f"{name!r} would be taken for an account's id: choose a name")
    if session.scalar(select(func.count()).where(accounts.c.name == name)):
        raise InvalidRequest(f"there is an account called {name!r}: choose another name")


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
            prefix=shown_of(key),
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
    return Caller(row.id, row.account_id, frozenset(row.scopes))


def shown_of(key: str) -> str:
    """Return the characters by which people tell keys apart; nothing can be guessed from them."""
    return key[:_SHOWN]


def all_accounts(session: Session) -> list[AccountFacts]:
    """Return every account, the oldest first, with its keys, expired ones too."""
    keys_of: dict[UUID, list[KeyFacts]] = {}
    for row in session.execute(select(api_keys).order_by(api_keys.c.created_at, api_keys.c.id)):
        facts = KeyFacts(row.prefix, row.scopes, row.created_at, row.expires_at)
        keys_of.setdefault(row.account_id, []).append(facts)
    return [
        AccountFacts(
            row.id,
            row.name,
            row.created_at,
            row.max_pending,
            row.max_stored_bytes,
            keys_of.get(row.id, []),
        )
        for row in session.execute(select(accounts).order_by(accounts.c.created_at, accounts.c.id))
    ]


def find_account(session: Session, named: str) -> Record:
    """Return the account with this id, or the only one of this name.

    Raises NotFound, and InvalidRequest where several have the name.
    """
    id = _as_id(named)
    wanted = accounts.c.name == named if id is None else accounts.c.id == id
    # some databases cannot be asked for what nobody can print
    is_askable = named.isprintable()
    found = session.execute(select(accounts).where(wanted)).all() if is_askable else []
    if not found:
        raise NotFound(f"no account has the id or the name {named!r}")
    if len(found) > 1:
        ids = ", ".join(str(row.id) for row in found)
        raise InvalidRequest(
            f"{len(found)} accounts are called {named!r}: name one by its id, {ids}"
        )
    return found[0]


def find_key(session: Session, named: str) -> Record:
    """Return the only key that begins like this; or is this, for whoever has the whole of it.

    Raises NotFound, and InvalidRequest where several begin like this. No error tells a secret.
    """
    if not re.fullmatch(f"{_PREFIX}[A-Za-z0-9_-]+", named):
        raise InvalidRequest(f"a key is named by how it begins: {_PREFIX} and some more characters")
    if len(named) > _SHOWN:
        wanted = api_keys.c.sha256 == _hash(named)
    else:
        # not LIKE: on SQLite that takes a for A
        wanted = func.substr(api_keys.c.prefix, 1, len(named)) == named
    found = session.execute(select(api_keys).where(wanted).order_by(api_keys.c.prefix)).all()
    if not found:
        raise NotFound(f"there is no key {shown_of(named)!r}")
    if len(found) > 1:
        prefixes = ", ".join(row.prefix for row in found)
        raise InvalidRequest(
            f"{len(found)} keys begin with {named!r}: name one by more of it, or by the whole key"
            f" ({prefixes})"
        )
    return found[0]


def rotate_key(session: Session, named: str, *, grace: timedelta, now: datetime) -> Rotation:
    """Make a key with the scopes of the one named, which expires after the grace, or as it would.

    The new key lasts as long as the old one was made for. Raises what find_key() raises, and
    InvalidRequest for a key that has expired: what is over is not made good again.
    """
    old = find_key(session, named)
    until = now + grace
    expiring = (
        update(api_keys)
        .where(
            api_keys.c.id == old.id,
            or_(api_keys.c.expires_at.is_(None), api_keys.c.expires_at > now),
        )
        .values(
            expires_at=case((api_keys.c.expires_at < until, api_keys.c.expires_at), else_=until)
        )
        .returning(api_keys.c.expires_at)
    )
    old_expires_at = session.scalar(expiring)
    if old_expires_at is None:  # or revoked since we found it
        raise InvalidRequest(f"the key {old.prefix} is over: give its account another one instead")
    expires_at = old.expires_at and now + (old.expires_at - old.created_at)
    key = issue_key(
        session, old.account_id, now=now, scopes=tuple(old.scopes), expires_at=expires_at
    )
    return Rotation(key, old.scopes, expires_at, old.prefix, old_expires_at)


def revoke_key(session: Session, named: str) -> str:
    """Delete the key, so that it ends at once whatever any clock says; return its prefix.

    Raises what find_key() raises.
    """
    key = find_key(session, named)
    session.execute(delete(api_keys).where(api_keys.c.id == key.id))
    return str(key.prefix)


def _as_id(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def _hash(key: str) -> str:
    # no salt and no stretching: the key is random, there is nothing to guess
    return hashlib.sha256(key.encode()).hexdigest()
