"""Places of a bounded kind: who finds one, who is asked to come back."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest

from colorway.errors import TryLater
from dispatcher.places import Places


def test_whoever_finds_no_place_is_told_why_and_when_to_come_back():
    places = Places(2, full="too many archives at once")
    places.take()
    places.take()

    with pytest.raises(TryLater, match="too many archives at once") as refusal:
        places.take()

    assert refusal.value.retry_after == 2


def test_a_place_is_free_again_once_it_is_left_whatever_happened_there():
    places = Places(1, full="full")

    with pytest.raises(ZeroDivisionError), places.take():
        _ = 1 / 0
    with places.take(), pytest.raises(TryLater):
        places.take()


def test_a_place_closed_twice_is_one_place():
    places = Places(1, full="full")
    place = places.take()

    place.close()
    place.close()
    places.take()

    with pytest.raises(TryLater):
        places.take()


def test_a_place_is_waited_for():
    places = Places(1, full="full", wait_for=timedelta(minutes=1))
    place, found = places.take(), threading.Event()

    def wait() -> None:
        with places.take():
            found.set()

    waiting = threading.Thread(target=wait)
    waiting.start()
    place.close()
    waiting.join()

    assert found.is_set()


def test_nobody_takes_the_places_of_all_others():
    asking = "studio"
    places = Places(4, full="full", whose=lambda: asking)
    held = [places.take() for _ in range(3)]

    with pytest.raises(TryLater):
        places.take()
    asking = "agency"
    places.take()
    held[0].close()
    asking = "studio"
    places.take()

    with pytest.raises(TryLater):  # three of its own, and all four are taken
        places.take()


def test_who_was_refused_holds_nothing():
    asking = "studio"
    places = Places(1, full="full", whose=lambda: asking)
    place = places.take()
    asking = "agency"

    for _ in range(3):
        with pytest.raises(TryLater):
            places.take()
    place.close()

    places.take()


def test_where_nobody_is_known_all_places_may_be_taken():
    places = Places(4, full="full")

    held = [places.take() for _ in range(4)]

    assert len(held) == 4
