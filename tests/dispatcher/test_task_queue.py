"""What the queue is told: one task per nudge, by a name that makes repeats harmless."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from uuid import UUID

import grpc
import pytest
from google.cloud.tasks_v2 import CloudTasksClient, GetTaskRequest, ListTasksRequest, Task
from google.cloud.tasks_v2.services.cloud_tasks.transports import CloudTasksGrpcTransport

from colorway.errors import TryLater
from colorway.job import Priority
from colorway.render_task import Nudge, RenderTask
from demo.supervisor import free_port
from dispatcher.task_queue import TaskQueue
from tests.dispatcher.stage import CALLER, IDLE, NOBODY, QUEUES, Stage, local_queue

COLORWAY = UUID("01980000-0000-7000-8000-000000000001")
NUDGE = Nudge(RenderTask(COLORWAY, 0), 0, Priority.NORMAL)
JOB = UUID("01980000-0000-7000-8000-000000000002")
TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture
def client(tmp_path: Path) -> Iterator[CloudTasksClient]:
    with local_queue(tmp_path, IDLE) as tasks:
        channel = grpc.insecure_channel(tasks.grpc_address)
        transport = CloudTasksGrpcTransport(channel=channel)
        with CloudTasksClient(transport=transport) as client:
            client.address = tasks.grpc_address
            yield client


@pytest.fixture
def queue(client: CloudTasksClient, stage: Stage) -> Iterator[TaskQueue]:
    queue = TaskQueue(
        stage.settings.model_copy(update={"cloud_tasks_emulator_host": client.address})
    )
    # an idle queue still sends its first task; this one is not to be looked at
    queue.put(replace(NUDGE, number=99))
    yield queue
    queue.close()


def tasks_in(client: CloudTasksClient, priority: Priority = Priority.NORMAL) -> list[Task]:
    request = ListTasksRequest(
        parent=QUEUES.replace("{priority}", priority), response_view=Task.View.FULL
    )
    return list(client.list_tasks(request=request))


def task_of(client: CloudTasksClient, nudge: Nudge) -> Task:
    name = f"{QUEUES.replace('{priority}', nudge.priority)}/tasks/{nudge.name()}"
    return client.get_task(GetTaskRequest(name=name, response_view=Task.View.FULL))


def test_a_task_says_what_to_render_where_and_by_whose_token(queue, client):
    queue.put(NUDGE)

    task = task_of(client, NUDGE)
    call = task.http_request
    assert call.url == f"{NOBODY}/internal/tasks/render"
    assert json.loads(call.body) == {"v": 1, "colorway": str(COLORWAY), "epoch": 0}
    assert call.oidc_token.service_account_email == CALLER
    assert call.oidc_token.audience == NOBODY
    assert task.dispatch_deadline.total_seconds() == 600


def test_a_task_carries_the_trace_of_its_job_and_none_where_there_is_none(queue, client):
    traced = replace(NUDGE, number=1, traceparent=TRACEPARENT)

    queue.put(NUDGE)
    queue.put(traced)
    queue.put_delivery(JOB, Priority.NORMAL, first=replace(traced, number=2))

    carried = [task.http_request.headers.get("traceparent") for task in tasks_in(client)]
    assert "traceparent" not in task_of(client, NUDGE).http_request.headers
    assert task_of(client, traced).http_request.headers["traceparent"] == TRACEPARENT
    assert carried.count(TRACEPARENT) == 2


def test_the_same_nudge_is_one_task_and_the_next_is_another(queue, client):
    before = len(tasks_in(client))

    queue.put(NUDGE)
    queue.put(NUDGE)
    queue.put(replace(NUDGE, number=1))

    assert len(tasks_in(client)) - before == 2


@pytest.mark.parametrize("priority", list(Priority))
def test_each_priority_has_its_queue(queue, client, priority):
    nudge = replace(NUDGE, priority=priority)

    queue.put(nudge)

    assert f"/queues/colorway-{priority}/" in task_of(client, nudge).name


def test_a_delivery_asks_for_our_own_route_once_per_rest(queue, client):
    before = {task.name for task in tasks_in(client)}

    queue.put_delivery(JOB, Priority.NORMAL, first=NUDGE)
    queue.put_delivery(JOB, Priority.NORMAL, first=NUDGE)
    queue.put_delivery(JOB, Priority.NORMAL, first=replace(NUDGE, number=1))

    new = [task for task in tasks_in(client) if task.name not in before]
    assert len(new) == 2
    assert {task.http_request.url for task in new} == {f"{NOBODY}/internal/deliver"}
    assert json.loads(new[0].http_request.body)["job"] == str(JOB)


def test_the_queue_knows_what_it_was_given(queue):
    queue.put(NUDGE)

    assert queue.knows(NUDGE)
    assert not queue.knows(replace(NUDGE, number=1))


def test_a_queue_that_is_gone_means_try_later(stage):
    nowhere = f"127.0.0.1:{free_port()}"
    queue = TaskQueue(stage.settings.model_copy(update={"cloud_tasks_emulator_host": nowhere}))

    for call in (lambda: queue.put(NUDGE), lambda: queue.knows(NUDGE)):
        with pytest.raises(TryLater):
            call()
    queue.close()


def test_a_queue_that_was_never_made_means_try_later(stage, client):
    elsewhere = "projects/test/locations/here/queues/other-{priority}"
    queue = TaskQueue(
        stage.settings.model_copy(
            update={"cloud_tasks_emulator_host": client.address, "task_queues": elsewhere}
        )
    )

    with pytest.raises(TryLater):
        queue.put(NUDGE)
    queue.close()


def test_a_queue_that_was_never_asked_closes_too(stage):
    TaskQueue(stage.settings).close()
