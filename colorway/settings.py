"""What both services read from the environment; each adds its own in its settings.py."""

from __future__ import annotations

import sys
from datetime import timedelta
from typing import Annotated, Any, TypeVar

from pydantic import BeforeValidator, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict


def _seconds(value: Any) -> Any:
    try:
        return float(value)
    except (TypeError, ValueError):
        return value


def _split(value: Any) -> Any:
    return [part.strip() for part in value.split(",")] if isinstance(value, str) else value


Duration = Annotated[timedelta, BeforeValidator(_seconds)]
"""A number of seconds, or ISO 8601 (`PT1M30S`)."""

Emails = Annotated[frozenset[str], NoDecode, BeforeValidator(_split)]
"""Addresses, separated by commas."""


class SharedSettings(BaseSettings):
    """Settings on which dispatcher and worker must agree."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore")

    database_url: str = Field(description="SQLAlchemy URL of the ledger")
    image_store: str = Field(description="where pictures lie: `file:///folder`")
    link_signing_key: SecretStr = Field(
        min_length=32,
        description="signs the links of the local folder store; 32 characters or more",
    )
    oidc_issuer: str = Field(
        default="https://accounts.google.com", description="who must have signed a caller's token"
    )
    oidc_certs_url: str = Field(
        default="https://www.googleapis.com/oauth2/v3/certs",
        description="where the issuer publishes its keys, as a JWK set",
    )
    oidc_callers: Emails = Field(
        description="whose tokens open the internal routes: e-mails, separated by commas"
    )
    log_level: str = Field(default="INFO", description="`DEBUG`, `INFO`, `WARNING` or `ERROR`")
    threads: int = Field(
        default=8, ge=1, le=256, description="request threads of one process, and its connections"
    )


S = TypeVar("S", bound=BaseSettings)


def read_settings(kind: type[S]) -> S:
    """Read the environment once; a bad one ends the process with everything wrong with it."""
    try:
        return kind()
    except ValidationError as error:
        for flaw in error.errors():
            name = "_".join(str(part) for part in flaw["loc"]).upper()
            print(f"setting {name}: {flaw['msg']}", file=sys.stderr)  # noqa: T201 - no log yet
        print("docs/settings.md describes every setting", file=sys.stderr)  # noqa: T201
        raise SystemExit(2) from None
