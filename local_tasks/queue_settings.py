"""What a queue is told when it is made: how fast, how many at once, how to retry.

Source of limits and defaults: "RateLimits" and "RetryConfig" in the Cloud Tasks v2 reference, and
"Configure Cloud Tasks queues". The wording of refusals is the real service's.
"""

import json
import math
import re
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

from local_tasks.retry import UNLIMITED, RetryRules

QUEUE_NAME = re.compile(
    r"projects/[A-Za-z0-9.:-]+/locations/[A-Za-z0-9-]+/queues/[A-Za-z0-9-]{1,100}"
)
QUEUE_NAME_RULE = (
    'Queue name must be formatted: "projects/<PROJECT_ID>/locations/<LOCATION_ID>/'
    'queues/<QUEUE_ID>".'
)


@dataclass(frozen=True, slots=True)
class QueueSettings:
    """Checks itself: raises ValueError, worded as the real service words it."""

    max_dispatches_per_second: float = 500.0
    max_burst_size: int = 0  # 0: chosen from the rate, see burst
    max_concurrent_dispatches: int = 1000
    retry: RetryRules = field(default_factory=RetryRules)

    def __post_init__(self) -> None:
        for is_wrong, complaint in (
            (
                self.max_dispatches_per_second < 0,
                "RateLimits.maxDispatchesPerSecond cannot be negative.",
            ),
            (
                not 0 < self.max_dispatches_per_second <= 500,
                "RateLimits.maxDispatchesPerSecond must be less than or equal to 500.",
            ),
            (
                not 0 <= self.max_burst_size <= 500,
                "RateLimits.maxBurstSize must be between 1 and 500.",
            ),
            (
                self.max_concurrent_dispatches < 0,
                "RateLimits.maxConcurrentDispatches cannot be negative.",
            ),
            (
                not 0 < self.max_concurrent_dispatches <= 5000,
                "RateLimits.maxConcurrentDispatches must be less than or equal to 5000.",
            ),
            (
                self.retry.max_attempts < UNLIMITED,
                "RetryConfig.maxAttempts must be greater or equal to -1.",
            ),
            (self.retry.max_doublings < 0, "RetryConfig.maxDoublings cannot be negative."),
            (not self.retry.min_backoff >= 0, "RetryConfig.minBackoff cannot be negative."),
            (not self.retry.max_backoff >= 0, "RetryConfig.maxBackoff cannot be negative."),
            (
                not self.retry.max_retry_duration >= 0,
                "RetryConfig.maxRetryDuration cannot be negative.",
            ),
            (
                self.retry.min_backoff > self.retry.max_backoff,
                "RetryConfig.minBackoff must be less than or equal to RetryConfig.maxBackoff.",
            ),
        ):
            if is_wrong:
                raise ValueError(complaint)

    @property
    def burst(self) -> int:
        """Tokens a rested queue may spend at once.

        The vendor does not publish its rule; a queue at 500/s reports 100, one at 1/s reports 10.
        """
        return self.max_burst_size or min(
            max(math.ceil(self.max_dispatches_per_second / 5), 10), 100
        )

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "QueueSettings":
        values = json.loads(text)
        return cls(**(values | {"retry": RetryRules(**values["retry"])}))


RATE_FIELDS = {f.name: f.type for f in fields(QueueSettings) if f.name != "retry"}
RETRY_FIELDS = {f.name: f.type for f in fields(RetryRules)}


def parse_declaration(text: str) -> tuple[str, QueueSettings]:
    """Read "NAME[,setting=number…]" from the command line; raises ValueError."""
    name, *assignments = text.split(",")
    if not QUEUE_NAME.fullmatch(name):
        raise ValueError(f"{QUEUE_NAME_RULE} Got {name!r}.")
    rate: dict[str, Any] = {}
    retry: dict[str, Any] = {}
    for assignment in assignments:
        key, _, value = assignment.partition("=")
        if key in RATE_FIELDS:
            rate[key] = _number(key, value, RATE_FIELDS[key])
        elif key in RETRY_FIELDS:
            retry[key] = _number(key, value, RETRY_FIELDS[key])
        else:
            known = ", ".join((*RATE_FIELDS, *RETRY_FIELDS))
            raise ValueError(f"unknown queue setting {key!r}; there are: {known}")
    return name, replace(QueueSettings(retry=RetryRules(**retry)), **rate)


def _number(key: str, value: str, kind: Any) -> float | int:
    """Seconds may be written as 2, 0.5 or 2s, as in the vendor's own flags."""
    try:
        number = int(value) if kind is int else float(value.removesuffix("s"))
    except ValueError:
        raise ValueError(f"queue setting {key} must be a number, got {value!r}") from None
    if not math.isfinite(number):
        raise ValueError(f"queue setting {key} must be finite, got {value!r}")
    return number
