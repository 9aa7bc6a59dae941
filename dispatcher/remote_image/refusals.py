"""What a client is told: what was wrong with the URL, and nothing of what we have seen behind it.

`source-blocked` is what we do not fetch and never will, `source-unreachable` what may work at
another time. What a host says in its answer is never repeated, nor what a name leads to; both are
in the log.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPException

import structlog

from colorway.errors import Flaw, InvalidRequest, Refused

log = structlog.get_logger()

POINTER = "#/image/url"


def blocked(detail: str) -> InvalidRequest:
    """Return the error for what we do not fetch."""
    return InvalidRequest(detail, code="source-blocked")


def unreachable(detail: str) -> InvalidRequest:
    """Return the error for what cannot be fetched now."""
    return InvalidRequest(detail, code="source-unreachable")


@contextmanager
def blaming(host: str) -> Iterator[None]:
    """Raise InvalidRequest for what goes wrong between this host and us."""
    try:
        yield
    except ssl.SSLCertVerificationError as error:
        raise unreachable(
            f"the certificate of {host} is not valid: {error.verify_message}"
        ) from error
    except TimeoutError as error:
        raise unreachable(f"{host} took too long") from error
    except (OSError, HTTPException, ValueError) as error:  # ValueError: a size that is no number
        log.info("source failed", host=host, reason=repr(error))
        raise unreachable(
            f"{host} could not be reached, or broke off, or does not speak HTTP"
        ) from error


@contextmanager
def pointing_at_the_url() -> Iterator[None]:
    """Say with every refusal that it is the URL's."""
    try:
        yield
    except Refused as error:
        error.flaws = (Flaw(POINTER, error.code, error.detail),)
        raise
