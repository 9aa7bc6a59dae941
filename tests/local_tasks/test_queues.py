"""Every call about queues through the vendor's client, and what outlives a restart."""

import datetime

import pytest
from google.api_core.exceptions import AlreadyExists, InvalidArgument, NotFound
from google.cloud.tasks_v2 import Queue
from google.protobuf.duration_pb2 import Duration

from local_tasks.clock import ManualClock
from local_tasks.queue_settings import QueueSettings
from local_tasks.retry import RetryRules
from tests.local_tasks.stage import PARENT, QUEUE, LocalQueue, StartQueue, Target

A_DAY = 24 * 3600


def test_a_queue_is_made_with_the_vendors_defaults(queue: LocalQueue):
    name = f"{PARENT}/queues/new"

    made = queue.client.create_queue(parent=PARENT, queue={"name": name})

    assert made == queue.client.get_queue(name=name)
    assert (made.name, made.state) == (name, Queue.State.RUNNING)
    assert made.rate_limits.max_dispatches_per_second == 500
    assert made.rate_limits.max_burst_size == 100
    assert made.rate_limits.max_concurrent_dispatches == 1000
    assert (made.retry_config.max_attempts, made.retry_config.max_doublings) == (100, 16)
    assert made.retry_config.min_backoff == datetime.timedelta(seconds=0.1)
    assert made.retry_config.max_backoff == datetime.timedelta(hours=1)


def test_a_queue_keeps_its_settings_over_a_restart(start_queue: StartQueue):
    first = start_queue()
    name = f"{PARENT}/queues/new"
    asked = {
        "name": name,
        "rate_limits": {"max_dispatches_per_second": 1, "max_concurrent_dispatches": 7},
        "retry_config": {
            "max_attempts": -1,
            "min_backoff": Duration(seconds=2),
            "max_backoff": Duration(seconds=60),
            "max_doublings": 3,
            "max_retry_duration": Duration(seconds=3600),
        },
    }
    made = first.client.create_queue(parent=PARENT, queue=asked)
    first.server.stop()

    kept = start_queue().client.get_queue(name=name)

    assert kept == made
    assert kept.rate_limits.max_burst_size == 10
    assert kept.retry_config.max_retry_duration == datetime.timedelta(hours=1)


def test_declared_settings_win_over_stored_ones(start_queue: StartQueue):
    start_queue(QueueSettings(max_concurrent_dispatches=1)).server.stop()

    second = start_queue(QueueSettings(max_concurrent_dispatches=2, retry=RetryRules(-1)))

    kept = second.client.get_queue(name=QUEUE)
    assert kept.rate_limits.max_concurrent_dispatches == 2
    assert kept.retry_config.max_attempts == -1


def test_queues_are_listed_in_pages(queue: LocalQueue):
    for name in ("a", "b", "z"):
        queue.client.create_queue(parent=PARENT, queue={"name": f"{PARENT}/queues/{name}"})

    listed = queue.client.list_queues(request={"parent": PARENT, "page_size": 2})
    pages = [[queue.name.rpartition("/")[2] for queue in page.queues] for page in listed.pages]

    assert pages == [["a", "b"], ["normal", "z"]]


def test_a_deleted_queue_takes_its_tasks_along(
    queue: LocalQueue, target: Target, clock: ManualClock
):
    in_an_hour = datetime.datetime.fromtimestamp(clock.now() + 3600, datetime.UTC)
    queue.create(target.url, name="t1", schedule_time=in_an_hour)

    queue.client.delete_queue(name=QUEUE)
    clock.advance(A_DAY)

    assert queue.server.settle()
    assert target.received == []
    for call in (queue.client.get_queue, queue.client.delete_queue):
        with pytest.raises(NotFound):
            call(name=QUEUE)
    with pytest.raises(NotFound, match="not found"):
        queue.client.get_task(name=f"{QUEUE}/tasks/t1")


def test_a_queue_that_exists_is_refused(queue: LocalQueue):
    with pytest.raises(AlreadyExists) as refusal:
        queue.client.create_queue(parent=PARENT, queue={"name": QUEUE})

    assert refusal.value.message == "Queue already exists"


def test_a_missing_queue_is_not_found(queue: LocalQueue):
    missing = f"{PARENT}/queues/missing"
    task = {"http_request": {"url": "http://127.0.0.1:1/"}}

    for call in (
        lambda: queue.client.get_queue(name=missing),
        lambda: queue.client.create_task(parent=missing, task=task),
        lambda: queue.client.list_tasks(parent=missing),
    ):
        with pytest.raises(NotFound, match=r"^404 Queue does not exist\. If you just created the"):
            call()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"name": "my_queue"}, "Queue name must be formatted: .*"),
        ({"name": f"{PARENT}/queues/with_underscore"}, "Queue name must be formatted: .*"),
        ({"name": "projects/x/locations/l/queues/q"}, f".* must begin with {PARENT}."),
        (
            {"rate_limits": {"max_dispatches_per_second": 501}},
            "RateLimits.maxDispatchesPerSecond must be less than or equal to 500.",
        ),
        (
            {"rate_limits": {"max_dispatches_per_second": -1}},
            "RateLimits.maxDispatchesPerSecond cannot be negative.",
        ),
        (
            {"rate_limits": {"max_concurrent_dispatches": 5001}},
            "RateLimits.maxConcurrentDispatches must be less than or equal to 5000.",
        ),
        (
            {"retry_config": {"max_attempts": -2}},
            "RetryConfig.maxAttempts must be greater or equal to -1.",
        ),
        (
            {
                "retry_config": {
                    "min_backoff": Duration(seconds=9),
                    "max_backoff": Duration(seconds=8),
                }
            },
            "RetryConfig.minBackoff must be less than or equal to RetryConfig.maxBackoff.",
        ),
    ],
)
def test_a_queue_that_breaks_a_rule_is_refused(
    queue: LocalQueue, settings: dict[str, object], message: str
):
    with pytest.raises(InvalidArgument, match=f"^400 {message}$"):
        queue.client.create_queue(parent=PARENT, queue={"name": f"{PARENT}/queues/new", **settings})
