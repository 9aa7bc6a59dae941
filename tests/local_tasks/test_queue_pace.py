"""How fast and how many at once: the token bucket alone, then both limits in the server."""

from local_tasks.clock import ManualClock
from local_tasks.pace import TokenBucket
from local_tasks.queue_settings import QueueSettings
from tests.local_tasks.stage import StartQueue, Target


def test_a_rested_bucket_allows_a_burst_and_then_the_rate():
    bucket = TokenBucket(rate=2, burst=3, now=100)

    started = []
    for _ in range(6):
        now = bucket.ready_at(started[-1] if started else 100)
        bucket.take(now)
        started.append(now)

    assert started == [100, 100, 100, 100.5, 101, 101.5]


def test_a_bucket_never_holds_more_than_its_burst():
    bucket = TokenBucket(rate=1, burst=1, now=0)

    bucket.take(bucket.ready_at(1000))

    assert bucket.ready_at(1000) == 1001


def test_a_clock_that_was_set_back_takes_no_tokens_away():
    bucket = TokenBucket(rate=1, burst=2, now=1000)

    bucket.take(1000)

    assert bucket.ready_at(10) == 10


def test_a_queue_dispatches_no_faster_than_its_rate(
    start_queue: StartQueue, target: Target, clock: ManualClock
):
    queue = start_queue(QueueSettings(max_dispatches_per_second=1, max_burst_size=2))
    for _ in range(4):
        queue.create(target.url)

    counts = []
    for _ in range(3):
        assert queue.server.settle()
        counts.append(len(target.received))
        clock.advance(1)
    assert queue.server.settle()

    assert counts == [2, 3, 4]


def test_no_more_are_in_flight_than_the_queue_allows(start_queue: StartQueue, target: Target):
    queue = start_queue(QueueSettings(max_concurrent_dispatches=2))
    target.hold()
    for _ in range(6):
        queue.create(target.url)
    target.wait_for(2)

    target.release()
    assert queue.server.settle()

    assert len(target.received) == 6
    assert target.busiest == 2


def test_a_full_queue_does_not_hold_up_another(start_queue: StartQueue, target: Target):
    queue = start_queue(QueueSettings(max_concurrent_dispatches=1))
    other = "projects/p/locations/l/queues/high"
    queue.client.create_queue(parent="projects/p/locations/l", queue={"name": other})
    target.hold()
    queue.create(target.url, name="first")
    queue.create(target.url, name="waits")
    target.wait_for(1)

    queue.client.create_task(parent=other, task={"http_request": {"url": target.url}})

    queues = [request.headers["X-CloudTasks-QueueName"] for request in target.wait_for(2)]
    assert sorted(queues) == ["high", "normal"]


def test_tasks_that_are_due_at_once_go_in_the_order_they_came(
    start_queue: StartQueue, target: Target
):
    queue = start_queue(QueueSettings(max_concurrent_dispatches=1))

    for number in range(5):
        queue.create(target.url, name=f"t{number}")

    assert [request.task_id for request in target.wait_for(5)] == ["t0", "t1", "t2", "t3", "t4"]
