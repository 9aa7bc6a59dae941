"""Every error we raise on purpose, named for what should happen next.

ColorwayError
├── Refused      the caller must change the request: an HTTP 4xx, never retried
│   ├── Malformed · Unauthenticated · Forbidden · NotFound · Conflict
│   ├── TooSlow · Gone · TooLarge · WrongMediaType · InvalidRequest
│   └── TooMany  or come later, where `retry_after` says so
├── TryLater     shared trouble, nothing is wrong with the request: the queue brings it back
│   └── Misconfigured  which will not pass before an operator has changed something
├── LeaseLost    another attempt has taken over: stop, write nothing
└── Hopeless     no retry can help: the colorway is marked failed
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar


class ColorwayError(Exception):
    """Any error of ours; what is not one of these is a bug."""


@dataclass(frozen=True, slots=True)
class Flaw:
    """One thing wrong with a request: where (RFC 6901 pointer into the job document) and what."""

    pointer: str
    code: str
    detail: str


class Refused(ColorwayError):
    """The request cannot be served as it is; `status` is for HTTP, `code` is its stable name.

    `retry_after` is in seconds, where the very same request may succeed by itself later.
    """

    status: ClassVar[int] = 400
    default_code: ClassVar[str] = "malformed"

    def __init__(
        self,
        detail: str,
        *,
        code: str | None = None,
        flaws: tuple[Flaw, ...] = (),
        retry_after: int | None = None,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.code = code or self.default_code
        self.flaws = flaws
        self.retry_after = retry_after


class Malformed(Refused):
    """Not JSON, not multipart, not HTTP as we speak it."""


class Unauthenticated(Refused):
    """No caller, or one we cannot believe."""

    status = 401
    default_code = "unauthenticated"


class Forbidden(Refused):
    """A caller we know, who may not do this."""

    status = 403
    default_code = "forbidden"


class NotFound(Refused):
    """There is no such thing, or it is another account's."""

    status = 404
    default_code = "not-found"


class TooSlow(Refused):
    """What should be here has not come in time."""

    status = 408
    default_code = "request-timeout"


class Conflict(Refused):
    """The thing is in a state that does not allow this; `code` says which."""

    status = 409
    default_code = "not-ready"


class Gone(Refused):
    """It was there until it expired."""

    status = 410
    default_code = "expired"


class TooLarge(Refused):
    """More bytes than we take; the detail names the limit."""

    status = 413
    default_code = "too-large"


class WrongMediaType(Refused):
    """A Content-Type this route does not read."""

    status = 415
    default_code = "media-type"


class InvalidRequest(Refused):
    """Well-formed, but not valid; `flaws` lists everything wrong at once."""

    status = 422
    default_code = "validation"


class TooMany(Refused):
    """More than this caller may have at a time."""

    status = 429
    default_code = "quota-exceeded"


class TryLater(ColorwayError):
    """Shared trouble: store, ledger or queue away, or no room here. `retry_after` is in seconds.

    A colorway that must wait for that reason shows the `code` as its error.
    """

    def __init__(self, detail: str, *, retry_after: int = 5, code: str = "unavailable") -> None:
        super().__init__(detail)
        self.retry_after = retry_after
        self.code = code


class Misconfigured(TryLater):
    """Trouble that only an operator can end: a key, a right, a bucket's limits.

    It is no reason to fail what waits for its end, and none to ask again soon. Clients may see the
    detail; `advice` is for the operator alone.
    """

    def __init__(self, detail: str, *, retry_after: int = 300, advice: str = "") -> None:
        super().__init__(detail, retry_after=retry_after)
        self.advice = advice


class LeaseLost(ColorwayError):
    """The fence has moved on: whatever this attempt made is no longer wanted."""


class Hopeless(ColorwayError):
    """This colorway can never be rendered; `code` and `phase` become its error in the API.

    `phase` is one of `fetch`, `decode`, `render`, `encode`, `upload`.
    """

    def __init__(self, detail: str, *, code: str, phase: str) -> None:
        super().__init__(detail)
        self.code = code
        self.phase = phase
