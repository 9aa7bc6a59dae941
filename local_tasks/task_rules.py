"""What a caller may ask for: each rule of the real service that a task must pass, in its words.

Sources: "Task", "HttpRequest" and "CreateTaskRequest" in the Cloud Tasks v2 reference, "Quotas and
limits", and the real service's answers as recorded for the conformance tests of
aertje/cloud-tasks-emulator. Where its words are not known, or the rule is
a local server's own, the message says plainly what is wrong.
"""

import ipaddress
import re
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from urllib3.exceptions import LocationParseError
from urllib3.util import parse_url

from local_tasks.errors import Refused, invalid, unimplemented
from local_tasks.queue_settings import QUEUE_NAME
from local_tasks.task_messages import METHODS, POST, TaskMessage, set_time, time_in

TASK_ID = re.compile(r"[A-Za-z0-9_-]{1,500}")
TASK_NAME_RULE = (
    'Task name must be formatted: "projects/<PROJECT_ID>/locations/<LOCATION_ID>/'
    'queues/<QUEUE_ID>/tasks/<TASK_ID>"'
)
SCHEDULED_AT_MOST = 30 * 24 * 3600.0
DEFAULT_DEADLINE = 600
SHORTEST_DEADLINE = 15.0
LONGEST_DEADLINE = 30 * 60.0
LONGEST_URL = 2083
# 1 MiB for the task as it is stored; the exact edge was probed, "Quotas and limits" says 1 MB.
LARGEST_TASK = 2**20 - 7
LARGEST_HEADERS = 80 * 1024

USER_AGENT = "Google-Cloud-Tasks"
# A task's own headers that are dropped: computed at dispatch, or not a caller's to set.
RESERVED = frozenset(
    {"host", "content-length", "user-agent", "connection", "transfer-encoding", "te", "upgrade"}
)
RESERVED_PREFIXES = ("x-google-", "x-appengine-", "x-cloudtasks-")


@dataclass(frozen=True, slots=True)
class TaskRules:
    """`shortest_deadline` is 15 seconds as in the cloud; tests of a missed deadline lower it."""

    allow_remote_targets: bool = False
    shortest_deadline: float = SHORTEST_DEADLINE

    def accepted(self, queue: str, asked: Any, *, due_at: float, now: float) -> Any:
        """The task as it will be stored: named, defaults filled in. Raises Refused."""
        self._check_kind(asked)
        self._check_request(asked.http_request)
        task = TaskMessage(name=_name(queue, asked.name))
        task.http_request.CopyFrom(asked.http_request)
        task.http_request.http_method = asked.http_request.http_method or POST
        for key in [key for key in asked.http_request.headers if _is_reserved(key)]:
            del task.http_request.headers[key]
        task.http_request.headers["User-Agent"] = USER_AGENT
        set_time(task.schedule_time, due_at)
        task.create_time.seconds = int(now)
        if asked.HasField("dispatch_deadline"):
            self._check_deadline(asked.dispatch_deadline)
            task.dispatch_deadline.CopyFrom(asked.dispatch_deadline)
        else:
            task.dispatch_deadline.seconds = DEFAULT_DEADLINE
        if task.ByteSize() > LARGEST_TASK:
            raise invalid("Task size too large")
        return task

    def _check_kind(self, asked: Any) -> None:
        if asked.HasField("app_engine_http_request"):
            raise _not_here("App Engine tasks (app_engine_http_request)", "use http_request")
        if not asked.HasField("http_request"):
            raise invalid("Task.http_request is required.")
        if asked.http_request.HasField("oauth_token"):
            raise _not_here("OAuth access tokens (oauth_token)", "use oidc_token")
        if asked.HasField("retry_config"):
            raise _not_here("Task.retry_config", "set it on the queue")

    def _check_request(self, http: Any) -> None:
        if not http.url:
            raise invalid("HttpRequest.url is required.")
        if not http.url.startswith(("http://", "https://")):
            raise invalid("HttpTarget.url must start with 'http://' or 'https://'.")
        if len(http.url) > LONGEST_URL:
            raise invalid(f"HttpRequest.url must be no longer than {LONGEST_URL} characters.")
        self._check_host(http.url)
        if http.http_method and http.http_method not in METHODS:
            raise invalid("HttpRequest.http_method is not one of HttpMethod.")
        method = METHODS[http.http_method or POST]
        if http.body and method not in {"POST", "PUT", "PATCH"}:
            raise invalid(
                f"HttpRequest.body is allowed only with POST, PUT or PATCH, not {method}."
            )
        if sum(len(key) + len(value) for key, value in http.headers.items()) >= LARGEST_HEADERS:
            raise invalid("HttpRequest.headers must be smaller than 80KB.")
        if http.HasField("oidc_token") and not http.oidc_token.service_account_email:
            raise invalid("OidcToken.service_account_email is required.")

    def _check_host(self, url: str) -> None:
        host = _host_of(url)
        if not host:
            raise invalid("HttpRequest.url has no host that can be understood.")
        if not self.allow_remote_targets and not is_loopback(host):
            raise invalid(
                f"HttpRequest.url must stay on this machine (localhost, 127.0.0.1 or [::1]), not go"
                f" to {host}: start local_tasks with --allow-remote-targets to let it."
            )

    def _check_deadline(self, duration: Any) -> None:
        seconds = duration.seconds + duration.nanos / 1e9
        if not self.shortest_deadline <= seconds <= LONGEST_DEADLINE:
            raise invalid("Task.dispatchDeadline must be between [15s, 30m].")


@lru_cache(maxsize=1024)  # few targets, many tasks
def _host_of(url: str) -> str | None:
    # The courier's own parser, so that both see the same host in a crooked URL.
    try:
        return parse_url(url).host
    except LocationParseError:
        return None


@lru_cache(maxsize=1024)
def is_loopback(host: str) -> bool:
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def queue_in(task_name: str) -> str:
    """The queue part of a task's full name. Raises Refused."""
    queue, found, task_id = task_name.partition("/tasks/")
    if not found or not task_id or not QUEUE_NAME.fullmatch(queue):
        raise invalid(TASK_NAME_RULE)
    return queue


def due_time(asked: Any, *, now: float) -> float:
    """When a task wants to be sent, in epoch seconds: not before now. Raises Refused."""
    due_at = time_in(asked.schedule_time) if asked.HasField("schedule_time") else now
    if due_at > now + SCHEDULED_AT_MOST:
        moment = datetime.fromtimestamp(due_at, UTC).isoformat(timespec="seconds")
        raise invalid(
            f"The Task.scheduleTime, {moment}, is too far in the future. Schedule time must be no"
            " more than 720h in the future."
        )
    return max(due_at, now)


def _is_reserved(header: str) -> bool:
    return header.lower() in RESERVED or header.lower().startswith(RESERVED_PREFIXES)


def _name(queue: str, asked: str) -> str:
    if not asked:
        return f"{queue}/tasks/{secrets.randbits(64):020d}"
    named_queue, task_id = queue_in(asked), asked.partition("/tasks/")[2]
    if named_queue != queue:
        raise invalid(
            f"The queue name from request ('{queue}') must be the same as the queue name in the"
            f" named task ('{named_queue}')."
        )
    if not TASK_ID.fullmatch(task_id):
        raise invalid(
            f'Task ID "{task_id}" can contain only letters ([A-Za-z]), numbers ([0-9]),'
            " hyphens (-), or underscores (_). Task ID must between 1 and 500 characters."
        )
    return asked


def _not_here(what: str, instead: str) -> Refused:
    return unimplemented(f"{what} are not implemented by this local server: {instead}.")
