"""A seed makes a plan, and always the same one."""

from __future__ import annotations

from itertools import pairwise

from chaos.orders import orders, poison
from chaos.pictures import draw
from chaos.plan import OUTAGES, SHORTEST_OUTAGE_S, plan, poison_times


def test_a_seed_always_makes_the_same_plan():
    first, second = plan(7, minutes=10), plan(7, minutes=10)

    assert first == second
    assert first != plan(8, minutes=10)
    assert poison_times(7, minutes=10) == poison_times(7, minutes=10)


def test_ten_minutes_take_everything_away_in_turn_for_half_a_minute_and_more():
    for seed in range(20):
        outages = [act for act in plan(seed, minutes=10) if act.kind == "outage"]

        assert [act.target for act in outages] == list(OUTAGES)
        assert all(act.seconds >= SHORTEST_OUTAGE_S for act in outages)
        assert all(one.at + one.seconds <= other.at for one, other in pairwise(outages))


def test_ten_minutes_hold_twice_the_kills_and_freezes_that_are_asked_for():
    for seed in range(20):
        kinds = [act.kind for act in plan(seed, minutes=10)]

        assert kinds.count("kill") >= 80
        assert kinds.count("freeze") >= 20


def test_acts_come_in_the_order_of_their_times_and_within_the_run():
    acts = plan(3, minutes=2)

    assert acts == sorted(acts, key=lambda act: act.at)
    assert all(0 <= act.at < 120 for act in acts)


def test_a_client_orders_the_same_again_for_the_same_seed():
    once, again, another = orders(7, 0), orders(7, 0), orders(7, 1)

    first = next(once)

    assert first == next(again)
    assert first.key != next(another).key
    assert first.key != next(once).key


def test_pictures_differ_by_name_and_poison_from_all_of_them():
    assert draw("one").sha256 == draw("one").sha256
    assert draw("one").sha256 != draw("two").sha256
    assert poison(7, 0).is_poison
    assert poison(7, 0).picture.sha256 != poison(7, 1).picture.sha256
