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
