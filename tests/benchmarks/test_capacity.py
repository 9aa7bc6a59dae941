"""Limits are bounds: more of what is short moves the lowest, and what loads need they can bear."""

from __future__ import annotations

from dataclasses import replace

import pytest

from benchmarks.capacity import (
    Shape,
    Work,
    affordable,
    connected_workers,
    limits,
    month_at,
    needed,
    of_one_job,
    per_worker,
)

RICH = Shape(budget=1e9)
WORK = Work()


def ceiling(name: str, shape: Shape = RICH, work: Work = WORK) -> float:
    return next(limit.per_second for limit in limits(shape, work) if limit.name == name)


def test_places_follow_littles_law():
    shape, work = replace(RICH, queue_at_once=30), replace(WORK, attempt_s=0.5, upload_s=1.0)

    assert ceiling("tasks of a queue at once", shape, work) == pytest.approx(30 / 1.5)
    assert ceiling("uploads at once", replace(shape, workers=3), work) == pytest.approx(6)


def test_the_lowest_limit_comes_first():
    found = [limit.per_second for limit in limits(RICH, WORK)]

    assert found == sorted(found)


@pytest.mark.parametrize(
    ("name", "more"),
    [
        ("tasks of a queue at once", {"queue_at_once": 88}),
        ("slots", {"workers": 50}),
        ("uploads at once", {"worker_uploads": 4}),
        ("workers' processors", {"worker_cpu": 4}),
        ("connections to the ledger", {"connections": 600}),
        ("the ledger's processors", {"database_cpu": 4}),
        ("dispatchers' processors", {"dispatchers": 12}),
        ("clients that wait for news", {"dispatcher_threads": 256}),
        ("the budget, all month long", {"budget": 2e9}),
    ],
)
def test_what_is_said_to_move_a_limit_moves_it(name, more):
    assert ceiling(name, replace(RICH, **more)) > ceiling(name)


def test_no_setting_moves_the_limits_of_the_cloud():
    more = replace(RICH, queue_per_second=5000, queue_at_once=50_000)

    assert ceiling("dispatches of a queue a second", more) == 500
    assert ceiling("tasks of a queue at once", more) == pytest.approx(5000 / WORK.slot_s)


def test_attempts_that_are_repeated_cost_capacity():
    twice = replace(WORK, attempts=2)

    for name in ("slots", "uploads at once", "workers' processors", "the ledger's processors"):
        assert ceiling(name, work=twice) == pytest.approx(ceiling(name) / 2)
    assert of_one_job(twice) == pytest.approx(of_one_job(WORK) / 2)


def test_connections_are_enough_for_the_workers_that_fit_and_for_no_more():
    shape = replace(RICH, connections=100, worker_pool=8, dispatchers=2, dispatcher_pool=10)

    assert connected_workers(shape) == 8  # 64 + 20 + the migrator + 10 for others are 95


def test_a_job_s_row_is_held_longer_where_the_ledger_is_far_away():
    near, far = replace(WORK, round_trip_s=0), replace(WORK, round_trip_s=0.010)

    assert 1 / of_one_job(far) - 1 / of_one_job(near) == pytest.approx(0.010 * WORK.locked_calls)


@pytest.mark.parametrize("load", [2, 20, 200, 450])
def test_what_a_load_needs_bears_it(load):
    need = needed(load, RICH, WORK)

    shape = replace(
        RICH,
        workers=need.workers,
        queue_at_once=need.at_once,
        dispatchers=need.dispatchers,
        connections=need.connections,
        database_cpu=need.database_cpu,
    )
    assert limits(shape, WORK)[0].per_second >= load


def test_the_budget_buys_what_it_says():
    shape = Shape(budget=1000)

    assert month_at(affordable(shape, WORK), shape, WORK) == pytest.approx(1000)


def test_a_budget_below_what_is_always_on_buys_nothing():
    assert affordable(Shape(budget=100), WORK) == 0


def test_a_slow_store_is_answered_by_more_uploads_at_once():
    slow = Work(upload_s=67)

    few, many = (per_worker(replace(RICH, worker_uploads=uploads), slow) for uploads in (2, 4))

    assert few == pytest.approx(2 / 67)
    assert many == pytest.approx(4 / 67, rel=0.01)
