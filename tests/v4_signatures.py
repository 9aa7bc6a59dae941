"""Whether a request with a V4 signature is one that Google Cloud Storage would believe.

Written from https://cloud.google.com/storage/docs/authentication/canonical-requests and
https://cloud.google.com/storage/docs/authentication/signatures, not from the library that signs.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl, quote, urlsplit

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

ALGORITHM = "GOOG4-RSA-SHA256"
LONGEST = timedelta(days=7)


class Distrusted(Exception):
    """Why a request is not believed, and the status that Google answers."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


def verify(
    method: str,
    target: str,
    headers: Mapping[str, str],
    *,
    account: str,
    key: rsa.RSAPublicKey,
    now: datetime,
) -> None:
    """Raise Distrusted unless just this request was signed by the account, and still holds."""
    url = urlsplit(target)
    said = parse_qsl(url.query, keep_blank_values=True)
    query = dict(said)
    if len(query) != len(said):
        raise Distrusted(400, "InvalidQueryParameterValue: given twice")
    signature = query.pop("X-Goog-Signature", "")
    try:
        signed_at = datetime.strptime(query["X-Goog-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        expires_in = timedelta(seconds=int(query["X-Goog-Expires"]))
        signed_headers = query["X-Goog-SignedHeaders"].split(";")
        scope = f"{signed_at:%Y%m%d}/auto/storage/goog4_request"
        said_by = query["X-Goog-Algorithm"], query["X-Goog-Credential"]
    except (KeyError, ValueError) as error:
        raise Distrusted(400, f"MalformedSecurityHeader: {error!r}") from error
    if said_by != (ALGORITHM, f"{account}/{scope}"):
        raise Distrusted(403, "SignatureDoesNotMatch: algorithm or credential")
    if "host" not in signed_headers:
        raise Distrusted(400, "MalformedSecurityHeader: the host is not signed")
    present = {name.lower(): value for name, value in headers.items()}
    unsigned = {name for name in present if name.startswith("x-goog-")} - set(signed_headers)
    if unsigned:
        raise Distrusted(400, f"MalformedSecurityHeader: not signed: {unsigned}")
    canonical = "\n".join(
        [
            method,
            url.path,
            "&".join(f"{_encoded(name)}={_encoded(query[name])}" for name in sorted(query)),
            *[f"{name}:{' '.join(present.get(name, '').split())}" for name in signed_headers],
            "",
            ";".join(signed_headers),
            present.get("x-goog-content-sha256", "UNSIGNED-PAYLOAD"),
        ]
    )
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    to_sign = "\n".join([ALGORITHM, query["X-Goog-Date"], scope, digest])
    try:
        key.verify(bytes.fromhex(signature), to_sign.encode(), padding.PKCS1v15(), hashes.SHA256())
    except (InvalidSignature, ValueError) as error:
        raise Distrusted(403, "SignatureDoesNotMatch") from error
    if not timedelta(0) < expires_in <= LONGEST:
        raise Distrusted(400, "InvalidArgument: X-Goog-Expires")
    if not signed_at <= now < signed_at + expires_in:
        raise Distrusted(400, "ExpiredToken")


def _encoded(text: str) -> str:
    return quote(text, safe="-_.~")
