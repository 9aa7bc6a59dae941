"""Random stories of the ledger: whatever happens, and wherever it crashes, its promises hold.

Each is told on SQLite and on Postgres, and held against a model in plain Python after every step.
In the end everything that was accepted has ended.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    initialize,
    multiple,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import event

from colorway.ledger import outbox, repairs
from colorway.ledger.commands import cancel_job, retry_job
from colorway.render_task import RenderTask
from tests.builders import DAY, MINUTE
from tests.properties.crashes import Crashed, FrailLedger
from tests.properties.machine import AS_PLANNED, Machine, happenings
from tests.properties.model import ModelColorway, ModelJob

PALETTES = ("nord", "ink", "rose", "moss", "plum", "sand")
LEAPS = [timedelta(seconds=s) for s in (1, 40, 61, 61, 125, 3600)] + [DAY + MINUTE]

BEGINNINGS = ("begin", "begin", "by a late task")

which = st.integers(0, len(PALETTES) - 1)
which_image = st.sampled_from([0, 0, 1])
palettes = st.lists(st.sampled_from(PALETTES), min_size=1, max_size=6, unique=True)
on_errors = st.sampled_from(["continue", "stop"])
epochs_ago = st.sampled_from([0, 0, 0, 1, -1])
ways = st.sampled_from(["finish", "fail", "give back", "own fault", "renew", "die"])
steps = st.tuples(which, st.sampled_from(BEGINNINGS) | ways)
plans = st.builds(
    lambda ready, others: [(number, "begin") for number in range(ready)] + others,
    st.integers(0, 3),
    st.lists(steps, min_size=1, max_size=6),
)
reapers = st.sampled_from(["lease", "source", "age", "old age", "counters"])


class Stories(Machine):
    """Everything that may happen, in any order."""

    jobs = Bundle("jobs")
    claims = Bundle("claims")
    nudges = Bundle("nudges")

    @initialize(target=jobs, many=st.integers(2, 4))
    def begin(self, many):
        palettes = PALETTES[:many]
        both = ("stop", "continue")  # of one source: they share pictures
        return multiple(*[self.record(palettes, each, 0, None, AS_PLANNED) for each in both])

    @rule(
        target=jobs,
        palettes=palettes,
        on_error=on_errors,
        image=which_image,
        reuse=st.sampled_from(["cache", "force"]),
        how=happenings,
    )
    def submit(self, palettes, on_error, image, reuse, how):
        return self.record(palettes, on_error, image, None, how, reuse=reuse)

    @rule(leap=st.sampled_from(LEAPS))
    def time_passes(self, leap):
        self.clock += leap

    @rule(target=claims, job=jobs, number=which, ago=epochs_ago, how=happenings)
    def claim_one(self, job, number, ago, how):
        it = _one(job, number)
        with suppress(Crashed):
            return multiple(*self.claim(RenderTask(it.id, it.epoch - ago), how))
        return multiple()

    @rule(target=claims, job=jobs, plan=plans, how=happenings)
    def work_on(self, job, plan, how):
        """Attempts begin and end, side by side."""
        claimed = []
        for number, way in plan:
            claims = [*self.running(), *self.overtaken()]
            claims = [held for held in claims if held.job == job.id]
            if way in BEGINNINGS or not claims:
                it = _one(job, number)
                with suppress(Crashed):
                    task = RenderTask(it.id, it.epoch - (way == "by a late task"))
                    claimed += self.claim(task, how)
            else:
                self.let_end(claims[number % len(claims)], way, how)
            self.promises_hold()
        return multiple(*claimed)

    @rule(target=claims, job=jobs, number=which, times=st.integers(1, 4))
    def workers_die(self, job, number, times):
        """One after another, and each is noticed by the next task or by the reconciler."""
        held = []
        for time in range(times):
            held += self.claim(_one(job, number).task, AS_PLANNED)
            self.clock += MINUTE + timedelta(seconds=1)
            if time % 2:
                self.take_back(_one(job, number).id, AS_PLANNED)
            self.promises_hold()
        return multiple(*held)

    @rule(held=claims, way=ways, how=happenings)
    def let_end(self, held, way, how):
        """An attempt ends, or dies, or wants to go on, whether its lease is lost or not."""
        with suppress(Crashed):
            if way == "die":
                self.clock += MINUTE + timedelta(seconds=1)
            elif way == "renew":
                self.renew(held, how)
            else:
                self.end(held, way, how)

    @rule(job=jobs, changes_mind=st.sampled_from([True, True, False]), how=happenings)
    def cancel(self, job, changes_mind, how):
        now = self.now(how)
        with suppress(Crashed):
            end = self.write(lambda s: cancel_job(s, self.account, job.id, now=now), how)
            was_done = job.is_done
            self.model.cancel(job, now)
            self.check_end(job, end, was_done=was_done)
        if changes_mind:
            self.promises_hold()
            self.retry(job, None, how)

    @rule(job=jobs, numbers=st.none() | st.lists(which, max_size=3), how=happenings)
    def retry(self, job, numbers, how):
        now = self.now(how)
        keys = None if numbers is None else [_one(job, number).key for number in numbers]
        with suppress(Crashed):
            count = self.write(lambda s: retry_job(s, self.account, job.id, keys, now=now), how)
            assert count == self.model.retry(job, keys, now)

    @rule(job=jobs, number=which, ago=epochs_ago, by=reapers, how=happenings)
    def take_from_attempts(self, job, number, ago, by, how):
        """What the reconciler might do, whether there is a reason for it or not."""
        it = _one(job, number)
        with suppress(Crashed):
            if by == "lease":
                self.take_back(it.id, how)
            elif by == "source":
                self.condemn(RenderTask(it.id, it.epoch - ago), how)
            elif by == "counters":
                self.prove_counters(job.id, how)
            else:
                self.give_up(it, MINUTE if by == "age" else DAY, how)

    @rule(target=nudges, job=st.none() | jobs, loses=st.booleans(), how=happenings)
    def tell_the_queue(self, job, loses, how):
        """After a submission, or because the outbox has kept silent. It may lose what it takes."""
        with self.ledger.reading() as session:
            nudges = [] if job is None else outbox.undelivered(session, job.id, most=9)
        nudges = self.silent(how) if job is None else nudges
        with suppress(Crashed):
            self.deliver(nudges, how)
        if loses:
            self.queue.tasks.clear()
        return multiple(*nudges)

    @rule(
        nudge=nudges, what=st.sampled_from(["lose", "replace", "tell again", "ask"]), how=happenings
    )
    def the_queue_errs(self, nudge, what, how):
        """It loses a task, or whoever asks it or tells it comes late, or a second time."""
        if what == "lose" and nudge in self.queue.tasks:
            self.queue.tasks.remove(nudge)
        with suppress(Crashed):
            if what == "replace":
                self.replace_lost(nudge, how)
            elif what == "tell again":
                self.deliver([nudge], how)
            elif what == "ask":
                self.ask_queue(how)

    @rule(job=jobs, number=which, how=happenings)
    def the_store_loses_a_picture(self, job, number, how):
        """One that all who want the same may share by then."""
        fingerprint = _one(job, number).fingerprint
        for it in self.model.colorways.values():
            if it.fingerprint == fingerprint:
                for held in self.claim(it.task, AS_PLANNED):
                    self.end(held, "finish", AS_PLANNED)
                self.promises_hold()
        picture = self.model.pictures.get(fingerprint)
        if picture is not None:
            with suppress(Crashed):
                self.forget_picture(picture, how)
                self.forget_picture(picture, AS_PLANNED)

    def forget_picture(self, picture, how):
        now = self.now(how)
        concerned = self.write(lambda s: repairs.forget_rendition(s, picture, now=now), how)
        expected = self.model.forget_picture(picture, now)
        assert concerned == (None if expected is None else sorted(expected))


def _one(job: ModelJob, number: int) -> ModelColorway:
    return job.colorways[number % len(job.colorways)]


def test_whatever_happens_the_ledger_keeps_its_promises_and_everything_ends(ledger):
    event.listen(ledger.engine, "connect", _be_quick)

    Stories.ledger, Stories.frail = ledger, FrailLedger(ledger)

    told = settings().max_examples
    if ledger.engine.dialect.name == "postgresql":
        told //= 3  # a story takes three times as long there
    run_state_machine_as_test(Stories, settings=settings(max_examples=told))


def _be_quick(connection, _) -> None:
    """A crash of ours is not one of the machine, so nothing has to reach the disk."""
    is_sqlite = type(connection).__module__.startswith("sqlite3")
    connection.execute(f"{'PRAGMA synchronous' if is_sqlite else 'SET synchronous_commit'} = OFF")
    connection.commit()
