"""Renews the leases of what this process really works on, and gives them back when it must end.

One thread for all attempts. A lease is renewed until its attempt's time budget ends, so an attempt
that hangs loses it, and a process that is killed is noticed when its leases run out. What could not
be given back, for the ledger was away, a later beat gives back.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog

from colorway.errors import LeaseLost, TryLater
from colorway.ledger import lease
from colorway.ledger.connection import Ledger
from colorway.ledger.lease import Claim
from colorway.telemetry.metrics import RenderMetrics
from palette_worker.counts import count_given_back

log = structlog.get_logger()


def utc_now() -> datetime:
    """Return the time, aware."""
    return datetime.now(UTC)


class Held:
    """A claim under way in this process."""

    def __init__(self, claim: Claim, renew_until: datetime) -> None:
        self.claim = claim
        self.renew_until = renew_until
        self._lost = threading.Event()

    def check(self) -> None:
        """Raise LeaseLost once a renewal has found no row; asked between the steps."""
        if self._lost.is_set():
            raise LeaseLost(f"attempt {self.claim.attempt} lost its lease")

    def lose(self) -> None:
        """Let the next check stop the attempt."""
        self._lost.set()


@dataclass(frozen=True, slots=True)
class Debt:
    """A claim that could not be given back, for the ledger was away; `counts` as a try or not."""

    claim: Claim
    error: dict[str, Any]
    counts: bool


class Heartbeat:
    """Every claim of this process, renewed by one thread."""

    def __init__(
        self,
        ledger: Ledger,
        metrics: RenderMetrics,
        *,
        lease_for: timedelta,
        every: timedelta,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self._ledger = ledger
        self._metrics = metrics
        self._lease_for = lease_for
        self._every = every
        self._now = now
        self._held: set[Held] = set()
        self._owed: list[Debt] = []
        self._guard = threading.Lock()
        self._stopping = threading.Event()

    def start(self) -> None:
        """Begin to beat, in a thread that ends with the process."""
        threading.Thread(target=self._run, name="heartbeat", daemon=True).start()

    def stop(self) -> None:
        """Beat no more."""
        self._stopping.set()

    @contextmanager
    def keeping(self, claim: Claim, *, renew_until: datetime) -> Iterator[Held]:
        """Keep this claim's lease while the block runs."""
        held = Held(claim, renew_until)
        with self._guard:
            self._held.add(held)
        try:
            yield held
        finally:
            with self._guard:
                self._held.discard(held)

    def owe(self, debt: Debt) -> None:
        """Give this claim back as soon as the ledger is there, before its lease runs out."""
        with self._guard:
            self._owed.append(debt)

    def beat(self) -> None:
        """Renew every lease once; what finds no row is lost, what finds no ledger waits a beat."""
        now = self._now()
        for held in self._now_held():
            if now >= held.renew_until:
                continue
            try:
                with self._ledger.noting() as session:
                    kept = lease.renew(session, held.claim, until=now + self._lease_for)
            except TryLater as error:
                log.warning("lease not renewed", colorway=held.claim.colorway, reason=str(error))
                continue
            if not kept:
                held.lose()
        self._give_back_what_is_owed()

    def give_back_all(self) -> None:
        """Let other attempts have everything; this process is about to be killed."""
        why = {"code": "worker-stopped", "detail": "the worker was stopped; it is tried again"}
        for held in self._now_held():
            held.lose()
            error = why | {"phase": None, "attempt": held.claim.attempt}
            try:
                self._give_back(Debt(held.claim, error, counts=False))
            except TryLater as trouble:
                log.warning("not given back", colorway=held.claim.colorway, reason=str(trouble))
            except Exception:  # a bug; the others must still be given back
                log.exception("not given back", colorway=held.claim.colorway)

    def _give_back_what_is_owed(self) -> None:
        with self._guard:
            owed, self._owed = self._owed, []
        for debt in owed:
            try:
                self._give_back(debt)
            except TryLater:
                self.owe(debt)

    def _give_back(self, debt: Debt) -> None:
        claim, error, counts = debt.claim, debt.error, debt.counts
        try:
            with self._ledger.transaction() as session:
                end = lease.give_back(session, claim, error, counts=counts, now=self._now())
        except LeaseLost as lost:  # finished meanwhile, or taken over
            log.info("not given back", colorway=claim.colorway, reason=str(lost))
        else:
            log.warning("given back", colorway=claim.colorway, **error)
            count_given_back(self._metrics, claim, end, counts=counts)

    def _now_held(self) -> list[Held]:
        with self._guard:
            return list(self._held)

    def _run(self) -> None:
        while not self._stopping.wait(self._every.total_seconds()):
            try:
                self.beat()
            except Exception:
                log.exception("heartbeat failed")  # a bug; the next beat may still keep the leases
