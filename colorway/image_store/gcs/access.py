"""What a process has open to Google Cloud: one session, one bucket, and what signs."""

from __future__ import annotations

import base64
import os
from dataclasses import dataclass
from typing import Any, Self

import google.auth
import requests
from google.auth.credentials import Credentials, Signing
from google.auth.transport.requests import AuthorizedSession, Request
from google.cloud.storage import Bucket, Client

from colorway.image_store.gcs.errors import no_signature
from colorway.image_store.wire import keep_connections, misconfigured

# else a thread of the library asks, for traces, what only some roles may know of a bucket
os.environ.setdefault("DISABLE_GCS_PYTHON_CLIENT_OTEL_BUCKET_METADATA", "true")

SCOPES = ("https://www.googleapis.com/auth/cloud-platform",)
"""The bucket, and signBlob; the library's own would do for the bucket alone."""


@dataclass(frozen=True, slots=True)
class Access:
    """The session has the token, the bucket makes calls about objects by it, `url` is where."""

    session: AuthorizedSession
    bucket: Bucket
    url: str
    signing: Signing

    @classmethod
    def to(
        cls, bucket: str, credentials: Credentials | None, iam: str, timeout: tuple[float, float]
    ) -> Self:
        """Return access by these credentials, or the environment's; may raise GoogleAuthError."""
        if credentials is None:
            credentials, _ = google.auth.default(scopes=SCOPES)
        # no second try by itself where a token was refused: a body can be sent only once
        session = AuthorizedSession(credentials, refresh_status_codes=())
        keep_connections(session)
        client = Client(project=None, credentials=credentials, _http=session)
        signing: Signing = SigningByIam(session, iam, timeout)
        if isinstance(credentials, Signing):  # they have a key, or know who has
            signing = credentials
        return cls(session, client.bucket(bucket), client.api_endpoint, signing)


class SigningByIam(Signing):
    """Signs as the service account whose token the session has, without any key of ours.

    https://cloud.google.com/iam/docs/reference/credentials/rest/v1/projects.serviceAccounts/signBlob
    """

    def __init__(self, session: AuthorizedSession, iam: str, timeout: tuple[float, float]) -> None:
        self._session = session
        self._iam = iam
        self._timeout = timeout

    @property
    def signer_email(self) -> str:
        """The service account's e-mail, once its metadata server was asked."""
        credentials: Any = self._session.credentials
        if getattr(credentials, "service_account_email", None) == "default":
            with requests.Session() as plain:
                credentials.refresh(Request(plain))
        email = getattr(credentials, "service_account_email", None)
        if email is None:
            raise misconfigured("links cannot be signed", "use credentials of a service account")
        return str(email)

    @property
    def signer(self) -> Self:
        """This is its own signer."""
        return self

    def sign_bytes(self, message: bytes) -> bytes:
        """Return the RSA signature (SHA-256) of the message."""
        account = self.signer_email
        answer = self._session.post(
            f"{self._iam}/v1/projects/-/serviceAccounts/{account}:signBlob",
            json={"payload": base64.b64encode(message).decode()},
            timeout=self._timeout,
        )
        with answer:
            if not answer.ok:
                raise no_signature(answer.status_code, answer.headers, answer.text, account)
            return base64.b64decode(answer.json()["signedBlob"])
