"""When a failed task is tried again, and when it is given up. Pure.

Source: "RetryConfig" in the Cloud Tasks v2 reference, whose example is a test here.
"""

from dataclasses import dataclass

# "Quotas and limits": maximum task retention. No task outlives it, whatever its queue says.
RETENTION = 31 * 24 * 3600.0

UNLIMITED = -1


@dataclass(frozen=True, slots=True)
class RetryRules:
    """A queue's RetryConfig. Durations are in seconds; the defaults are the vendor's."""

    max_attempts: int = 100  # -1: no limit
    max_retry_duration: float = 0.0  # counted from the first attempt; 0: no limit
    min_backoff: float = 0.1
    max_backoff: float = 3600.0
    max_doublings: int = 16


def backoff(rules: RetryRules, failures: int) -> float:
    """Seconds between the given failure (1 for the first) and the next attempt.

    Doubled max_doublings times, then growing by the last doubled step, never above max_backoff.
    """
    doublings = min(failures - 1, rules.max_doublings)
    if doublings > 64:  # above any maximum, and soon too large for a float
        return rules.max_backoff
    step = rules.min_backoff * 2.0**doublings
    linear_steps = failures - doublings
    return min(step * linear_steps, rules.max_backoff)


def is_given_up(
    rules: RetryRules, *, attempts: int, since_first_attempt: float, since_creation: float
) -> bool:
    """Whether a task that has just failed is deleted instead of tried again. Ages in seconds.

    Attempts and duration must both be spent, as far as they are limited: 3 attempts with an hour
    mean that the third failure ends nothing before the hour is over.
    """
    if since_creation >= RETENTION:
        return True
    limits = []
    if rules.max_attempts != UNLIMITED:
        limits.append(attempts >= rules.max_attempts)
    if rules.max_retry_duration > 0:
        limits.append(since_first_attempt >= rules.max_retry_duration)
    return bool(limits) and all(limits)
