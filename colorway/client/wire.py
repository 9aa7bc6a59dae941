"""HTTP with patience: what may safely be repeated is repeated, until time is up.

That is what the service has put off (429, 503, a submission whose twin is still under way); and,
of calls that do no harm when they are made twice, whatever got no whole answer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypedDict, TypeVar, Unpack

import requests
from requests.exceptions import (
    ChunkedEncodingError,
    ContentDecodingError,
    RequestException,
    SSLError,
)
from tenacity import RetryCallState, Retrying, retry_if_exception, wait_random_exponential

from colorway.client.answers import Reader, expecting, host, problem_in
from colorway.client.errors import ApiProblem, ConnectionFailed, UnexpectedAnswer
from colorway.client.files import Stream

LONGEST_PAUSE_S = 8
_CONNECT_S = 5
_PAUSE_S = wait_random_exponential(multiplier=0.5, max=LONGEST_PAUSE_S)
_UNCLEAR = {502, 504}  # a proxy's words: the service may have done it or not

T = TypeVar("T")


class Content(TypedDict, total=False):
    """What a call carries besides its address."""

    params: dict[str, str]
    headers: dict[str, str]
    data: Stream | bytes


class Wire:
    """One service, an API key, and how long to be patient; Client tells what the parameters are."""

    def __init__(
        self,
        base_url: str,
        api_key: str,
        *,
        patience_s: float,
        silence_s: float,
        sleep: Callable[[float], None],
        clock: Callable[[], float],
    ) -> None:
        self._base_url = base_url
        self._patience_s = patience_s
        self._timeouts = (_CONNECT_S, silence_s)
        self._sleep = sleep
        self._clock = clock
        self._calls = _session(f"Bearer {api_key}")
        self._links = _session(None)  # whoever a link leads to, our key is not for them

    def call(
        self,
        method: str,
        path: str,
        read: Reader[T],
        *,
        is_idempotent: bool = True,
        **content: Unpack[Content],
    ) -> T:
        """Return what `read` makes of the answer, which it may stream."""
        tries = self._tries(is_idempotent=is_idempotent)
        return tries(lambda: self._ask(self._calls, method, path, read, **content))

    def call_once(self, path: str, read: Reader[T]) -> T:
        """GET without any patience."""
        return self._ask(self._calls, "GET", path, read)

    def delete(self, path: str) -> None:
        """Delete; gone already is fine, where an earlier try may have done it."""
        tries = self._tries(is_idempotent=True)
        try:
            tries(lambda: self._ask(self._calls, "DELETE", path, expecting(204)))
        except ApiProblem as problem:
            if problem.status != 404 or tries.statistics["attempt_number"] == 1:
                raise

    def follow(self, method: str, link: str, read: Reader[T], **content: Unpack[Content]) -> T:
        """Go where the service has sent us: it may be another host, which gets no key."""
        tries = self._tries(is_idempotent=True)
        return tries(lambda: self._ask(self._links, method, link, read, **content))

    def close(self) -> None:
        """Close the connections."""
        self._calls.close()
        self._links.close()

    def _ask(
        self,
        session: requests.Session,
        method: str,
        path: str,
        read: Reader[T],
        **content: Unpack[Content],
    ) -> T:
        url = path if "://" in path else self._base_url + path
        with (
            _in_our_words(url),
            session.request(
                method,
                url,
                **content,
                timeout=self._timeouts,
                stream=True,
                allow_redirects=session is self._links,
            ) as answer,
        ):
            if answer.status_code >= 400:
                raise problem_in(answer)
            return read(answer)

    def _tries(self, *, is_idempotent: bool) -> Retrying:
        began = self._clock()

        def is_over(state: RetryCallState) -> bool:
            """Whether the next try would begin too late."""
            return self._clock() - began + state.upcoming_sleep > self._patience_s

        return Retrying(
            retry=retry_if_exception(lambda error: _may_pass(error, is_idempotent=is_idempotent)),
            wait=_pause_s,
            stop=is_over,
            sleep=self._sleep,
            reraise=True,
        )


def _session(authorization: str | None) -> requests.Session:
    """Return a session that sends just this; an auth of its own keeps .netrc out."""

    def sign(request: requests.PreparedRequest) -> requests.PreparedRequest:
        if authorization is not None:
            request.headers["Authorization"] = authorization
        return request

    session = requests.Session()
    session.auth = sign
    return session


@contextmanager
def _in_our_words(url: str) -> Iterator[None]:
    try:
        yield
    except (
        requests.ConnectionError,
        requests.Timeout,
        ChunkedEncodingError,
        ContentDecodingError,
    ) as error:
        raise ConnectionFailed(f"no whole answer from {host(url)}: {_root(error)}") from error
    except RequestException as error:
        raise UnexpectedAnswer(f"{host(url)} cannot be asked: {error}") from error


def _may_pass(error: BaseException, *, is_idempotent: bool) -> bool:
    """Whether the same call may go well in a moment, and does no harm."""
    if isinstance(error, ConnectionFailed):
        return is_idempotent and not isinstance(error.__cause__, SSLError)
    if not isinstance(error, ApiProblem):
        return False
    if error.status in _UNCLEAR:
        return is_idempotent
    return error.retryable and error.code != "not-ready"  # a picture takes its time: see wait()


def _pause_s(state: RetryCallState) -> float:
    """Return what the service asks for, and on top of it a random time that grows."""
    error = state.outcome.exception() if state.outcome else None
    asked_s = error.retry_after_s if isinstance(error, ApiProblem) else None
    return (asked_s or 0.0) + _PAUSE_S(state)


def _root(error: BaseException) -> str:
    """Return what was at the bottom of it: a refused connection, a name nobody knows, silence."""
    while (cause := error.__cause__ or error.__context__) is not None:
        error = cause
    return str(error) or type(error).__name__
