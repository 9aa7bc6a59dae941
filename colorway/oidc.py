"""Is the caller who it must be? Checks Google-style OIDC tokens, for worker and internal routes.

Signature, audience, issuer, expiry and `email_verified` are not enough: any Google account can
mint a token for any audience. Therefore the e-mail must be on our list too.
https://cloud.google.com/tasks/docs/creating-http-target-tasks#token
"""

from __future__ import annotations

from collections.abc import Collection

import jwt

from colorway.errors import Forbidden, TryLater, Unauthenticated

_REQUIRED = ["exp", "iat", "iss", "aud", "email"]
_CLOCK_SKEW_S = 10


class CallerCheck:
    """Knows whose tokens to accept; keys are fetched once and again when an unknown one appears."""

    def __init__(
        self, *, audience: str, issuer: str, certs_url: str, emails: Collection[str]
    ) -> None:
        self._audience = audience
        self._issuer = issuer
        self._emails = frozenset(emails)
        self._keys = jwt.PyJWKClient(certs_url, cache_keys=True, lifespan=3600, timeout=5)

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
        if claims.get("email_verified") is not True or email not in self._emails:
            raise Forbidden("this caller is not on the list")
        return str(email)

    def _verified(self, token: str) -> dict[str, object]:
        try:
            key = self._keys.get_signing_key_from_jwt(token)
            return jwt.decode(
                token,
                key,
                algorithms=["RS256"],
                audience=self._audience,
                issuer=self._issuer,
                leeway=_CLOCK_SKEW_S,
                options={"require": _REQUIRED},
            )
        except jwt.PyJWKClientConnectionError as error:
            raise TryLater("the token issuer's keys cannot be fetched") from error
        except jwt.PyJWTError as error:
            raise Unauthenticated(f"the token is not valid: {error}") from error
