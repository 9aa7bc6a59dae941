"""Is the caller who it must be? Checks Google-style OIDC tokens, for worker and internal routes.

Signature, audience, issuer, expiry and `email_verified` are not enough: any Google account can
mint a token for any audience. Therefore the e-mail must be on our list too.
https://cloud.google.com/tasks/docs/creating-http-target-tasks#token
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta

import jwt

from colorway.errors import Forbidden, TryLater, Unauthenticated

_REQUIRED = ["exp", "iat", "iss", "aud", "email"]
_CLOCK_SKEW_S = 10


class CallerCheck:
    """Knows whose tokens to accept; keys are fetched hourly, and when an unknown one appears.

    For an unknown key no more often than `keys_rest_for`: whoever calls may name unknown keys.
    """

    def __init__(
        self,
        *,
        audience: str,
        issuer: str,
        certs_url: str,
        emails: Collection[str],
        keys_rest_for: timedelta = timedelta(seconds=5),
    ) -> None:
        self._audience = audience
        self._issuer = issuer
        self._emails = frozenset(emails)
        self._keys = jwt.PyJWKClient(
            certs_url,
            lifespan=3600,
            timeout=5,
            cooldown_duration=keys_rest_for.total_seconds(),
        )

    def require_caller(self, authorization: str | None) -> str:
        """Return the caller's e-mail, given the Authorization header.

        Raises Unauthenticated where there is no token that we can believe, Forbidden where it is
        somebody else's, and TryLater where the issuer's keys cannot be fetched.
        """
        scheme, _, token = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise Unauthenticated("send an OIDC token as `Authorization: Bearer …`")
        claims = self._verified(token)
        email = claims["email"]
        is_known = isinstance(email, str) and email in self._emails
        if not is_known or claims.get("email_verified") is not True:
            raise Forbidden("this caller is not on the list")
        return str(email)

    def require_keys(self) -> None:
        """Raise TryLater unless the issuer's keys can be fetched."""
        try:
            self._keys.get_signing_keys()
        except (jwt.PyJWTError, OSError, ValueError) as error:
            raise TryLater("the token issuer's keys cannot be fetched") from error

    def _verified(self, token: str) -> dict[str, object]:
        try:
            return jwt.decode(
                token,
                self._key_of(token),
                algorithms=["RS256"],
                audience=self._audience,
                issuer=self._issuer,
                leeway=_CLOCK_SKEW_S,
                options={"require": _REQUIRED},
            )
        except (jwt.PyJWTError, ValueError) as error:
            raise Unauthenticated(f"the token is not valid: {error}") from error

    def _key_of(self, token: str) -> jwt.PyJWK:
        name = jwt.get_unverified_header(token).get("kid")
        if not name:
            raise jwt.InvalidTokenError("it does not name its key")
        self.require_keys()  # so that what goes wrong here is the issuer's trouble,
        try:
            return self._keys.get_signing_key(name)  # and here the token's, unless he is away now
        except (jwt.PyJWKClientConnectionError, OSError, ValueError) as error:
            raise TryLater("the token issuer's keys cannot be fetched") from error
