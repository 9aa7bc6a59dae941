"""Carries out the plan, act by act, and writes down what it did, to whom, and who held a lease."""

from __future__ import annotations

import heapq
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from itertools import count
from typing import Any

from chaos.diary import Diary
from chaos.lookout import Lease, Lookout
from chaos.plan import SHORTEST_OUTAGE_S, WORKERS, Act
from chaos.stage import Stage
from chaos.switches import Switches

_PREY_WITHIN_S = 2.0
_AGAIN_S = 2.0
_HANG_S = 4.0
_PROBABILITY = 0.5  # of a cut upload, or a lost answer, while the store does that

# What strikes whoever holds a lease, so that what has suffered before must be spared.
_TAKES_LEASES = {"freeze", "database", "power-cut", "outage"}


class Conductor:
    """One run's violence. Everything happens in the thread that calls `play`.

    The kernel ends a process with the thread that started it, so that has to live as long as they.
    """

    def __init__(self, stage: Stage, lookout: Lookout, diary: Diary) -> None:
        self._stage = stage
        self._lookout = lookout
        self._diary = diary
        self._later: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = count()
        self._busy: set[str] = set()  # parts that are down, frozen or broken on purpose
        self._began = 0.0

    def play(
        self, acts: Sequence[Act], *, besides: Sequence[tuple[float, Callable[[], None]]]
    ) -> None:
        """Carry the acts out, and what else is to be done at a time; mend all of it at the end."""
        self._began = time.monotonic()
        for act in acts:
            self._at(act.at, partial(self._perform, act))
        for at, work in besides:
            self._at(at, work)
        end = max((act.at + act.seconds for act in acts), default=0.0)
        while self._later and self._elapsed() <= end:
            at, _, work = self._later[0]
            wait = at - self._elapsed()
            if wait > 0:
                time.sleep(min(wait, 0.5))
                self._revive()
                continue
            heapq.heappop(self._later)
            work()
        self.heal()

    def heal(self) -> None:
        """End every trouble, and start whatever is not running; no fault is left."""
        while self._later:
            heapq.heappop(self._later)
        self._stage.switch(Switches(slow_s=0.05, poison=self._stage.switches.poison))
        self._stage.database.heal()
        self._stage.calm_queue()
        for name in self._stage.parts:
            self._stage.thaw(name)
            self._stage.start(name)
        for part in self._stage.parts.values():
            part.wait_until_ready()
        self._busy.clear()
        self._note("healed")

    def _perform(self, act: Act) -> None:
        if self._targets_of(act) & self._busy:  # down, frozen or in trouble already
            self._put_off(act)
            return
        leases = self._lookout.wait_for_prey(
            lambda: self._is_busy(act.target), within_s=_PREY_WITHIN_S
        )
        takes_leases = act.kind in _TAKES_LEASES or "worker" in act.target
        if leases is None and takes_leases:
            self._note("spared", kind=act.kind, target=act.target)
            self._put_off(act)
            return
        if act.kind in ("kill", "freeze") and not self._is_busy(act.target):
            return  # it has hardly begun, and holds nothing
        {
            "kill": self._kill,
            "freeze": self._freeze,
            "store": self._trouble_store,
            "database": self._trouble_database,
            "outage": self._outage,
            "lose-queue": self._lose_queue,
            "power-cut": self._cut_power,
        }[act.kind](act, leases or [])

    def _put_off(self, act: Act) -> None:
        """Try again soon, if it is one of the few long ones; the next kill comes anyway."""
        if act.kind == "outage":
            self._at(self._elapsed() + _AGAIN_S, lambda: self._perform(act))

    def _kill(self, act: Act, leases: Sequence[Lease]) -> None:
        name, _, child = act.target.partition(":")
        if child:
            if self._stage.kill_child(name):
                self._struck("kill", act, leases, victims=[act.target])
            return
        names = sorted(self._targets_of(act))
        self._strike(act, leases, names)
        self._start_again(names, after_s=act.seconds)

    def _strike(self, act: Act, leases: Sequence[Lease], names: Sequence[str]) -> None:
        for name in names:
            self._stage.kill(name)
        self._struck("kill", act, leases, victims=names)

    def _freeze(self, act: Act, leases: Sequence[Lease]) -> None:
        self._stage.freeze(act.target)
        self._busy.add(act.target)
        self._struck("freeze", act, leases, victims=[act.target])

        def thaw() -> None:
            self._stage.thaw(act.target)
            self._busy.discard(act.target)
            self._note("thaw", target=act.target)

        self._after(act.seconds, thaw)

    def _trouble_store(self, act: Act, leases: Sequence[Lease]) -> None:
        calm = self._stage.switches
        self._stage.switch(
            {
                "away": replace(calm, away=True),
                "hang": replace(calm, hang_s=_HANG_S),
                "cut": replace(calm, cut=_PROBABILITY),
                "after": replace(calm, after=_PROBABILITY),
            }[act.target]
        )
        self._break("store", act, leases, self._calm_store)

    def _calm_store(self) -> None:
        self._stage.switch(Switches(poison=self._stage.switches.poison))

    def _trouble_database(self, act: Act, leases: Sequence[Lease]) -> None:
        database = self._stage.database
        way = database.ways[int(act.way * len(database.ways))]
        database.fail(way)
        self._break("database", act, leases, database.heal, way=way)

    def _outage(self, act: Act, leases: Sequence[Lease]) -> None:
        """Take something away for long: a process is killed, and not started again until then."""
        if act.target == "store":
            self._stage.switch(replace(self._stage.switches, away=True))
            self._break("store", act, leases, self._calm_store)
        elif act.target == "database":
            self._trouble_database(act, leases)
        else:
            names = sorted(self._targets_of(act))
            self._strike(act, leases, names)
            self._note("outage", target=act.target, seconds=act.seconds)
            self._start_again(names, after_s=act.seconds)

    def _break(
        self,
        what: str,
        act: Act,
        leases: Sequence[Lease],
        mend: Callable[[], None],
        **facts: Any,
    ) -> None:
        kind = "outage" if act.seconds >= SHORTEST_OUTAGE_S else "trouble"
        self._busy.add(what)
        self._struck(kind, act, leases, victims=[what], seconds=act.seconds, **facts)

        def end() -> None:
            mend()
            self._busy.discard(what)
            self._note("mended", target=what)

        self._after(act.seconds, end)

    def _lose_queue(self, act: Act, leases: Sequence[Lease]) -> None:
        self._strike(act, leases, ["queue"])
        self._stage.lose_queue_file()
        self._note("queue lost", waiting=self._lookout.unfinished())
        self._start_again(["queue"], after_s=act.seconds)

    def _cut_power(self, act: Act, leases: Sequence[Lease]) -> None:
        names = [name for name in self._stage.parts if name not in self._busy]
        self._strike(act, leases, names)
        self._start_again(names, after_s=act.seconds)

    def _start_again(self, names: Sequence[str], *, after_s: float) -> None:
        self._busy |= set(names)

        def start() -> None:
            for name in names:
                self._stage.start(name)
            self._busy.difference_update(names)
            self._note("started", target=list(names))

        self._after(after_s, start)

    def _revive(self) -> None:
        """Start what has ended though nobody here did it."""
        for name, part in self._stage.parts.items():
            if name not in self._busy and not part.is_running:
                self._note("ended by itself", target=name)
                part.start()

    def _is_busy(self, target: str) -> bool:
        """Whether workers that are the target hold a lease; of others nothing is asked."""
        name = target.partition(":")[0]
        names = WORKERS if name == "workers" else {name} & set(WORKERS)
        return not names or any(self._stage.uploads(each) > 0 for each in names)

    def _targets_of(self, act: Act) -> set[str]:
        """Return what must not be in trouble already; power cuts strike whatever runs."""
        if act.kind in ("store", "database"):
            return {act.kind}
        target = act.target.partition(":")[0]
        return set(WORKERS) if target == "workers" else {target}

    def _struck(self, kind: str, act: Act, leases: Sequence[Lease], **facts: Any) -> None:
        held = [[lease.colorway, lease.fence] for lease in leases]
        self._note(kind, target=act.target, leases=held, **facts)

    def _note(self, event: str, **facts: Any) -> None:
        self._diary.note(event, **facts)

    def _elapsed(self) -> float:
        return time.monotonic() - self._began

    def _after(self, seconds: float, work: Callable[[], None]) -> None:
        self._at(self._elapsed() + seconds, work)

    def _at(self, at: float, work: Callable[[], None]) -> None:
        heapq.heappush(self._later, (at, next(self._numbers), work))
