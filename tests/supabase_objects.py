"""What the Supabase Storage of tests keeps, what it vouches for by tokens, and what it refuses."""

from __future__ import annotations

import re
import secrets
import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import jwt

SECRET_KEY = "sb_secret_" + "a" * 32
_JWT_SECRET = secrets.token_hex(32)
NAME = re.compile(r"[\w/!\-.*'() &$@=;:+,?]+", re.ASCII)


def jwt_key(role: str) -> str:
    """Return a legacy API key of this role."""
    return signed({"iss": "supabase", "role": role}, for_s=3600)


class Refusal(Exception):
    """An answer that is none of success, as JSON."""

    def __init__(self, http_status: int, **body: Any) -> None:
        super().__init__(http_status)
        self.http_status = http_status
        self.body = body


def refusal(status: int, code: str, message: str, error: str | None = None) -> Refusal:
    """Return a StorageBackendError as the service renders it."""
    told = {"statusCode": str(status), "code": code, "error": error or code, "message": message}
    return Refusal(500 if status == 500 else 400, **told)


def no_such_key() -> Refusal:
    return refusal(404, "NoSuchKey", "Object not found", "not_found")


@dataclass(slots=True)
class StoredFile:
    path: Path
    size: int
    media_type: str
    cache_control: str
    created_at: datetime
    updated_at: datetime


class Bucket:
    def __init__(self, file_size_limit: int | None) -> None:
        self.file_size_limit = file_size_limit
        self.files: dict[str, StoredFile] = {}


def is_signed(token: str) -> bool:
    """Whether it is a token of ours, for whatever."""
    try:
        claims_in(token)
    except Refusal:
        return False
    return True


def claims_in(token: str, *, ahead_s: int = 0) -> dict[str, Any]:
    """Return what a token says, or refuse it; so many seconds from now."""
    try:
        claims: dict[str, Any] = jwt.decode(
            token, _JWT_SECRET, algorithms=["HS256"], leeway=-ahead_s, options={"verify_iat": False}
        )
    except jwt.ExpiredSignatureError:
        raise refusal(400, "InvalidJWT", '"exp" claim timestamp check failed') from None
    except jwt.InvalidTokenError:
        raise refusal(400, "InvalidJWT", "signature verification failed") from None
    return claims


def signed(claims: dict[str, Any], *, for_s: int) -> str:
    now = int(time.time())
    return jwt.encode({**claims, "iat": now, "exp": now + for_s}, _JWT_SECRET)


def listed(name: str, file: StoredFile) -> dict[str, Any]:
    return {
        "id": str(uuid4()),
        "name": name,
        "created_at": js_time(file.created_at),
        "updated_at": js_time(file.updated_at),
        "metadata": {"size": file.size, "mimetype": file.media_type},
    }


def js_time(time: datetime) -> str:
    return time.isoformat(timespec="milliseconds").replace("+00:00", "Z")
