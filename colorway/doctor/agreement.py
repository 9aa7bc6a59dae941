"""What dispatcher and worker must agree on: each doctor tells its side, either compares both.

Where the two run apart, one's `--facts` are the other's `--other`. Whoever has only eyes compares
the fingerprints: they are equal where ledger, store, issuer and audience are.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from colorway.doctor.finding import Finding, Findings, judged, right, unseen, wrong
from colorway.ledger.connection import address_of
from colorway.settings import SharedSettings

_SAME = {
    "ledger": "DATABASE_URL",
    "image_store": "IMAGE_STORE",
    "issuer": "OIDC_ISSUER",
    "certs_url": "OIDC_CERTS_URL",
    "audience": "WORKER_URL",
}


class Facts(BaseModel):
    """One side. Of the dispatcher: whose tokens it asks for; of the worker: whose it takes."""

    model_config = ConfigDict(frozen=True)

    service: Literal["dispatcher", "palette_worker"]
    ledger: str
    image_store: str
    issuer: str
    certs_url: str
    audience: str
    callers: frozenset[str]
    connections: int = Field(description="of one process to the ledger")
    time_limit: timedelta = Field(description="the deadline of a dispatch, or budget of an attempt")
    slots: int | None = Field(default=None, description="request threads of one worker process")

    @property
    def fingerprint(self) -> str:
        """What both sides must have in common, in twelve letters."""
        same = json.dumps([getattr(self, name) for name in _SAME])
        return hashlib.sha256(same.encode()).hexdigest()[:12]


@dataclass(frozen=True, slots=True)
class Sides:
    """Both sides, as far as they are known, and how many processes of each there may be."""

    dispatcher: Facts | None
    worker: Facts | None
    dispatchers: int
    workers: int
    request_timeout: timedelta | None

    @classmethod
    def of(cls, ours: Facts, other: Facts | None, **matters: Any) -> Self:
        """Put each on its side."""
        known = {facts.service: facts for facts in (ours, other) if facts is not None}
        return cls(known.get("dispatcher"), known.get("palette_worker"), **matters)

    @property
    def connections(self) -> int | None:
        """Of all processes to the ledger; None where only one side is known."""
        if self.dispatcher is None or self.worker is None:
            return None
        of_dispatchers = self.dispatchers * self.dispatcher.connections
        return of_dispatchers + self.workers * self.worker.connections


def where_both_meet(settings: SharedSettings) -> dict[str, str]:
    """Return what of the settings is the same on both sides, without logins."""
    return {
        "ledger": address_of(settings.database_url),
        "image_store": settings.image_store.rstrip("/"),
        "issuer": settings.oidc_issuer,
        "certs_url": settings.oidc_certs_url,
    }


def check_agreement(ours: Facts, sides: Sides) -> Findings:
    """Compare both sides, or tell what to compare."""
    dispatcher, worker = sides.dispatcher, sides.worker
    mark = f"fingerprint {ours.fingerprint}"
    if dispatcher is None or worker is None:
        fix = "compare fingerprints by eye, or give the other doctor's --facts as --other"
        yield unseen("both sides", mark, fix=fix)
    else:
        flaws = [
            f"{variable} is {getattr(dispatcher, name)} to the dispatcher"
            f" and {getattr(worker, name)} to the worker"
            for name, variable in _SAME.items()
            if getattr(dispatcher, name) != getattr(worker, name)
        ]
        said = f"agree on ledger, store, issuer and audience: {mark}"
        yield judged("both sides", flaws, detail=said, fix="set them alike, and deploy both")
        yield _callers(dispatcher, worker)
    yield from _times(sides)


def _callers(dispatcher: Facts, worker: Facts) -> Finding:
    [caller], known = dispatcher.callers, ", ".join(sorted(worker.callers))
    if caller in worker.callers:
        return right("task caller", f"{caller} is on the worker's list")
    said = f"{caller}, as whom tasks come, is not on the worker's list: {known}"
    return wrong("task caller", said, fix="add it to the worker's OIDC_CALLERS")


def _times(sides: Sides) -> Findings:
    """Nest them: an attempt ends by itself, else the platform ends it, and the queue waits."""
    limits = {
        "TIME_BUDGET": sides.worker and sides.worker.time_limit,
        "--request-timeout": sides.request_timeout,
        "DISPATCH_DEADLINE": sides.dispatcher and sides.dispatcher.time_limit,
    }
    known = [(name, limit.total_seconds()) for name, limit in limits.items() if limit]
    said = ", ".join(f"{name} {limit:g} s" for name, limit in known)
    flaws = [
        f"{name} {limit:g} s is not below {longer_name} {longer:g} s"
        for (name, limit), (longer_name, longer) in pairwise(known)
        if limit > longer or (limit == longer and name == "TIME_BUDGET")
    ]
    fix = "TIME_BUDGET < the platform's request timeout <= DISPATCH_DEADLINE"
    if flaws or len(known) == len(limits):
        yield judged("times", flaws, detail=said, fix=fix)
    else:
        missing = " and ".join(name for name, limit in limits.items() if not limit)
        yield unseen("times", f"{said}; {missing} not known", fix=f"see that {fix}")


def read_other(file: Path) -> Facts:
    """Return the other side as its doctor has written it; ValueError says what is wrong with it."""
    try:
        return Facts.model_validate(json.loads(file.read_text())["facts"])
    except (OSError, ValueError, KeyError, TypeError):
        raise ValueError(f"{file} is not what a doctor writes with --facts") from None
