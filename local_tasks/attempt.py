"""What one attempt at a task sends: its URL, headers and token. Pure but for the signing.

Source: "Write a task request handler" in "Create HTTP target tasks", and "HttpRequest" in the v2
reference. Two things were taken from answers of the real service, as recorded for the conformance
tests of aertje/cloud-tasks-emulator: a Content-Type is never added, and
X-CloudTasks-TaskRetryReason is sent, empty, on a retry.
"""

from dataclasses import dataclass
from typing import Any

from local_tasks.oidc import TokenMint
from local_tasks.store import StoredTask
from local_tasks.task_messages import METHODS, TaskMessage


@dataclass(frozen=True, slots=True)
class Request:
    method: str
    url: str
    headers: dict[str, str]
    body: bytes
    deadline: float  # seconds


def request_of(task: StoredTask, mint: TokenMint) -> Request:
    """The HTTP request of the attempt that has just been counted in `task`."""
    message = TaskMessage.FromString(task.record)
    http = message.http_request
    headers = dict(http.headers)  # cleaned, and with our User-Agent, when the task was accepted
    if http.HasField("oidc_token"):
        for key in [key for key in headers if key.lower() == "authorization"]:
            del headers[key]
        audience = http.oidc_token.audience or http.url
        token = mint.token(http.oidc_token.service_account_email, audience)
        headers["Authorization"] = f"Bearer {token}"
    headers |= _headers_about(task)
    return Request(METHODS[http.http_method], http.url, headers, http.body, _seconds(message))


def _headers_about(task: StoredTask) -> dict[str, str]:
    queue, _, task_id = task.name.partition("/tasks/")
    headers = {
        "X-CloudTasks-QueueName": queue.rpartition("/")[2],
        "X-CloudTasks-TaskName": task_id,
        "X-CloudTasks-TaskRetryCount": str(task.dispatches - 1),
        "X-CloudTasks-TaskExecutionCount": str(task.executions),
        "X-CloudTasks-TaskETA": f"{task.due_at:.6f}",
    }
    if task.last_status is not None:
        headers["X-CloudTasks-TaskPreviousResponse"] = str(task.last_status)
        headers["X-CloudTasks-TaskRetryReason"] = ""
    return headers


def _seconds(message: Any) -> float:
    return float(message.dispatch_deadline.seconds + message.dispatch_deadline.nanos / 1e9)
