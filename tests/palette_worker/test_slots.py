"""Room for pictures: bounded by bytes, in the order of asking, and always given back."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Condition, Event

import pytest

from colorway.errors import TryLater
from colorway.job import OutputOptions
from colorway.ledger.orders import order_of
from palette_worker.slots import RenderSlots, weight_of
from tests.builders import a_job
from tests.palette_worker.workplace import SOON, until

NOT_AT_ALL = timedelta(0)
LONG = timedelta(seconds=SOON)


def is_free(slots, weight):
    try:
        with slots.hold(weight, wait_for=NOT_AT_ALL):
            return True
    except TryLater:
        return False


def test_room_is_counted_in_bytes():
    slots = RenderSlots(10)

    with slots.hold(4, wait_for=NOT_AT_ALL), slots.hold(4, wait_for=NOT_AT_ALL):
        assert is_free(slots, 2)
        assert not is_free(slots, 3)

    assert is_free(slots, 10)


def test_what_is_larger_than_all_the_room_has_it_alone():
    slots = RenderSlots(10)

    with slots.hold(1000, wait_for=NOT_AT_ALL):
        assert not is_free(slots, 1)
    with slots.hold(1, wait_for=NOT_AT_ALL):
        assert not is_free(slots, 1000)

    assert is_free(slots, 1000)


def test_room_is_given_back_after_an_error():
    slots = RenderSlots(10)

    with pytest.raises(MemoryError), slots.hold(10, wait_for=NOT_AT_ALL):
        raise MemoryError

    assert is_free(slots, 10)


def test_what_is_not_needed_any_more_can_be_given_back_early():
    slots = RenderSlots(10)

    with slots.hold(9, wait_for=NOT_AT_ALL) as slot:
        slot.keep_only(2)
        assert is_free(slots, 8)
        assert not is_free(slots, 9)
        slot.keep_only(5)  # it never grows
        assert is_free(slots, 8)

    assert is_free(slots, 10)


def test_who_waits_is_served_as_soon_as_there_is_room():
    slots, is_served = RenderSlots(10), Event()

    def wait():
        with slots.hold(6, wait_for=LONG):
            is_served.set()

    with ThreadPoolExecutor(1) as pool:
        with slots.hold(6, wait_for=NOT_AT_ALL):
            waiting = pool.submit(wait)
            assert not is_served.is_set()
        waiting.result(SOON)

    assert is_served.is_set()


def test_nobody_overtakes_a_large_picture_that_waits():
    slots, order, changed = RenderSlots(10), [], Condition()

    def wait(weight):
        with slots.hold(weight, wait_for=LONG), changed:
            order.append(weight)

    with ThreadPoolExecutor(2) as pool:
        with slots.hold(5, wait_for=NOT_AT_ALL):
            large = pool.submit(wait, 10)
            until(lambda: slots.waiting == 1)
            assert not is_free(slots, 1)  # there are five bytes, but not for who comes later
            small = pool.submit(wait, 1)
            until(lambda: slots.waiting == 2)
        large.result(SOON)
        small.result(SOON)

    assert order == [10, 1]


def test_who_gave_up_waiting_stands_in_nobodys_way():
    slots = RenderSlots(10)

    with slots.hold(5, wait_for=NOT_AT_ALL):
        with pytest.raises(TryLater), slots.hold(10, wait_for=timedelta(milliseconds=5)):
            pass
        assert is_free(slots, 5)

    assert is_free(slots, 10)


def test_many_at_once_never_hold_more_than_there_is():
    slots, guard = RenderSlots(10), Condition()
    held, most = [0], [0]

    def work(number):
        weight = 1 + number % 7
        with slots.hold(weight, wait_for=LONG):
            with guard:
                held[0] += weight
                most[0] = max(most[0], held[0])
            with guard:
                held[0] -= weight

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(400)))

    assert most[0] <= 10
    assert is_free(slots, 10)


def weight_with(session, **output):
    _, [task] = a_job(session, output=OutputOptions(**output))
    return weight_of(order_of(session, task))


def test_a_picture_weighs_what_its_format_takes(session):
    png, jpeg = weight_with(session), weight_with(session, format="jpeg")
    lossy = weight_with(session, format="webp", lossless=False)
    lossless = weight_with(session, format="webp")

    assert jpeg < png < lossy < lossless
    assert png == (8 + 3) * 64 * 48


def test_a_smaller_result_weighs_less_but_its_source_does_not(session):
    assert weight_with(session, max_edge=32) == 8 * 64 * 48 + 3 * 32 * 24
    assert weight_with(session, max_edge=640) == weight_with(session)
