"""What is hurt, when and for how long: all of it decided beforehand, from a seed."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

WORKERS = ("worker-1", "worker-2")
OUTAGES = ("store", "database", "workers", "queue", "dispatcher")
"""What is away for half a minute and more, in turn."""

SHORTEST_OUTAGE_S = 30.0

_WARM_UP_S = 2.0
_GAP_S = 2.6
_GAP_IN_OUTAGE_S = 5.0
_MINUTES_PER_OUTAGE = 2

# how often in a hundred
_MIX = {
    "kill": 62,
    "freeze": 20,
    "store": 8,
    "database": 6,
    "lose-queue": 2,
    "power-cut": 2,
}
_VICTIMS = {
    "worker-1": 5,
    "worker-2": 5,
    "workers": 2,
    "worker-1:child": 1,
    "worker-2:child": 1,
    "dispatcher": 3,
    "dispatcher:child": 1,
    "queue": 3,
}


@dataclass(frozen=True, slots=True)
class Act:
    """One thing done to the stage, `seconds` long; 0 means that it is mended at once.

    way   chooses among what can be done to the target: a number from 0 to 1
    """

    at: float
    kind: str
    target: str
    seconds: float = 0.0
    way: float = 0.0


def plan(seed: int, *, minutes: float) -> list[Act]:
    """Return the acts of a run, by time; the same for the same seed and length."""
    dice = random.Random(seed)  # noqa: S311 - it must be repeatable
    end = minutes * 60
    outages = _outages(dice, end, count=int(minutes / _MINUTES_PER_OUTAGE))
    acts = list(outages)
    at = _WARM_UP_S
    while at < end:
        acts.append(_act(dice, at))
        in_outage = any(act.at <= at < act.at + act.seconds for act in outages)
        at += dice.expovariate(1 / (_GAP_IN_OUTAGE_S if in_outage else _GAP_S))
    return sorted(acts, key=lambda act: act.at)


def poison_times(seed: int, *, minutes: float) -> list[float]:
    """Return when a picture is sent that kills its worker: in the first three quarters."""
    dice = random.Random(f"poison {seed}")  # noqa: S311
    count = max(1, round(minutes / 3))
    return sorted(dice.uniform(0.05, 0.75) * minutes * 60 for _ in range(count))


def _outages(dice: random.Random, end: float, *, count: int) -> Sequence[Act]:
    """One in each of `count` equal parts of the time, each of another target than before."""
    part = end / max(count, 1)
    acts = []
    for number in range(count):
        seconds = SHORTEST_OUTAGE_S + dice.uniform(1, 4)
        at = number * part + dice.uniform(0.1, 0.9) * max(part - seconds, 0)
        acts.append(Act(at, "outage", OUTAGES[number % len(OUTAGES)], seconds, dice.random()))
    return acts


def _act(dice: random.Random, at: float) -> Act:
    kind = _choice(dice, _MIX)
    if kind == "kill":
        pause = 0.0 if dice.random() < 0.6 else dice.uniform(0.5, 4)
        return Act(at, kind, _choice(dice, _VICTIMS), pause)
    if kind == "freeze":
        return Act(at, kind, dice.choice(WORKERS), dice.uniform(3.5, 6))
    if kind == "store":
        return Act(at, kind, dice.choice(("away", "hang", "cut", "after")), dice.uniform(2, 6))
    if kind == "database":
        return Act(at, kind, "database", dice.uniform(1, 6), dice.random())
    return Act(at, kind, "queue" if kind == "lose-queue" else "everything", dice.uniform(0, 2))


def _choice(dice: random.Random, weights: dict[str, int]) -> str:
    return dice.choices(list(weights), list(weights.values()))[0]
