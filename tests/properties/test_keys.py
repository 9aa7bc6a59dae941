"""Random stories of Idempotency-Keys: of all who use one, a single request makes a job.

Requests crash and come back, early, late or as something else, and their clocks differ.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, consumes, multiple, rule, run_state_machine_as_test

from colorway.errors import Refused
from colorway.ledger.idempotency import Reservation, release, reserve
from tests.builders import DAY
from tests.properties.crashes import Crashed, FrailLedger
from tests.properties.machine import Machine, happenings
from tests.properties.model import ModelKey

LEAPS = [timedelta(seconds=s) for s in (1, 30, 59, 61)] + [DAY - timedelta(minutes=2), DAY]


class Keys(Machine):
    """What may happen to two keys."""

    reservations = Bundle("reservations")

    @rule(
        target=reservations, key=st.sampled_from("ab"), asked=st.sampled_from("xxy"), how=happenings
    )
    def reserve_one(self, key, asked, how):
        now, wanted = self.now(how), Reservation(self.account, "POST /v1/jobs", key, asked)
        known, job, refusal = self.keys.get(key), None, None
        with suppress(Crashed):
            try:
                job = self.write(lambda session: reserve(session, wanted, now=now), how)
            except Refused as refused:
                refusal = refused.code
            if known is not None and not known.is_free(now):
                assert (refusal, job) == known.answer(asked)
                return multiple()
            assert (refusal, job) == (None, None)
            self.keys[key] = ModelKey(asked, wanted.holder, now)
            return multiple() if how.crash.after_commit else wanted
        return multiple()

    @rule(once=consumes(reservations), how=happenings)
    def submit(self, once, how):
        """At once, or so late that another has taken the key over."""
        self.record(("nord",), "continue", 0, once, how)

    @rule(once=consumes(reservations), how=happenings)
    def give_up(self, once, how):
        with suppress(Crashed):
            self.write(lambda session: release(session, once), how)
            if self.key_held_by(once):
                del self.keys[once.key]

    @rule(leap=st.sampled_from(LEAPS))
    def time_passes(self, leap):
        self.clock += leap


def test_whatever_happens_a_key_makes_one_job_a_day(ledger):
    Keys.ledger, Keys.frail = ledger, FrailLedger(ledger)

    run_state_machine_as_test(Keys, settings=settings(max_examples=20))
