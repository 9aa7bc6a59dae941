"""Trouble that passes within seconds is waited out inside an attempt; longer trouble, by the queue.

To give back at the first hiccup would throw away what was rendered, and slow the whole queue down.
"""

from __future__ import annotations

from collections.abc import Callable

import structlog
from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception,
    stop_after_attempt,
    wait_exponential_jitter,
)

from colorway.errors import TryLater

log = structlog.get_logger()

MOST_TRIES = 4
MOST_PATIENCE_S = 5
_WAIT = wait_exponential_jitter(multiplier=0.5, jitter=0.5)  # 3.5 to 5 seconds in all


class MustStop(TryLater):
    """The attempt must end now, whatever it is at: patience does not help."""


def patiently(pause: Callable[[float], None]) -> Retrying:
    """Return what calls a function again, a few times, where it raises TryLater.

    Between two tries it pauses so many seconds; what `pause` raises ends it, and so does MustStop.
    Whoever asks for more time than this has (a store that is rate-limited or misconfigured) gets it
    from the queue.
    """
    return Retrying(
        retry=retry_if_exception(_passes_soon),
        stop=stop_after_attempt(MOST_TRIES),
        wait=_WAIT,
        sleep=pause,
        before_sleep=_tell,
        reraise=True,
    )


def _passes_soon(error: BaseException) -> bool:
    if isinstance(error, MustStop):
        return False
    return isinstance(error, TryLater) and error.retry_after <= MOST_PATIENCE_S


def _tell(state: RetryCallState) -> None:
    error = state.outcome.exception() if state.outcome else None
    log.warning("trouble, tried again", reason=str(error), tries=state.attempt_number)
