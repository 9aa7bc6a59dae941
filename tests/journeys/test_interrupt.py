"""Ctrl-C where Python would lose it."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

import pytest

from demo.interrupt import ctrl_c


class Fragile:
    def __del__(self) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        for _ in range(1000):  # the signal is handled within this
            pass


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_interrupt_that_a_destructor_swallows_is_heard_at_the_next_look():
    before = signal.getsignal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt), ctrl_c() as check:
        look_twice(check)

    assert signal.getsignal(signal.SIGINT) == before


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_interrupt_that_nobody_looks_for_is_raised_at_the_end():
    with pytest.raises(KeyboardInterrupt), ctrl_c():
        Fragile()


def look_twice(check: Callable[[], None]) -> None:
    """Fail if the second look raises nothing."""
    check()
    Fragile()
    with pytest.raises(KeyboardInterrupt):
        check()
    check()
    pytest.fail("it was heard once, and forgotten")
