"""What a target is sent, and what its answers, or their lack, do to the task."""

import datetime
import socket
import threading
import time
from dataclasses import replace

import pytest
from google.api_core.exceptions import NotFound
from google.cloud.tasks_v2 import HttpMethod

from local_tasks.clock import ManualClock, SystemClock
from local_tasks.queue_settings import QueueSettings
from local_tasks.retry import RetryRules
from tests.local_tasks.stage import QUEUE, SOON, LocalQueue, StartQueue, Target

AGAIN_AFTER_A_SECOND = QueueSettings(
    retry=RetryRules(max_attempts=-1, min_backoff=1, max_backoff=1)
)


def test_a_target_gets_the_body_and_every_header_of_a_first_attempt(
    queue: LocalQueue, target: Target, clock: ManualClock
):
    queue.create(f"{target.url}?x=1", name="t1", http_request={"body": b'{"v": 1}'})

    (request,) = target.wait_for(1)

    assert (request.method, request.path, request.body) == ("POST", "/render?x=1", b'{"v": 1}')
    assert about_the_task(request.headers) == {
        "X-CloudTasks-QueueName": "normal",
        "X-CloudTasks-TaskName": "t1",
        "X-CloudTasks-TaskRetryCount": "0",
        "X-CloudTasks-TaskExecutionCount": "0",
        "X-CloudTasks-TaskETA": f"{clock.now():.6f}",
    }
    assert request.headers["User-Agent"] == "Google-Cloud-Tasks"
    assert "Content-Type" not in request.headers
    assert "Authorization" not in request.headers


def test_a_retry_says_what_came_before(start_queue: StartQueue, target: Target, clock: ManualClock):
    queue = start_queue(AGAIN_AFTER_A_SECOND)
    target.statuses = [503, 404, 200]
    queue.create(target.url, name="t1")

    for _ in range(2):
        assert queue.server.settle()
        clock.advance(1)
    _, second, third = (about_the_task(request.headers) for request in target.wait_for(3))

    assert second == {
        "X-CloudTasks-QueueName": "normal",
        "X-CloudTasks-TaskName": "t1",
        "X-CloudTasks-TaskRetryCount": "1",
        "X-CloudTasks-TaskExecutionCount": "0",  # a 5xx was no execution
        "X-CloudTasks-TaskETA": f"{clock.now() - 1:.6f}",
        "X-CloudTasks-TaskPreviousResponse": "503",
        "X-CloudTasks-TaskRetryReason": "",
    }
    assert third["X-CloudTasks-TaskRetryCount"] == "2"
    assert third["X-CloudTasks-TaskExecutionCount"] == "1"
    assert third["X-CloudTasks-TaskPreviousResponse"] == "404"


def test_own_headers_pass_but_for_the_reserved_ones(queue: LocalQueue, target: Target):
    own = {
        "content-type": "application/json",
        "traceparent": "00-abc-def-01",
        "X-Mixed-Case": "kept",
        "Host": "elsewhere.example",
        "Content-Length": "999",
        "user-agent": "mine",
        "X-CloudTasks-TaskRetryCount": "77",
        "x-google-secret": "no",
        "X-AppEngine-TaskName": "no",
        "Transfer-Encoding": "chunked",
    }

    queue.create(target.url, http_request={"headers": own, "body": b"12"})
    (request,) = target.wait_for(1)

    got = {key.lower(): value for key, value in request.headers.items()}
    assert (got["content-type"], got["traceparent"]) == ("application/json", "00-abc-def-01")
    assert request.headers["X-Mixed-Case"] == "kept"
    assert got["host"] == target.url.split("/")[2]
    assert (got["content-length"], got["user-agent"]) == ("2", "Google-Cloud-Tasks")
    assert got["x-cloudtasks-taskretrycount"] == "0"
    assert not {"x-google-secret", "x-appengine-taskname", "transfer-encoding"} & set(got)


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_each_method_is_used_as_asked(queue: LocalQueue, target: Target, method: str):
    queue.create(target.url, http_request={"http_method": HttpMethod[method]})

    (request,) = target.wait_for(1)

    assert request.method == method


@pytest.mark.parametrize("status", [200, 201, 204, 299])
def test_a_task_is_over_after_any_2xx(
    start_queue: StartQueue, target: Target, clock: ManualClock, status: int
):
    queue = start_queue(AGAIN_AFTER_A_SECOND)
    target.statuses = [status]
    queue.create(target.url, name="t1")
    assert queue.server.settle()

    clock.advance(3600)
    assert queue.server.settle()

    assert len(target.received) == 1
    with pytest.raises(NotFound, match="either successfully completed or was deleted"):
        queue.client.get_task(name=f"{QUEUE}/tasks/t1")


@pytest.mark.parametrize("status", [302, 400, 404, 409, 429, 500, 503])
def test_a_task_is_tried_again_after_anything_else(
    start_queue: StartQueue, target: Target, clock: ManualClock, status: int
):
    queue = start_queue(AGAIN_AFTER_A_SECOND)
    target.statuses = [status]
    target.headers = {"Location": "/elsewhere"}
    queue.create(target.url, name="t1")
    assert queue.server.settle()

    clock.advance(1)
    requests = target.wait_for(2)

    assert requests[1].headers["X-CloudTasks-TaskPreviousResponse"] == str(status)
    assert [request.path for request in requests] == ["/render", "/render"]


def test_the_last_attempt_is_shown_with_its_status(
    start_queue: StartQueue, target: Target, clock: ManualClock
):
    queue = start_queue(AGAIN_AFTER_A_SECOND)
    target.statuses = [503]
    created_at = clock.now()
    queue.create(target.url, name="t1")
    assert queue.server.settle()

    task = queue.client.get_task(name=f"{QUEUE}/tasks/t1")

    assert (task.dispatch_count, task.response_count) == (1, 1)
    assert task.first_attempt.dispatch_time.timestamp() == pytest.approx(created_at, abs=1e-5)
    assert task.schedule_time.timestamp() == pytest.approx(created_at + 1, abs=1e-5)
    assert task.last_attempt.schedule_time.timestamp() == pytest.approx(created_at, abs=1e-5)
    assert task.last_attempt.response_status.code == 14
    assert task.last_attempt.response_status.message == "UNAVAILABLE(14): HTTP status code 503"


def test_a_scheduled_task_waits_for_its_time(queue: LocalQueue, target: Target, clock: ManualClock):
    due_at = datetime.datetime.fromtimestamp(clock.now() + 100, datetime.UTC)
    queue.create(target.url, schedule_time=due_at)

    clock.advance(99.9)
    assert queue.server.settle()
    early = len(target.received)
    clock.advance(0.2)
    (request,) = target.wait_for(1)

    assert early == 0
    assert float(request.headers["X-CloudTasks-TaskETA"]) == pytest.approx(due_at.timestamp())


def test_an_earlier_task_overtakes_a_later_one(
    queue: LocalQueue, target: Target, clock: ManualClock
):
    for name, seconds in (("late", 100), ("early", 10), ("middle", 50)):
        due_at = datetime.datetime.fromtimestamp(clock.now() + seconds, datetime.UTC)
        queue.create(target.url, name=name, schedule_time=due_at)

    for _ in range(4):
        clock.advance(30)
        assert queue.server.settle()

    assert [request.task_id for request in target.received] == ["early", "middle", "late"]


def test_a_deleted_task_is_never_sent(queue: LocalQueue, target: Target, clock: ManualClock):
    due_at = datetime.datetime.fromtimestamp(clock.now() + 100, datetime.UTC)
    task = queue.create(target.url, schedule_time=due_at)

    queue.client.delete_task(name=task.name)
    clock.advance(200)

    assert queue.server.settle()
    assert target.received == []


def test_a_deleted_task_costs_its_queue_no_token(
    start_queue: StartQueue, target: Target, clock: ManualClock
):
    queue = start_queue(QueueSettings(max_dispatches_per_second=1, max_burst_size=1))
    due_at = datetime.datetime.fromtimestamp(clock.now() + 100, datetime.UTC)
    for name in ("deleted", "kept"):
        queue.create(target.url, name=name, schedule_time=due_at)

    queue.client.delete_task(name=f"{QUEUE}/tasks/deleted")
    clock.advance(101)
    assert queue.server.settle()

    assert [request.task_id for request in target.received] == ["kept"]


def test_on_a_real_clock_too_an_earlier_task_overtakes_a_later_one(
    start_queue: StartQueue, target: Target
):
    queue = start_queue(clock=SystemClock())
    for name, seconds in (("late", 3600), ("early", 0.1)):
        due_at = datetime.datetime.fromtimestamp(time.time() + seconds, datetime.UTC)
        queue.create(target.url, name=name, schedule_time=due_at)

    (request,) = target.wait_for(1)

    assert request.task_id == "early"
    assert time.time() >= float(request.headers["X-CloudTasks-TaskETA"])


def test_a_task_deleted_in_flight_is_not_tried_again(
    start_queue: StartQueue, target: Target, clock: ManualClock
):
    queue = start_queue(AGAIN_AFTER_A_SECOND)
    target.hold()
    target.statuses = [500]
    task = queue.create(target.url)
    target.wait_for(1)

    queue.client.delete_task(name=task.name)
    target.release()
    assert queue.server.settle()
    clock.advance(3600)
    assert queue.server.settle()

    assert len(target.received) == 1


def test_a_task_deleted_in_flight_costs_its_queue_no_more_tokens(
    start_queue: StartQueue, target: Target, clock: ManualClock
):
    queue = start_queue(
        replace(AGAIN_AFTER_A_SECOND, max_dispatches_per_second=1, max_burst_size=1)
    )
    target.hold()
    target.statuses = [500]
    task = queue.create(target.url, name="deleted")
    target.wait_for(1)
    queue.client.delete_task(name=task.name)
    target.release()
    assert queue.server.settle()

    clock.advance(1)
    assert queue.server.settle()
    queue.create(target.url, name="next")
    assert queue.server.settle()

    assert [request.task_id for request in target.received] == ["deleted", "next"]


def test_a_missed_deadline_is_a_504_that_was_no_response(
    start_queue: StartQueue, target: Target, clock: ManualClock
):
    queue = start_queue(AGAIN_AFTER_A_SECOND, shortest_deadline=0.1)
    target.hold()
    queue.create(target.url, name="t1", dispatch_deadline=datetime.timedelta(seconds=0.2))
    began_at = time.monotonic()
    assert queue.server.settle()
    took = time.monotonic() - began_at

    task = queue.client.get_task(name=f"{QUEUE}/tasks/t1")
    target.release()
    clock.advance(1)
    requests = target.wait_for(2)

    assert took < SOON / 2
    assert (task.dispatch_count, task.response_count) == (1, 0)
    assert task.last_attempt.response_status.code == 4
    assert requests[1].headers["X-CloudTasks-TaskPreviousResponse"] == "504"
    assert requests[1].headers["X-CloudTasks-TaskExecutionCount"] == "0"


def test_a_target_that_is_away_is_tried_again_without_a_previous_response(
    start_queue: StartQueue, target: Target, clock: ManualClock
):
    queue = start_queue(AGAIN_AFTER_A_SECOND)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    queue.create(f"http://127.0.0.1:{port}/", name="t1")
    assert queue.server.settle()

    task = queue.client.get_task(name=f"{QUEUE}/tasks/t1")

    assert (task.dispatch_count, task.response_count) == (1, 0)
    assert task.schedule_time.timestamp() == pytest.approx(clock.now() + 1, abs=1e-5)
    assert task.last_attempt.response_status.code == 14


def test_a_header_that_cannot_be_written_fails_the_attempt_and_nothing_else(
    start_queue: StartQueue, target: Target
):
    queue = start_queue(AGAIN_AFTER_A_SECOND)

    queue.create(target.url, name="bad", http_request={"headers": {"X-A": "one\r\nX-B: two"}})
    queue.create(target.url, name="good")
    (request,) = target.wait_for(1)
    assert queue.server.settle()

    assert request.task_id == "good"
    assert queue.client.get_task(name=f"{QUEUE}/tasks/bad").dispatch_count == 1


def test_a_stopped_server_leaves_what_is_in_flight_to_the_next(
    start_queue: StartQueue, target: Target
):
    before = set(threading.enumerate())
    first = start_queue()
    target.hold()
    first.create(target.url, name="t1")
    target.wait_for(1)
    began_at = time.monotonic()
    first.server.stop()
    took = time.monotonic() - began_at
    threads_left = [t for t in set(threading.enumerate()) - before if t.name == "attempt"]
    target.release()

    start_queue()
    requests = target.wait_for(2)

    assert took < 2
    assert not threads_left
    assert [request.task_id for request in requests] == ["t1", "t1"]
    assert requests[1].headers["X-CloudTasks-TaskRetryCount"] == "1"


def about_the_task(headers: dict[str, str]) -> dict[str, str]:
    return {key: value for key, value in headers.items() if key.startswith("X-CloudTasks-")}
