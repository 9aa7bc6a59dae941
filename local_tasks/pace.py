"""How fast a queue may dispatch: a token bucket. Pure; the caller brings the time.

Source: "RateLimits" in the Cloud Tasks v2 reference.
"""


class TokenBucket:
    """Holds up to `burst` tokens, refilled at `rate` per second. It starts full."""

    def __init__(self, rate: float, burst: int, *, now: float) -> None:
        self._rate = rate
        self._burst = burst
        self._tokens = float(burst)
        self._counted_at = now

    def ready_at(self, now: float) -> float:
        """When the next token is there: now, or later."""
        self._refill(now)
        if self._tokens >= 1.0:
            return now
        return now + (1.0 - self._tokens) / self._rate

    def take(self, now: float) -> None:
        """Spend a token; ready_at() has said that there is one."""
        self._refill(now)
        self._tokens -= 1.0

    def _refill(self, now: float) -> None:
        # A clock that was set back must not take tokens away.
        passed = max(now - self._counted_at, 0.0)
        self._tokens = min(self._burst, self._tokens + passed * self._rate)
        self._counted_at = now
