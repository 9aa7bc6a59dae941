"""The vendor's back-off curve and the end of trying: as rules, then in the server by clock."""

import pytest

from local_tasks.clock import ManualClock
from local_tasks.queue_settings import QueueSettings
from local_tasks.retry import RETENTION, RetryRules, backoff, is_given_up
from tests.local_tasks.stage import QUEUE, StartQueue, Target

A_MOMENT = 2.0**-6  # seconds; a fraction that adds up exactly


def test_the_curve_is_the_one_in_the_reference():
    rules = RetryRules(min_backoff=10, max_backoff=300, max_doublings=3)

    pauses = [backoff(rules, failures) for failures in range(1, 9)]

    assert pauses == [10, 20, 40, 80, 160, 240, 300, 300]


def test_without_doublings_the_curve_is_a_line():
    rules = RetryRules(min_backoff=2, max_backoff=9, max_doublings=0)

    pauses = [backoff(rules, failures) for failures in range(1, 6)]

    assert pauses == [2, 4, 6, 8, 9]


def test_any_number_of_doublings_stays_below_the_maximum():
    rules = RetryRules(min_backoff=0.1, max_backoff=3600, max_doublings=10**9)

    assert backoff(rules, 10**6) == 3600


def test_attempts_alone_end_the_trying():
    rules = RetryRules(max_attempts=3)

    ended = [given_up(rules, attempts=attempts) for attempts in (1, 2, 3)]

    assert ended == [False, False, True]


def test_duration_alone_ends_the_trying():
    rules = RetryRules(max_attempts=-1, max_retry_duration=60)

    assert not given_up(rules, attempts=1000, since_first_attempt=59)
    assert given_up(rules, attempts=2, since_first_attempt=60)


def test_attempts_and_duration_must_both_be_spent():
    rules = RetryRules(max_attempts=3, max_retry_duration=3600)

    assert not given_up(rules, attempts=3, since_first_attempt=10)
    assert not given_up(rules, attempts=2, since_first_attempt=3600)
    assert given_up(rules, attempts=3, since_first_attempt=3600)


def test_three_attempts_and_an_hour_are_about_seventeen():
    rules = RetryRules(max_attempts=3, max_retry_duration=3600)

    attempts, passed = 1, 0.0
    while not given_up(rules, attempts=attempts, since_first_attempt=passed):
        passed += backoff(rules, attempts)
        attempts += 1

    assert attempts == 17


def test_unlimited_trying_ends_with_the_retention():
    rules = RetryRules(max_attempts=-1)

    assert not given_up(rules, attempts=10**6, since_creation=RETENTION - 1)
    assert given_up(rules, attempts=1, since_creation=RETENTION)


def test_the_server_waits_as_the_curve_says(
    start_queue: StartQueue, target: Target, clock: ManualClock
):
    rules = RetryRules(max_attempts=-1, min_backoff=2, max_backoff=60, max_doublings=2)
    queue = start_queue(QueueSettings(retry=rules))
    target.statuses = [500] * 6

    queue.create(target.url)

    for failures, pause in enumerate((2, 4, 8, 16, 24, 32), start=1):
        assert queue.server.settle()
        assert len(target.received) == failures
        clock.advance(pause - A_MOMENT)
        assert queue.server.settle()
        assert len(target.received) == failures, f"too early after failure {failures}"
        clock.advance(A_MOMENT)
    assert queue.server.settle()
    assert len(target.received) == 7


def test_a_task_that_has_spent_its_attempts_is_gone(
    start_queue: StartQueue, target: Target, clock: ManualClock
):
    queue = start_queue(QueueSettings(retry=RetryRules(max_attempts=2, min_backoff=1)))
    target.statuses = [500] * 5

    queue.create(target.url)
    queue.server.settle()
    clock.advance(3600)
    queue.server.settle()
    clock.advance(3600)
    queue.server.settle()

    assert len(target.received) == 2
    assert list(queue.client.list_tasks(parent=QUEUE)) == []


def test_a_task_that_has_spent_its_time_is_gone(
    start_queue: StartQueue, target: Target, clock: ManualClock
):
    rules = RetryRules(max_attempts=-1, max_retry_duration=5, min_backoff=2, max_backoff=2)
    queue = start_queue(QueueSettings(retry=rules))
    target.statuses = [500] * 9

    queue.create(target.url)
    for _ in range(6):
        queue.server.settle()
        clock.advance(2)
    queue.server.settle()

    assert len(target.received) == 4  # after 0, 2, 4 and 6 seconds
    assert list(queue.client.list_tasks(parent=QUEUE)) == []


def given_up(
    rules: RetryRules,
    *,
    attempts: int,
    since_first_attempt: float = 0.0,
    since_creation: float = 0.0,
) -> bool:
    return is_given_up(
        rules,
        attempts=attempts,
        since_first_attempt=since_first_attempt,
        since_creation=since_creation,
    )


@pytest.mark.parametrize("failures", range(1, 40))
def test_no_pause_is_outside_its_bounds(failures: int):
    rules = RetryRules()

    assert rules.min_backoff <= backoff(rules, failures) <= rules.max_backoff
