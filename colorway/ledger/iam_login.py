"""Logins to Cloud SQL as the service account that we run as: its token is the password.

A token counts when a connection is made, however long that lasts. Google's libraries come in with
this module, so import it only where such a login is wanted.
https://cloud.google.com/sql/docs/postgres/iam-logins
"""

from __future__ import annotations

import threading
from typing import Any

import google.auth
from google.auth.credentials import Credentials, TokenState
from google.auth.exceptions import GoogleAuthError
from google.auth.transport.requests import Request
from sqlalchemy import Engine, event

from colorway.errors import TryLater

_SCOPES = ("https://www.googleapis.com/auth/sqlservice.login",)


def bring_tokens(engine: Engine) -> None:
    """Let new connections of this engine log in by a fresh token; TryLater if there is none."""
    tokens = _Tokens()

    @event.listens_for(engine, "do_connect")
    def bring(_dialect: Any, _record: Any, _args: Any, arguments: dict[str, Any]) -> None:
        arguments["password"] = tokens.fresh()


class _Tokens:
    """Whose they are is found out at the first use, so after fork."""

    def __init__(self) -> None:
        self._asking = threading.Lock()
        self._identity: Credentials | None = None

    def fresh(self) -> str:
        with self._asking:
            try:
                if self._identity is None:
                    self._identity, _project = google.auth.default(scopes=_SCOPES)
                if self._identity.token_state is not TokenState.FRESH:
                    self._identity.refresh(Request())
            except GoogleAuthError as error:
                raise TryLater("there is no token to log in to the ledger with") from error
            return str(self._identity.token)
