"""What both services read from the environment; each adds its own in its settings.py."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any, Literal, TypeVar

from pydantic import (
    BeforeValidator,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict


def _seconds(value: Any) -> Any:
    try:
        return float(value)
    except (TypeError, ValueError):
        return value


def _split(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    return [part.strip() for part in value.split(",") if part.strip()]


Duration = Annotated[timedelta, BeforeValidator(_seconds)]
"""A number of seconds, or ISO 8601 (`PT1M30S`)."""

ServiceUrl = Annotated[str, Field(pattern=r"^https?://.*[^/]$")]
"""The root URL of a service, with no slash at its end."""

Emails = Annotated[frozenset[str], NoDecode, BeforeValidator(_split)]
"""Addresses, separated by commas."""


_BUCKET = "[a-z0-9][a-z0-9._-]+[a-z0-9]"
_PREFIX_PART = "[A-Za-z0-9_-][A-Za-z0-9_.-]*"  # as in the store's keys


class LedgerSettings(BaseSettings):
    """All that a command needs which works on the ledger alone."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore")

    # not in the repr: it may hold a password
    database_url: str = Field(
        pattern=r"^(sqlite(\+pysqlite)?|postgresql(\+psycopg)?)://",
        repr=False,
        description="SQLAlchemy URL of the ledger",
    )


class StoreSettings(BaseSettings):
    """All that it takes to open the image store."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore")

    image_store: str = Field(
        pattern=rf"^(file:///|(gs|supabase)://{_BUCKET}(/{_PREFIX_PART})*/?$)",
        description="where pictures lie: `file:///folder`, `gs://bucket/prefix` or "
        "`supabase://bucket/prefix`",
    )
    link_signing_key: SecretStr = Field(
        min_length=32,
        description="signs the links of the local folder store; 32 characters or more",
    )
    supabase_url: ServiceUrl | None = Field(
        default=None,
        validate_default=True,
        description="the project's root URL, for `supabase://`; links to pictures lead there",
    )
    supabase_key: SecretStr | None = Field(
        default=None,
        validate_default=True,
        description="the project's secret key (`sb_secret_…`) or service_role key, for `supabase://`",
    )

    @field_validator("supabase_url", "supabase_key")
    @classmethod
    def _needed_for_supabase(cls, value: Any, info: ValidationInfo) -> Any:
        if not value and info.data.get("image_store", "").startswith("supabase://"):
            raise ValueError("needed where IMAGE_STORE is supabase://…")
        return value


class SharedSettings(StoreSettings, LedgerSettings):
    """Settings on which dispatcher and worker must agree."""

    oidc_issuer: str = Field(
        default="https://accounts.google.com", description="who must have signed a caller's token"
    )
    oidc_certs_url: str = Field(
        default="https://www.googleapis.com/oauth2/v3/certs",
        description="where the issuer publishes its keys, as a JWK set",
    )
    oidc_callers: Emails = Field(
        min_length=1,
        description="whose tokens open the internal routes: e-mails, separated by commas",
    )
    google_cloud_project: str | None = Field(
        default=None, description="the project whose traces the log lines name"
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        default="INFO", description="the least severe log lines that are written"
    )


S = TypeVar("S", bound=BaseSettings)


@dataclass(frozen=True, slots=True)
class SettingFlaw:
    """One variable that is missing or malformed, and what it should say; never its value."""

    name: str
    complaint: str
    meaning: str


def flaws_of(error: ValidationError, kind: type[BaseSettings]) -> Iterator[SettingFlaw]:
    """Yield everything that is wrong with an environment."""
    for flaw in error.errors():
        field = kind.model_fields.get(str(flaw["loc"][0]))
        name = "_".join(str(part) for part in flaw["loc"]).upper()
        yield SettingFlaw(name, flaw["msg"], (field and field.description) or "")


def read_settings(kind: type[S]) -> S:
    """Read the environment once; a bad one ends the process with everything wrong with it."""
    try:
        return kind()
    except ValidationError as error:
        for flaw in flaws_of(error, kind):
            print(f"setting {flaw.name}: {flaw.complaint}", file=sys.stderr)  # noqa: T201 - no log yet
        print("docs/settings.md describes every setting", file=sys.stderr)  # noqa: T201
        raise SystemExit(2) from None
