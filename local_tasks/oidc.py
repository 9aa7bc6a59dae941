"""Identity tokens as Google makes them for service accounts, signed with a key of our own.

The key is made at the first start and kept in the store, so tokens outlive a restart. Whoever
checks a token fetches the public key from /certs. Source of the claims: "OIDC tokens" and
"Get an ID token" of the vendor; azp and sub are the account's number, here derived from its name.
"""

import hashlib
import threading
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

from local_tasks.clock import Clock

TOKEN_LASTS_FOR = 3600
# Handlers see tokens that are good for at least this many seconds.
RENEWED_BEFORE_END = 300
# The default audience is the task's whole URL, so there may be any number of them.
CACHED_AT_MOST = 1000


def new_key_pem() -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()


class TokenMint:
    """Signs tokens, and hands out one per account and audience until it is nearly over."""

    def __init__(self, key_pem: str, *, issuer: str, clock: Clock) -> None:
        # The object, not the text: parsing it for each token would cost a hundred signatures.
        # It is our own, so its primes need no proof either, which would take 30 ms.
        key = serialization.load_pem_private_key(
            key_pem.encode(), password=None, unsafe_skip_rsa_key_validation=True
        )
        if not isinstance(key, rsa.RSAPrivateKey):
            raise TypeError("the signing key must be an RSA key")
        self._key = key
        self._issuer = issuer
        self._clock = clock
        self._jwk = RSAAlgorithm.to_jwk(key.public_key(), as_dict=True)
        self._key_id = hashlib.sha256(self._jwk["n"].encode()).hexdigest()[:40]
        self._cached: dict[tuple[str, str], tuple[str, int]] = {}
        self._lock = threading.Lock()

    def token(self, account: str, audience: str) -> str:
        now = int(self._clock.now())
        with self._lock:
            token, expires_at = self._cached.get((account, audience), ("", 0))
            if now < expires_at - RENEWED_BEFORE_END:
                return token
            if len(self._cached) >= CACHED_AT_MOST:
                self._cached.clear()
            token = self._sign(account, audience, now)
            self._cached[account, audience] = token, now + TOKEN_LASTS_FOR
            return token

    def certificates(self) -> dict[str, Any]:
        """The public key as a JSON Web Key Set."""
        return {"keys": [self._jwk | {"kid": self._key_id, "alg": "RS256", "use": "sig"}]}

    def _sign(self, account: str, audience: str, now: int) -> str:
        number = str(int(hashlib.sha256(account.encode()).hexdigest(), 16))[:21]
        claims = {
            "iss": self._issuer,
            "aud": audience,
            "azp": number,
            "sub": number,
            "email": account,
            "email_verified": True,
            "iat": now,
            "exp": now + TOKEN_LASTS_FOR,
        }
        return jwt.encode(claims, self._key, algorithm="RS256", headers={"kid": self._key_id})
