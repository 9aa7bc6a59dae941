"""`python -m palette_worker.doctor`: is all there that this worker needs, and does it fit together?

It reads the worker's settings, leaves nothing behind, and shows no secret.
"""

from __future__ import annotations

import sys

from colorway.doctor.agreement import Facts, Sides, where_both_meet
from colorway.doctor.finding import Findings, judged
from colorway.doctor.visit import Doctor, visit
from palette_worker.settings import Settings


def facts_of(settings: Settings) -> Facts:
    """Return what the dispatcher must agree with."""
    return Facts(
        service="palette_worker",
        **where_both_meet(settings),
        audience=settings.worker_url,
        callers=settings.oidc_callers,
        connections=settings.connections,
        time_limit=settings.time_budget,
        slots=settings.threads,
    )


def check_lease(settings: Settings, _: Sides) -> Findings:
    """A lease outlives one late heartbeat, and a dead worker is noticed while it matters."""
    lease, beat, budget = settings.lease_for, settings.heartbeat_every, settings.time_budget
    flaws = {
        "one late heartbeat loses the lease": 2 * beat > lease,
        "a dead worker is noticed after the longest attempt": lease > budget,
        "an attempt is over while it waits for room": settings.slot_wait >= budget,
    }
    beat_s, lease_s, budget_s = (each.total_seconds() for each in (beat, lease, budget))
    said = f"HEARTBEAT_EVERY {beat_s:g} s, LEASE_FOR {lease_s:g} s, TIME_BUDGET {budget_s:g} s"
    yield judged(
        "lease",
        [f"{flaw} ({said})" for flaw, holds in flaws.items() if holds],
        detail=said,
        fix="HEARTBEAT_EVERY at most half of LEASE_FOR, that at most TIME_BUDGET, SLOT_WAIT below",
    )


DOCTOR = Doctor(
    service="palette_worker",
    about=__doc__ or "",
    settings=Settings,
    facts_of=facts_of,
    own_checks=check_lease,
    dispatcher_url=lambda _: None,
)

if __name__ == "__main__":
    sys.exit(visit(DOCTOR, sys.argv[1:]))
