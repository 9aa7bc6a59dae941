"""Task and Queue messages of the API, to and from what the store and the lanes hold.

The raw protobuf classes behind the client library's wrappers: same wire format, and no wrapping
and unwrapping of every field on the way.
"""

from typing import Any

from google.cloud.tasks_v2.types import queue as queue_types
from google.cloud.tasks_v2.types import target as target_types
from google.cloud.tasks_v2.types import task as task_types

from local_tasks.queue_settings import QueueSettings
from local_tasks.retry import RetryRules
from local_tasks.store import StoredTask

TaskMessage: Any = task_types.Task.pb()
QueueMessage: Any = queue_types.Queue.pb()

BASIC = int(task_types.Task.View.BASIC)
FULL = int(task_types.Task.View.FULL)
POST = int(target_types.HttpMethod.POST)
METHODS: dict[int, str] = {
    int(method): method.name for method in target_types.HttpMethod.__members__.values() if method
}

# google.rpc.Code by HTTP status, as the real service reports attempts. Others: by hundreds, below.
RPC_CODES = {
    400: (3, "INVALID_ARGUMENT"),
    401: (16, "UNAUTHENTICATED"),
    403: (7, "PERMISSION_DENIED"),
    404: (5, "NOT_FOUND"),
    409: (10, "ABORTED"),
    429: (8, "RESOURCE_EXHAUSTED"),
    501: (12, "UNIMPLEMENTED"),
    503: (14, "UNAVAILABLE"),
    504: (4, "DEADLINE_EXCEEDED"),
}


def task_message(task: StoredTask, *, view: int) -> Any:
    """The task as the API shows it; its body only in the FULL view."""
    message = in_view(TaskMessage.FromString(task.record), view)
    set_time(message.schedule_time, task.due_at)
    message.dispatch_count = task.dispatches
    message.response_count = task.responses
    if task.first_dispatch_at is not None:
        set_time(message.first_attempt.dispatch_time, task.first_dispatch_at)
    if task.last_dispatch_at is not None and task.last_due_at is not None:
        set_time(message.last_attempt.schedule_time, task.last_due_at)
        set_time(message.last_attempt.dispatch_time, task.last_dispatch_at)
    if task.last_response_at is not None:
        set_time(message.last_attempt.response_time, task.last_response_at)
        code, text = _rpc_status(task.last_status)
        message.last_attempt.response_status.code = code
        message.last_attempt.response_status.message = text
    return message


def in_view(message: Any, view: int) -> Any:
    """The same message, marked with its view and without what that leaves out."""
    message.view = FULL if view == FULL else BASIC
    if message.view == BASIC:
        message.http_request.ClearField("body")
    return message


def queue_message(name: str, settings: QueueSettings) -> Any:
    message = QueueMessage(name=name, state=int(queue_types.Queue.State.RUNNING))
    message.rate_limits.max_dispatches_per_second = settings.max_dispatches_per_second
    message.rate_limits.max_burst_size = settings.burst
    message.rate_limits.max_concurrent_dispatches = settings.max_concurrent_dispatches
    rules = settings.retry
    message.retry_config.max_attempts = rules.max_attempts
    message.retry_config.max_doublings = rules.max_doublings
    set_duration(message.retry_config.min_backoff, rules.min_backoff)
    set_duration(message.retry_config.max_backoff, rules.max_backoff)
    if rules.max_retry_duration:
        set_duration(message.retry_config.max_retry_duration, rules.max_retry_duration)
    return message


def settings_in(message: Any) -> QueueSettings:
    """Settings a caller asks for; what is unset gets the default. Raises ValueError.

    Like the real service it takes 0 for unset and ignores max_burst_size, which is output only.
    """
    limits, retry = message.rate_limits, message.retry_config
    rules = {
        "max_attempts": retry.max_attempts or None,
        "max_doublings": retry.max_doublings or None,
        "max_retry_duration": _duration_in(retry, "max_retry_duration"),
        "min_backoff": _duration_in(retry, "min_backoff"),
        "max_backoff": _duration_in(retry, "max_backoff"),
    }
    rates = {
        "max_dispatches_per_second": limits.max_dispatches_per_second or None,
        "max_concurrent_dispatches": limits.max_concurrent_dispatches or None,
    }
    return QueueSettings(retry=RetryRules(**_given(rules)), **_given(rates))


def set_time(timestamp: Any, seconds: float) -> None:
    """Write epoch seconds, to the microsecond."""
    timestamp.FromMicroseconds(round(seconds * 1e6))


def time_in(timestamp: Any) -> float:
    """Epoch seconds, truncated to the microsecond as the API promises."""
    return float((timestamp.seconds * 10**6 + timestamp.nanos // 1000) / 1e6)


def set_duration(duration: Any, seconds: float) -> None:
    duration.FromMicroseconds(round(seconds * 1e6))


def _duration_in(message: Any, name: str) -> float | None:
    if not message.HasField(name):
        return None
    duration = getattr(message, name)
    return float(duration.seconds + duration.nanos / 1e9)


def _given(values: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value is not None}


def _rpc_status(status: int | None) -> tuple[int, str]:
    if status is None:
        return 14, "UNAVAILABLE(14): no response"
    by_hundreds = (13, "INTERNAL") if status >= 500 else (2, "UNKNOWN")
    code, name = RPC_CODES.get(status, by_hundreds)
    return code, f"{name}({code}): HTTP status code {status}"
