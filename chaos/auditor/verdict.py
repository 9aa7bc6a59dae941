"""The verdict on a run: all zeros or not, and whether it hurt enough to mean anything."""

from __future__ import annotations

from dataclasses import dataclass

from chaos.auditor.end_state import check_end_state
from chaos.auditor.evidence import Evidence
from chaos.auditor.figures import LONG_OUTAGE_S, Figures, count
from chaos.auditor.findings import COUNTERS, OBJECTS, Findings
from chaos.auditor.history import replay
from chaos.auditor.testimony import check_testimony

_REPAIRS_OF_LIES = {"wrong_counters": COUNTERS, "lost_pictures": OBJECTS}
"""What the reconciler must never have had to mend: clients may have been told of it."""


@dataclass(frozen=True, slots=True)
class Enough:
    """The least that must have happened to make a run count."""

    kills: int
    kills_with_lease: int
    fenced_finishes: int
    deliveries_twice: int
    outages: int
    colorways: int


def enough_for(minutes: float) -> Enough:
    """Return what a run of this length must have seen: so much in ten minutes, else in proportion.

    Two runs of ten minutes, one on each database, then make 100 kills and 2,000 colorways.
    """
    share = minutes / 10
    return Enough(
        kills=int(50 * share),
        kills_with_lease=int(25 * share),
        fenced_finishes=int(10 * share),
        deliveries_twice=int(10 * share),
        outages=int(3 * share),
        colorways=int(1000 * share),
    )


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found wrong, what happened, and what there was too little of."""

    findings: Findings
    figures: Figures
    too_little: list[str]

    @property
    def is_clean(self) -> bool:
        """Whether nothing was found wrong."""
        return self.findings.count == 0


def judge(evidence: Evidence, enough: Enough) -> Verdict:
    """Judge a run by its evidence."""
    findings = Findings()
    check_end_state(evidence, findings)
    replay(evidence, findings)
    check_testimony(evidence, findings)
    figures = count(evidence)
    for kind, heading in _REPAIRS_OF_LIES.items():
        if figures.repairs[kind]:
            findings.add(heading, f"the reconciler repaired {figures.repairs[kind]}: {kind}")
    return Verdict(findings, figures, list(_missing(figures, enough)))


def _missing(figures: Figures, enough: Enough) -> list[str]:
    long_outages = sum(seconds >= LONG_OUTAGE_S for _, seconds in figures.outages)
    seen_and_wanted = {
        "kills": (figures.kills.total(), enough.kills),
        "kills with a lease held": (figures.kills_with_lease, enough.kills_with_lease),
        "fenced finishes": (figures.fenced_finishes, enough.fenced_finishes),
        "tasks delivered twice": (figures.faults["delivered twice"], enough.deliveries_twice),
        f"outages of {LONG_OUTAGE_S:.0f} s and more": (long_outages, enough.outages),
        "colorways": (figures.colorways.total(), enough.colorways),
    }
    return [
        f"{what}: {seen} of {wanted}"
        for what, (seen, wanted) in seen_and_wanted.items()
        if seen < wanted
    ]
