"""The calls of google.cloud.tasks.v2.CloudTasks that this server knows, over gRPC.

A call that has no line in handlers() is answered UNIMPLEMENTED by gRPC itself. To add one: write
its method, give it its line. Statuses and wording are the real service's, as
recorded for the conformance tests of aertje/cloud-tasks-emulator.
"""

from collections.abc import Callable
from typing import Any

import grpc
from google.cloud.tasks_v2.types import cloudtasks
from google.protobuf.empty_pb2 import Empty

from local_tasks.clock import Clock
from local_tasks.dispatch import Dispatcher
from local_tasks.errors import Refused, already_exists, invalid, not_found, unimplemented
from local_tasks.queue_settings import QUEUE_NAME, QUEUE_NAME_RULE
from local_tasks.store import Store
from local_tasks.task_messages import in_view, queue_message, settings_in, task_message
from local_tasks.task_rules import TaskRules, due_time, queue_in

NO_QUEUE = (
    "Queue does not exist. If you just created the queue, wait at least a minute for the queue"
    " to initialize."
)
NO_ENTITY = "Requested entity was not found."
TASK_IS_OVER = (
    "The task no longer exists, though a task with this name existed recently. The task either"
    " successfully completed or was deleted."
)
LARGEST_PAGE_OF_TASKS = 1000
LARGEST_PAGE_OF_QUEUES = 9800


class CloudTasks:
    def __init__(
        self, store: Store, dispatcher: Dispatcher, rules: TaskRules, clock: Clock
    ) -> None:
        self._store = store
        self._dispatcher = dispatcher
        self._rules = rules
        self._clock = clock

    def handlers(self) -> grpc.GenericRpcHandler:
        calls: dict[str, tuple[Callable[[Any], Any], Any]] = {
            "CreateQueue": (self.create_queue, cloudtasks.CreateQueueRequest),
            "GetQueue": (self.get_queue, cloudtasks.GetQueueRequest),
            "ListQueues": (self.list_queues, cloudtasks.ListQueuesRequest),
            "DeleteQueue": (self.delete_queue, cloudtasks.DeleteQueueRequest),
            "CreateTask": (self.create_task, cloudtasks.CreateTaskRequest),
            "GetTask": (self.get_task, cloudtasks.GetTaskRequest),
            "ListTasks": (self.list_tasks, cloudtasks.ListTasksRequest),
            "DeleteTask": (self.delete_task, cloudtasks.DeleteTaskRequest),
        }
        return grpc.method_handlers_generic_handler(
            "google.cloud.tasks.v2.CloudTasks",
            {name: _answering(call, request.pb()) for name, (call, request) in calls.items()},
        )

    def create_queue(self, request: Any) -> Any:
        name = request.queue.name
        if not QUEUE_NAME.fullmatch(name):
            raise invalid(QUEUE_NAME_RULE)
        if not name.startswith(f"{request.parent}/queues/"):
            raise invalid(f"{name} must begin with {request.parent}.")
        if request.queue.HasField("http_target"):
            raise unimplemented("Queue.http_target is not implemented by this local server.")
        try:
            settings = settings_in(request.queue)
        except ValueError as error:
            raise invalid(str(error)) from error
        if not self._dispatcher.open_lane(name, settings):
            raise already_exists("Queue already exists")
        self._store.put_queue(name, settings)
        return queue_message(name, settings)

    def get_queue(self, request: Any) -> Any:
        settings = self._dispatcher.settings_of(request.name)
        if settings is None:
            raise not_found(NO_QUEUE)
        return queue_message(request.name, settings)

    def list_queues(self, request: Any) -> Any:
        queues = {
            name: settings
            for name, settings in self._dispatcher.queues().items()
            if name.startswith(f"{request.parent}/queues/") and name > request.page_token
        }
        size = _page_size(request, LARGEST_PAGE_OF_QUEUES)
        names = list(queues)[:size]
        return cloudtasks.ListQueuesResponse.pb()(
            queues=[queue_message(name, queues[name]) for name in names],
            next_page_token=names[-1] if len(queues) > size else "",
        )

    def delete_queue(self, request: Any) -> Empty:
        if not self._dispatcher.close_lane(request.name):
            raise not_found(NO_ENTITY)
        self._store.delete_queue(request.name)
        return Empty()

    def create_task(self, request: Any) -> Any:
        if self._dispatcher.settings_of(request.parent) is None:
            raise not_found(NO_QUEUE)
        now = self._clock.now()
        due_at = due_time(request.task, now=now)
        task = self._rules.accepted(request.parent, request.task, due_at=due_at, now=now)
        if not self._store.add(task.name, task.SerializeToString(), due_at=due_at, now=now):
            raise already_exists("Requested entity already exists")
        self._dispatcher.schedule(task.name, due_at)
        return in_view(task, request.response_view)

    def get_task(self, request: Any) -> Any:
        queue_in(request.name)
        task = self._store.get(request.name)
        if task is None:
            raise not_found(NO_ENTITY)
        if task.ended_at is not None:
            raise not_found(TASK_IS_OVER)
        return task_message(task, view=request.response_view)

    def list_tasks(self, request: Any) -> Any:
        if self._dispatcher.settings_of(request.parent) is None:
            raise not_found(NO_QUEUE)
        size = _page_size(request, LARGEST_PAGE_OF_TASKS)
        tasks = self._store.page(request.parent, after=request.page_token, at_most=size + 1)
        shown = tasks[:size]
        return cloudtasks.ListTasksResponse.pb()(
            tasks=[task_message(task, view=request.response_view) for task in shown],
            next_page_token=shown[-1].name.partition("/tasks/")[2] if len(tasks) > size else "",
        )

    def delete_task(self, request: Any) -> Empty:
        queue_in(request.name)
        if not self._store.delete(request.name, now=self._clock.now()):
            raise not_found(NO_ENTITY if self._store.get(request.name) is None else TASK_IS_OVER)
        self._dispatcher.forget(request.name)
        return Empty()


def _answering(call: Callable[[Any], Any], request_type: Any) -> "grpc.RpcMethodHandler[Any, Any]":
    def answer(request: Any, context: grpc.ServicerContext) -> Any:
        try:
            return call(request)
        except Refused as refusal:
            context.abort(refusal.code, str(refusal))

    return grpc.unary_unary_rpc_method_handler(
        answer,
        request_deserializer=request_type.FromString,
        response_serializer=lambda message: message.SerializeToString(),
    )


def _page_size(request: Any, largest: int) -> int:
    if request.page_size < 0:
        raise invalid("page_size cannot be negative.")
    return min(int(request.page_size) or largest, largest)
