"""Times and memory of calls, measured so that a noisy machine is fair to all of them."""

from __future__ import annotations

import ctypes
import gc
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from math import ceil
from pathlib import Path
from statistics import median
from time import perf_counter

import psutil

_SHORTEST = 0.01  # seconds; what is quicker is done several times

Call = Callable[[], object]
Seconds = dict[str, list[float]]
"""By what was timed: seconds of one call, one figure a round."""


def in_turn(calls: Mapping[str, Call], rounds: int) -> Seconds:
    """Time every call once a round, back and forth, after a round that warms up."""
    seconds: Seconds = {name: [] for name in calls}
    for number in range(rounds + 1):
        for name in calls if number % 2 else reversed(list(calls)):
            took = _seconds(calls[name])
            if number:
                seconds[name].append(took)
    return seconds


def _seconds(call: Call) -> float:
    began, count = perf_counter(), 0
    while True:
        call()
        count += 1
        took = perf_counter() - began
        if took >= _SHORTEST:
            return took / count


def gains_of_two_threads(calls: Mapping[str, Call], rounds: int) -> dict[str, float]:
    """Return how much sooner two threads do twice the work than one does, medians."""
    gains: dict[str, list[float]] = {name: [] for name in calls}
    with ThreadPoolExecutor(2) as pool:
        for _ in range(rounds):
            for name, call in calls.items():
                count = ceil(_SHORTEST / _seconds(call))
                began = perf_counter()
                _repeat(call, 2 * count)
                alone = perf_counter() - began
                list(pool.map(_repeat, (call, call), (count, count)))
                gains[name].append(alone / (perf_counter() - began - alone))
    return {name: median(found) for name, found in gains.items()}


def _repeat(call: Call, count: int) -> None:
    for _ in range(count):
        call()


def ratio(seconds: Sequence[float], rivals: Sequence[float]) -> float:
    """Return the median over the rounds, each with its own rival's time."""
    return median(one / other for one, other in zip(seconds, rivals, strict=True))


def cpu_of_tree(root: psutil.Process) -> float:
    """Return the seconds of CPU of a process, of those it has started, and of those it outlived."""
    times = [process.cpu_times() for process in (root, *root.children(recursive=True))]
    gone = sum(taken.children_user + taken.children_system for taken in times)
    return float(gone + sum(taken.user + taken.system for taken in times))


def growth(call: Call) -> int | None:
    """Return by how much the peak of the resident set rises, in bytes; None where unknown."""
    status, forget = Path("/proc/self/status"), Path("/proc/self/clear_refs")
    if not forget.exists():
        return None
    gc.collect()
    if hasattr(libc := ctypes.CDLL(None), "malloc_trim"):
        libc.malloc_trim(0)  # else what was freed before is used again and does not count
    forget.write_text("5")  # proc(5): forget the peak
    before = _kilobytes(status.read_text(), "VmRSS:")
    result = call()
    peak = _kilobytes(status.read_text(), "VmHWM:")
    del result
    return (peak - before) * 1024


def _kilobytes(status: str, field: str) -> int:
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith(field))
