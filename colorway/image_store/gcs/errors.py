"""What the errors of Google's libraries, and answers without success, mean for us."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

from google.auth.exceptions import GoogleAuthError, TransportError

from colorway.errors import ColorwayError, NotFound, TryLater
from colorway.image_store.wire import busy, misconfigured

_NO_BUCKET = "bucket does not exist"
_PASSING = (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS)
_MENDING: dict[int, tuple[str, str]] = {
    HTTPStatus.UNAUTHORIZED: (
        "the image store does not know our credentials",
        "see that the service account exists and is enabled",
    ),
    HTTPStatus.FORBIDDEN: (
        "the image store does not let us in",
        "give the service account roles/storage.objectUser on the bucket",
    ),
    HTTPStatus.NOT_FOUND: (
        "the bucket of the image store is not there",
        "create the bucket, or correct IMAGE_STORE",
    ),
}
_ELSE = "the image store refuses what we ask", "see what it said"


def refusal(
    status: int, headers: Mapping[str, str], said: str, *, key: str | None, bucket: str
) -> ColorwayError:
    """Return the error that an answer means; where a key is given, it may be missing.

    A missing bucket is 404, too, and must not be taken for a missing object: that would fail
    colorways for good.
    """
    if status == HTTPStatus.NOT_FOUND and key is not None and _NO_BUCKET not in said:
        return NotFound(f"nothing is stored under {key}")
    if status in _PASSING or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return busy(status, headers)
    detail, advice = _MENDING.get(status, _ELSE)
    return misconfigured(detail, advice, bucket=bucket, status=status, said=said)


def no_signature(status: int, headers: Mapping[str, str], said: str, account: str) -> ColorwayError:
    """Return the error that an answer of IAM means."""
    if status in _PASSING or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return busy(status, headers)
    return misconfigured(
        "links cannot be signed",
        "give the service account roles/iam.serviceAccountTokenCreator on itself",
        account=account,
        status=status,
        said=said,
    )


def no_token(error: GoogleAuthError) -> ColorwayError:
    """Return the error that one on the way to a token means."""
    if error.retryable or any(isinstance(e, TransportError) for e in (error, error.__cause__)):
        return TryLater(f"no token for the image store: {type(error).__name__}")
    return misconfigured(
        "there are no credentials for the image store",
        "run as a service account, or set GOOGLE_APPLICATION_CREDENTIALS",
        said=str(error),
    )
