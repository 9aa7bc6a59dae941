"""API key → account. Every route under /v1 asks here first, and here its calls are counted."""

from __future__ import annotations

from collections.abc import Hashable
from datetime import UTC, datetime

from flask import Request, g
from structlog.contextvars import bind_contextvars

from colorway.errors import Forbidden, Unauthenticated
from colorway.ledger.accounts import Caller, Scope, caller_with
from colorway.ledger.connection import Ledger
from dispatcher.api.rate_limit import count_call


def caller_of(ledger: Ledger, request: Request, scope: Scope) -> Caller:
    """Return who sent this request, or raise Unauthenticated.

    TooMany if the key calls too often, Forbidden without the scope.
    """
    scheme, _, key = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not key:
        raise Unauthenticated("send your API key as `Authorization: Bearer …`")
    with ledger.reading() as session:
        caller = caller_with(session, key.strip(), now=datetime.now(UTC))
    g.account = caller.account
    bind_contextvars(account=str(caller.account))  # on every log line from here on
    count_call(caller)
    if scope not in caller.scopes:
        raise Forbidden(f"this API key lacks the scope {scope!r}")
    return caller


def calling_account() -> Hashable:
    """Return whose request this is; None if it came without a key, by a link."""
    account: Hashable = g.get("account")
    return account
