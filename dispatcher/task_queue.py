"""Our messages to Cloud Tasks, by the one client there is; the only module that knows it.

A task's name is made of what it says, so creating it twice is one task: ALREADY_EXISTS is success
and retrying is safe. https://cloud.google.com/tasks/docs/reference/rpc/google.cloud.tasks.v2
"""

from __future__ import annotations

import hashlib
import json
import threading
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import grpc
from google.api_core import exceptions
from google.auth.exceptions import GoogleAuthError
from google.cloud.tasks_v2 import CloudTasksClient, HttpMethod, HttpRequest, OidcToken, Task
from google.cloud.tasks_v2.services.cloud_tasks.transports import CloudTasksGrpcTransport
from google.protobuf.duration_pb2 import Duration
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from colorway.errors import Misconfigured, NotFound, TryLater
from colorway.job import Priority
from colorway.render_task import Nudge
from colorway.telemetry.trace_context import TraceContext
from colorway.telemetry.traces import Step, span
from dispatcher.settings import Settings

RENDER_ROUTE = "/internal/tasks/render"
DELIVER_ROUTE = "/internal/deliver"

_CALL_S = 5.0
_TRANSIENT = (exceptions.ServiceUnavailable, exceptions.Aborted)
_TROUBLE = (exceptions.GoogleAPIError, GoogleAuthError)
_TRIES = Retrying(
    retry=retry_if_exception_type(_TRANSIENT),
    stop=stop_after_attempt(3),
    wait=wait_random_exponential(multiplier=0.05, max=0.5),
    reraise=True,
)
# Without it gRPC waits up to two minutes before it tries a queue again that was away.
_RECONNECT = [("grpc.initial_reconnect_backoff_ms", 200), ("grpc.max_reconnect_backoff_ms", 2000)]


@dataclass(frozen=True, slots=True)
class _Call:
    url: str
    body: bytes
    place: TraceContext | None


@dataclass(frozen=True, slots=True)
class QueueFacts:
    """What a queue is set to. Zero as `max_retry_duration` is no limit, -1 as `max_attempts`."""

    name: str
    state: str
    max_attempts: int
    max_retry_duration: timedelta
    min_backoff: timedelta
    max_backoff: timedelta
    most_at_once: int


class TaskQueue:
    """The three queues, one per priority. The client is made at the first call, so after fork."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._making = threading.Lock()
        self._made: CloudTasksClient | None = None

    def put(self, nudge: Nudge) -> None:
        """Hand over one render task; TryLater if the queue does not take it."""
        with _handing_over(nudge) as step:
            call = _Call(self._settings.worker_url + RENDER_ROUTE, nudge.task.to_json(), step.place)
            self._create(nudge.priority, nudge.name(), call, audience=self._settings.worker_url)

    def put_delivery(self, job: UUID, priority: Priority, *, first: Nudge) -> None:
        """Ask for a call to our own deliver route, for what is left from this nudge on."""
        name = hashlib.sha256(f"deliver:{first.name()}".encode()).hexdigest()
        body = json.dumps({"v": 1, "job": str(job)}).encode()
        with _handing_over(first) as step:
            call = _Call(self._settings.dispatcher_url + DELIVER_ROUTE, body, step.place)
            self._create(priority, name, call, audience=self._settings.dispatcher_url)

    def knows(self, nudge: Nudge) -> bool:
        """Whether the queue still has this task; TryLater if it cannot be asked."""
        try:
            _TRIES.copy()(
                self._client().get_task,
                name=self._task_name(nudge.priority, nudge.name()),
                retry=None,  # the client's own would go on for ten seconds
                timeout=_CALL_S,
            )
        except exceptions.NotFound:
            return False
        except _TROUBLE as error:
            raise TryLater("the task queue cannot be asked") from error
        return True

    def facts(self, priority: Priority) -> QueueFacts:
        """Return how a queue is set; NotFound, Misconfigured or TryLater if it does not tell."""
        name = self._queue_name(priority)
        try:
            queue = _TRIES.copy()(self._client().get_queue, name=name, retry=None, timeout=_CALL_S)
        except exceptions.NotFound:
            raise NotFound(f"there is no {name}") from None
        except exceptions.PermissionDenied as error:
            raise Misconfigured(
                f"{name} may not be looked at",
                advice="give this service account roles/cloudtasks.viewer on the queue",
            ) from error
        except _TROUBLE as error:
            raise TryLater(f"the task queue cannot be asked: {error}") from error
        retry = queue.retry_config
        return QueueFacts(
            name=name,
            state=queue.state.name,
            max_attempts=retry.max_attempts,
            max_retry_duration=retry.max_retry_duration or timedelta(0),
            min_backoff=retry.min_backoff or timedelta(0),
            max_backoff=retry.max_backoff or timedelta(0),
            most_at_once=queue.rate_limits.max_concurrent_dispatches,
        )

    def close(self) -> None:
        """Close the connection, if there is one."""
        if self._made is not None:
            self._made.transport.close()  # type: ignore[no-untyped-call]

    def _create(self, priority: Priority, name: str, call: _Call, *, audience: str) -> None:
        task = Task(
            name=self._task_name(priority, name),
            http_request=HttpRequest(
                url=call.url,
                http_method=HttpMethod.POST,
                headers=_headers(call),
                body=call.body,
                oidc_token=OidcToken(
                    service_account_email=self._settings.task_caller, audience=audience
                ),
            ),
            dispatch_deadline=_protobuf(self._settings.dispatch_deadline),
        )
        try:
            _TRIES.copy()(
                self._client().create_task,
                parent=self._queue_name(priority),
                task=task,
                timeout=_CALL_S,
            )
        except exceptions.AlreadyExists:
            return
        except _TROUBLE as error:
            raise TryLater(f"the task queue does not take tasks: {error}") from error

    def _queue_name(self, priority: Priority) -> str:
        return self._settings.task_queues.replace("{priority}", priority)

    def _task_name(self, priority: Priority, name: str) -> str:
        return f"{self._queue_name(priority)}/tasks/{name}"

    def _client(self) -> CloudTasksClient:
        with self._making:
            if self._made is None:
                self._made = _connect(self._settings.cloud_tasks_emulator_host)
            return self._made


def _handing_over(nudge: Nudge) -> AbstractContextManager[Step]:
    """A span of the job's own trace, whoever hands over and however late."""
    return span("hand over task", parent=TraceContext.parse(nudge.traceparent), kind="PRODUCER")


def _headers(call: _Call) -> dict[str, str]:
    headers = {"Content-Type": "application/json"}
    return headers if call.place is None else headers | {"traceparent": call.place.traceparent}


def _connect(emulator: str | None) -> CloudTasksClient:
    if emulator is None:
        return CloudTasksClient()
    channel = grpc.insecure_channel(emulator, options=_RECONNECT)
    return CloudTasksClient(transport=CloudTasksGrpcTransport(channel=channel))


def _protobuf(duration: timedelta) -> Duration:
    message = Duration()
    message.FromTimedelta(duration)
    return message
