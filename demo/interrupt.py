"""Ctrl-C, heard even where Python loses it.

A KeyboardInterrupt that is raised within a destructor, or a callback of the collector, is printed
and forgotten. https://docs.python.org/3/reference/datamodel.html#object.__del__
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def ctrl_c() -> Iterator[Callable[[], None]]:
    """Yield what raises KeyboardInterrupt once Ctrl-C was pressed, and raise it at the end, too."""
    is_heard = False

    def hear(number: int, frame: object) -> None:
        nonlocal is_heard
        is_heard = True
        raise KeyboardInterrupt

    def check() -> None:
        if is_heard:
            raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, hear)
    try:
        yield check
        check()
    finally:
        signal.signal(signal.SIGINT, before)
