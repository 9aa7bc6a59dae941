"""How much it hurt, and how soon it healed: counted from the acts, the logs and the history."""

from __future__ import annotations

import json
import re
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from math import ceil
from pathlib import Path

from chaos.auditor.books import Row
from chaos.auditor.evidence import FINAL, Evidence

LONG_OUTAGE_S = 30.0
_FAULT = re.compile(r"fault: ([a-z ]+):")


@dataclass(frozen=True, slots=True)
class Times:
    """Durations in seconds, summed up."""

    count: int
    p50: float
    p99: float
    longest: float


@dataclass(slots=True)
class Figures:
    """What happened in a run, in numbers."""

    jobs: int = 0
    colorways: Counter[str] = field(default_factory=Counter)
    attempts: int = 0
    poison_sources: int = 0
    kills: Counter[str] = field(default_factory=Counter)
    kills_with_lease: int = 0
    leases_died: int = 0
    died_by_themselves: int = 0
    freezes: int = 0
    troubles: Counter[str] = field(default_factory=Counter)
    outages: list[tuple[str, float]] = field(default_factory=list)
    spared: int = 0
    fenced_finishes: int = 0
    fenced_before: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    repairs: Counter[str] = field(default_factory=Counter)
    silences: int = 0
    unavailable: int = 0
    pictures: int = 0
    to_notice: Times = Times(0, 0, 0, 0)
    to_heal: Times = Times(0, 0, 0, 0)
    queue_refilled: Times = Times(0, 0, 0, 0)
    quiet_s: float = 0.0


def count(evidence: Evidence) -> Figures:
    """Count all of it."""
    figures = Figures(
        jobs=len(evidence.jobs),
        colorways=evidence.statuses(),
        attempts=sum(colorway["attempts"] for colorway in evidence.colorways),
        poison_sources=len(evidence.poison & set(evidence.source_of.values())),
    )
    _count_acts(evidence.acts, figures)
    _count_told(evidence.told, figures)
    _count_logs(evidence.logs, figures)
    steps = _steps(evidence.history)
    noticed, healed = _heal_times(evidence.acts, steps)
    figures.leases_died = len(noticed)
    figures.to_notice, figures.to_heal = times(noticed), times(healed)
    figures.queue_refilled = times(_refill_times(evidence.acts, steps))
    return figures


def times(seconds: Sequence[float]) -> Times:
    """Sum durations up; percentiles are values that were measured."""
    if not seconds:
        return Times(0, 0, 0, 0)
    ordered = sorted(seconds)

    def percentile(share: float) -> float:
        return round(ordered[ceil(share * len(ordered)) - 1], 2)

    return Times(len(ordered), percentile(0.5), percentile(0.99), round(ordered[-1], 2))


def _count_acts(acts: Iterable[Row], figures: Figures) -> None:
    open_outages: dict[str, float] = {}
    for act in acts:
        event = act["event"]
        if event == "kill":
            figures.kills["+".join(act["victims"])] += 1
            figures.kills_with_lease += bool(act["leases"])
        elif event == "ended by itself":
            figures.died_by_themselves += 1
        elif event == "freeze":
            figures.freezes += 1
        elif event == "trouble":
            figures.troubles[act.get("way") or act["target"]] += 1
        elif event == "outage":
            name = act["target"] if "way" not in act else f"{act['target']} ({act['way']})"
            open_outages[name] = act["t"]
        elif event == "spared":
            figures.spared += 1
        elif event == "ends":
            figures.quiet_s = act["quiet_s"]
        if event in ("mended", "started", "healed"):
            targets = act.get("target", list(open_outages))
            _close_outages(targets, act["t"], open_outages, figures)


def _close_outages(
    targets: str | list[str], at: float, open_outages: dict[str, float], figures: Figures
) -> None:
    """An outage of the workers ends when they are started, by their own names."""
    ended = [targets] if isinstance(targets, str) else targets
    for name in list(open_outages):
        what = name.partition(" ")[0]
        if any(target.startswith(what.removesuffix("s")) for target in ended) or name in ended:
            figures.outages.append((name, round(at - open_outages.pop(name), 1)))


def _count_told(told: Iterable[Row], figures: Figures) -> None:
    for entry in told:
        figures.silences += entry["event"] == "silence"
        figures.unavailable += entry["event"] == "refused" and entry["http"] == 503
        figures.pictures += entry["event"] == "picture"


def _count_logs(logs: Path, figures: Figures) -> None:
    for file in logs.glob("*.log"):
        for line in file.read_text(encoding="utf-8", errors="replace").splitlines():
            if "fault: " in line and file.stem == "queue":
                match = _FAULT.search(line)
                figures.faults[match[1] if match else "other"] += 1
            elif line.startswith("{"):
                _count_line(line, figures)


def _count_line(line: str, figures: Figures) -> None:
    try:
        entry = json.loads(line)
    except ValueError:
        return  # cut off in the middle, as its process was
    message = entry.get("message")
    if message == "reconciled":
        figures.repairs[entry["kind"]] += entry["count"]
    elif message == "lease lost":
        if "no longer holds" in entry["reason"]:
            figures.fenced_finishes += 1
        else:
            figures.fenced_before += 1


_Steps = dict[str, list[Row]]


def _steps(history: Iterable[Row]) -> _Steps:
    """Return the history by colorway, each with the tries there were before."""
    steps: _Steps = defaultdict(list)
    for event in history:
        if event["colorway"] is not None:
            earlier = steps[event["colorway"]]
            tries = earlier[-1]["tries"] if earlier else 0
            earlier.append(event | {"was_tries": tries})
    return steps


def _after(steps: _Steps, colorway: str, at: float) -> list[Row]:
    events = steps.get(colorway, [])
    return events[bisect_left([event["at"] for event in events], at) :]


def _heal_times(acts: Iterable[Row], steps: _Steps) -> tuple[list[float], list[float]]:
    """Return the seconds until leases that died were taken back, and until they were claimed again.

    A lease died if it was neither finished nor given back, but ran out. It is told of the first
    kill only, should another follow before it was taken back.
    """
    noticed: list[float] = []
    healed: list[float] = []
    died: set[tuple[str, int]] = set()
    for act in acts:
        if act["event"] not in ("kill", "freeze") or not _strikes_workers(act["victims"]):
            continue
        for colorway, fence in act["leases"]:
            following = _after(steps, colorway, act["t"])
            if not following or (colorway, fence) in died:
                continue
            first = following[0]
            ran_out = first["was_status"] == "processing" and first["was_fence"] == fence
            if ran_out and first["tries"] > first["was_tries"]:
                died.add((colorway, fence))
                noticed.append(first["at"] - act["t"])
                again = _first(following, ("processing",)) or _first(following, FINAL)
                if again is not None:
                    healed.append(again["at"] - act["t"])
    return noticed, healed


def _strikes_workers(victims: Iterable[str]) -> bool:
    return any(victim.startswith("worker") for victim in victims)


def _first(events: Iterable[Row], statuses: Iterable[str]) -> Row | None:
    return next((event for event in events if event["status"] in statuses), None)


def _refill_times(acts: Iterable[Row], steps: _Steps) -> list[float]:
    """Return, for each lost queue, the seconds until all that waited was sent again or over."""
    seconds = []
    for act in acts:
        if act["event"] == "queue lost" and act["waiting"]:
            nexts = [_after(steps, colorway, act["t"])[:1] for colorway in act["waiting"]]
            seconds.append(max((each[0]["at"] - act["t"] for each in nexts if each), default=0.0))
    return seconds
