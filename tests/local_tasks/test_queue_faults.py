"""What goes wrong on purpose: each fault does its harm, says so, and breaks no other promise."""

import datetime
import logging
import threading

import pytest
from google.api_core.exceptions import AlreadyExists, NotFound

from local_tasks.clock import ManualClock
from local_tasks.faults import REORDERED_WITHIN, Faults
from local_tasks.queue_settings import QueueSettings
from local_tasks.retry import RetryRules
from tests.local_tasks.stage import QUEUE, LocalQueue, StartQueue, Target

AGAIN_AFTER_A_SECOND = QueueSettings(
    retry=RetryRules(max_attempts=-1, min_backoff=1, max_backoff=1)
)
ONE_AT_A_TIME = QueueSettings(max_concurrent_dispatches=1)
T1 = f"{QUEUE}/tasks/t1"


# Delivered twice


def test_a_twin_beside_is_there_while_the_attempt_goes_on(
    start_queue: StartQueue, target: Target, caplog: pytest.LogCaptureFixture
):
    queue = start_queue(ONE_AT_A_TIME, faults=Faults(deliver_twice=1, overlap=1))
    target.hold()

    queue.create(target.url, name="t1", http_request={"body": b"{}"})
    first, second = target.wait_for(2)
    target.release()
    assert queue.server.settle()

    assert first == second
    assert (len(target.received), target.busiest) == (2, 2)
    assert_over(queue)
    assert faults_in(caplog) == [f"fault: delivered twice: task={T1} attempt=1"]


def test_a_twin_behind_follows_at_once_when_the_task_is_over(
    start_queue: StartQueue, target: Target, caplog: pytest.LogCaptureFixture
):
    queue = start_queue(ONE_AT_A_TIME, faults=Faults(deliver_twice=1, overlap=0))

    queue.create(target.url, name="t1", http_request={"body": b"{}"})
    queue.create(target.url, name="t2")
    assert queue.server.settle()

    requests = target.received
    assert [request.task_id for request in requests] == ["t1", "t1", "t2", "t2"]
    assert requests[0] == requests[1]
    assert target.busiest == 1
    assert_over(queue)
    assert faults_in(caplog) == [
        f"fault: delivered twice: task={QUEUE}/tasks/{name} attempt=1" for name in ("t1", "t2")
    ]


def test_a_twin_behind_follows_no_failure(
    start_queue: StartQueue, target: Target, clock: ManualClock, caplog: pytest.LogCaptureFixture
):
    queue = start_queue(AGAIN_AFTER_A_SECOND, faults=Faults(deliver_twice=1, overlap=0))
    target.statuses = [500]

    queue.create(target.url, name="t1")
    assert queue.server.settle()
    after_the_failure = len(target.received)
    clock.advance(1)
    assert queue.server.settle()

    assert (after_the_failure, len(target.received)) == (1, 3)
    assert faults_in(caplog) == [f"fault: delivered twice: task={T1} attempt=2"]


def test_nobody_heeds_the_answer_of_a_twin(
    start_queue: StartQueue, target: Target, clock: ManualClock
):
    queue = start_queue(AGAIN_AFTER_A_SECOND, faults=Faults(deliver_twice=1, overlap=0))
    target.statuses = [204, 500]

    queue.create(target.url, name="t1")
    assert queue.server.settle()
    clock.advance(3600)
    assert queue.server.settle()

    assert len(target.received) == 2
    assert_over(queue)


def test_a_failed_attempt_beside_its_twin_is_tried_again_and_twice_again(
    start_queue: StartQueue, target: Target, clock: ManualClock, caplog: pytest.LogCaptureFixture
):
    queue = start_queue(AGAIN_AFTER_A_SECOND, faults=Faults(deliver_twice=1, overlap=1))
    target.statuses = [500, 500]

    queue.create(target.url, name="t1")
    assert queue.server.settle()
    clock.advance(1)
    assert queue.server.settle()

    counts = [request.headers["X-CloudTasks-TaskRetryCount"] for request in target.received]
    assert counts == ["0", "0", "1", "1"]
    assert faults_in(caplog) == [
        f"fault: delivered twice: task={T1} attempt={attempt}" for attempt in (1, 2)
    ]


def test_a_place_in_the_queue_is_free_when_both_twins_are_back(
    start_queue: StartQueue, target: Target
):
    eight = QueueSettings(max_concurrent_dispatches=8)
    queue = start_queue(eight, faults=Faults(deliver_twice=1, overlap=1))
    target.hold(only=1)
    for number in range(9):
        queue.create(target.url, name=f"t{number}")
    target.wait_for(16)

    is_settled = queue.server.settle(0.1)
    before = {request.task_id for request in target.received}
    target.release()
    assert queue.server.settle()

    assert not is_settled
    assert "t8" not in before
    assert len(target.received) == 18


def test_a_stopped_server_leaves_no_twin_running_and_the_task_to_the_next(
    start_queue: StartQueue, target: Target
):
    before = set(threading.enumerate())
    first = start_queue(faults=Faults(deliver_twice=1, overlap=1))
    target.hold()
    first.create(target.url, name="t1")
    target.wait_for(2)
    first.server.stop()
    threads_left = [t for t in set(threading.enumerate()) - before if t.name == "attempt"]
    target.release()

    start_queue()
    requests = target.wait_for(3)

    assert not threads_left
    assert requests[2].headers["X-CloudTasks-TaskRetryCount"] == "1"


# Answers dropped


def test_after_a_dropped_answer_the_task_is_tried_again_with_back_off(
    start_queue: StartQueue, target: Target, clock: ManualClock, caplog: pytest.LogCaptureFixture
):
    queue = start_queue(AGAIN_AFTER_A_SECOND, faults=Faults(drop_answer=1))
    queue.create(target.url, name="t1")
    assert queue.server.settle()

    task = queue.client.get_task(name=T1)
    clock.advance(1)
    requests = target.wait_for(2)
    assert queue.server.settle()

    assert (task.dispatch_count, task.response_count) == (1, 0)
    assert requests[1].headers["X-CloudTasks-TaskRetryCount"] == "1"
    assert "X-CloudTasks-TaskPreviousResponse" not in requests[1].headers
    assert faults_in(caplog) == [
        f"fault: answer dropped: task={T1} attempt={attempt}" for attempt in (1, 2)
    ]


def test_of_a_failed_attempt_no_answer_is_dropped(
    start_queue: StartQueue, target: Target, caplog: pytest.LogCaptureFixture
):
    queue = start_queue(AGAIN_AFTER_A_SECOND, faults=Faults(drop_answer=1))
    target.statuses = [503]
    queue.create(target.url, name="t1")
    assert queue.server.settle()

    task = queue.client.get_task(name=T1)

    assert task.response_count == 1
    assert faults_in(caplog) == []


def test_a_task_whose_answer_was_dropped_has_no_twin_behind(
    start_queue: StartQueue, target: Target, caplog: pytest.LogCaptureFixture
):
    faults = Faults(drop_answer=1, deliver_twice=1, overlap=0)
    queue = start_queue(AGAIN_AFTER_A_SECOND, faults=faults)

    queue.create(target.url, name="t1")
    assert queue.server.settle()

    assert len(target.received) == 1
    assert faults_in(caplog) == [f"fault: answer dropped: task={T1} attempt=1"]


# Late, and in another order


def test_a_delayed_task_is_late_but_comes(
    start_queue: StartQueue, target: Target, clock: ManualClock, caplog: pytest.LogCaptureFixture
):
    queue = start_queue(faults=Faults(delay=1, max_delay=10))
    due_at = clock.now()

    queue.create(target.url, name="t1")
    assert queue.server.settle()
    at_its_time = len(target.received)
    shown = queue.client.get_task(name=T1).schedule_time.timestamp()
    clock.advance(10)
    (request,) = target.wait_for(1)

    assert at_its_time == 0
    assert shown == pytest.approx(due_at, abs=1e-5)
    assert float(request.headers["X-CloudTasks-TaskETA"]) == pytest.approx(due_at, abs=1e-5)
    (line,) = faults_in(caplog)
    assert line.startswith(f"fault: delayed: task={T1} seconds=")


def test_a_scheduled_task_is_delayed_from_its_time_on(
    start_queue: StartQueue, target: Target, clock: ManualClock
):
    queue = start_queue(faults=Faults(delay=1, max_delay=10))
    due_at = datetime.datetime.fromtimestamp(clock.now() + 100, datetime.UTC)

    queue.create(target.url, schedule_time=due_at)
    clock.advance(100)
    assert queue.server.settle()
    at_its_time = len(target.received)
    clock.advance(10)

    assert (at_its_time, len(target.wait_for(1))) == (0, 1)


def test_a_retry_is_delayed_too(
    start_queue: StartQueue, target: Target, clock: ManualClock, caplog: pytest.LogCaptureFixture
):
    queue = start_queue(AGAIN_AFTER_A_SECOND, faults=Faults(delay=1, max_delay=10))
    target.statuses = [500]
    queue.create(target.url, name="t1")
    clock.advance(10)
    assert queue.server.settle()

    clock.advance(1)
    assert queue.server.settle()
    after_the_back_off = len(target.received)
    clock.advance(10)

    assert (after_the_back_off, len(target.wait_for(2))) == (1, 2)
    assert len(faults_in(caplog)) == 2


def test_reordered_tasks_come_in_another_order_and_all_of_them(
    start_queue: StartQueue, target: Target, clock: ManualClock, caplog: pytest.LogCaptureFixture
):
    queue = start_queue(ONE_AT_A_TIME, faults=Faults(reorder=1))
    names = [f"t{number}" for number in range(10)]

    for name in names:
        queue.create(target.url, name=name)
    clock.advance(REORDERED_WITHIN)
    assert queue.server.settle()

    order = [request.task_id for request in target.received]
    assert order != names
    assert sorted(order) == names
    lines = [line.partition(" seconds=")[0] for line in faults_in(caplog)]
    assert lines == [f"fault: reordered: task={QUEUE}/tasks/{name}" for name in names]


def test_those_that_keep_their_place_do_not_wait_for_those_that_do_not(
    start_queue: StartQueue, target: Target
):
    clock = ManualClock(1_000_000_000.0)  # chance follows the due time: here 5 of 10 lose theirs
    queue = start_queue(ONE_AT_A_TIME, clock=clock, faults=Faults(reorder=0.5))
    names = [f"t{number}" for number in range(10)]

    for name in names:
        queue.create(target.url, name=name)
    assert queue.server.settle()
    at_once = [request.task_id for request in target.received]
    clock.advance(REORDERED_WITHIN)
    assert queue.server.settle()

    assert at_once == [name for name in names if name in at_once]
    assert 0 < len(at_once) < 10
    assert sorted(request.task_id for request in target.received) == names


def test_a_restart_sends_what_was_put_off(start_queue: StartQueue, target: Target):
    first = start_queue(faults=Faults(delay=1, max_delay=3600, reorder=1))
    first.create(target.url, name="t1")
    assert first.server.settle()
    before = len(target.received)
    first.server.stop()

    start_queue(faults=Faults(delay=1, max_delay=3600, reorder=1))

    assert (before, len(target.wait_for(1))) == (0, 1)


# Forgotten


def test_a_forgotten_task_is_never_sent_and_its_name_stays_taken(
    start_queue: StartQueue, target: Target, clock: ManualClock, caplog: pytest.LogCaptureFixture
):
    queue = start_queue(faults=Faults(forget=1))

    queue.create(target.url, name="t1")
    assert queue.server.settle()
    clock.advance(3600)
    assert queue.server.settle()

    assert target.received == []
    assert_over(queue)
    with pytest.raises(AlreadyExists):
        queue.create(target.url, name="t1")
    assert faults_in(caplog) == [f"fault: forgotten: task={T1}"]


def test_a_task_is_forgotten_when_its_turn_comes_and_not_before(
    start_queue: StartQueue, target: Target, clock: ManualClock
):
    queue = start_queue(faults=Faults(forget=1))
    due_at = datetime.datetime.fromtimestamp(clock.now() + 100, datetime.UTC)

    queue.create(target.url, name="t1", schedule_time=due_at)
    before = queue.client.get_task(name=T1).name
    clock.advance(101)
    assert queue.server.settle()

    assert before == T1
    assert_over(queue)


def test_a_task_that_was_sent_once_is_not_forgotten(
    start_queue: StartQueue, target: Target, clock: ManualClock
):
    first = start_queue()
    target.hold()
    first.create(target.url, name="t1")
    target.wait_for(1)
    first.server.stop()
    target.release()

    start_queue(faults=Faults(forget=1))

    assert len(target.wait_for(2)) == 2


# All of them


def test_a_server_says_at_its_start_that_it_has_faults_and_only_then(
    start_queue: StartQueue, caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.WARNING)

    start_queue().server.stop()
    without = caplog.text
    start_queue(faults=Faults(forget=0.5))

    assert "faults on purpose" not in without
    assert "faults on purpose: Faults(deliver_twice=0.0" in caplog.text


def assert_over(queue: LocalQueue) -> None:
    with pytest.raises(NotFound, match="The task no longer exists, though a task with this name"):
        queue.client.get_task(name=T1)


def faults_in(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [
        record.getMessage()
        for record in caplog.records
        if record.levelno == logging.WARNING and record.getMessage().startswith("fault: ")
    ]
