"""A ledger and the model of it, told the same story; and whoever else has a part in that story.

The queue forgets tasks, and takes no name twice. Clocks jump, and differ between machines. Any
transaction may crash: then nothing of it is left, or all of it, and nobody hears the answer.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, ClassVar
from uuid import UUID

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, multiple
from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from colorway.errors import Conflict, LeaseLost
from colorway.job import JobEnd
from colorway.ledger import lapse, lease, outbox, repairs
from colorway.ledger.connection import Ledger
from colorway.ledger.idempotency import Reservation, complete
from colorway.ledger.lapse import Lapse
from colorway.ledger.lease import Claim
from colorway.ledger.renditions import record_rendition
from colorway.ledger.submission import record_job
from colorway.ledger.tables import Record, Row, colorways, jobs
from colorway.lifecycle import Status
from colorway.render_task import Nudge, RenderTask
from tests.builders import (
    BROKEN,
    DAY,
    MINUTE,
    NOON,
    TIMINGS,
    a_job_request,
    a_stored_rendition,
    an_account,
    an_image,
    row_of,
)
from tests.properties.crashes import Crash, Crashed, FrailLedger
from tests.properties.model import Model, ModelColorway, ModelJob, ModelKey
from tests.properties.promises import (
    Snapshot,
    hold_at_every_instant,
    hold_between,
    snapshot,
)

TICK = timedelta(milliseconds=1)
HALF_A_MINUTE = timedelta(seconds=30)
ROUNDS = 8  # of reconciling; one lease, and one more after each that may still run out


@dataclass(frozen=True, slots=True)
class Happening:
    """How far the clock of whoever acts is off, and where they die."""

    skew: timedelta
    crash: Crash


CRASHES = (
    *[Crash()] * 12,
    *[Crash(statements=number) for number in range(1, 9)],
    *[Crash(before_commit=True), Crash(after_commit=True)] * 2,
)
SKEWS = (timedelta(0),) * 3 + (timedelta(seconds=2), timedelta(seconds=-2))
happenings = st.builds(Happening, st.sampled_from(SKEWS), st.sampled_from(CRASHES))
AS_PLANNED = Happening(timedelta(0), Crash())


class Queue:
    """A task queue that has forgotten what it did, but not under which names."""

    def __init__(self) -> None:
        self.tasks: list[Nudge] = []
        self._names: set[str] = set()

    def put(self, nudge: Nudge) -> None:
        """Take the task; under a known name that is a success, and does nothing."""
        if nudge.name() not in self._names:
            self._names.add(nudge.name())
            self.tasks.append(nudge)


class Machine(RuleBasedStateMachine):
    """What rules are made of: each step does one thing to ledger and model, and compares."""

    ledger: ClassVar[Ledger]
    frail: ClassVar[FrailLedger]

    def __init__(self) -> None:
        super().__init__()
        self.model, self.queue, self.clock = Model(), Queue(), NOON
        self.known_claims: list[Claim] = []
        self.keys: dict[str, ModelKey] = {}
        with self.ledger.transaction() as session:
            for table in reversed(Row.metadata.sorted_tables):
                session.execute(delete(table))
            self.account = an_account(session)
            self.images = [an_image(session, self.account, seed=seed) for seed in ("base", "two")]
        self.last: Snapshot | None = None

    @invariant()
    def promises_hold(self) -> None:
        with self.ledger.reading() as session:
            now = snapshot(session, self.last)
        hold_at_every_instant(now)
        if self.last is not None:
            hold_between(self.last, now)
        self.last = now
        assert {id: _job_said(row, now) for id, row in now.jobs.items()} == {
            job.id: job.said() for job in self.model.jobs.values()
        }
        assert {id: _colorway_said(row) for id, row in now.colorways.items()} == {
            id: each.said() for id, each in self.model.colorways.items()
        }
        assert now.outbox == self.model.outbox
        assert {row.fingerprint: id for id, row in now.renditions.items()} == self.model.pictures
        assert now.deaths == {image.id: self.model.deaths[image.id] for image in self.images}

    def now(self, how: Happening) -> datetime:
        self.clock += TICK
        return self.clock + how.skew

    def write(self, work: Callable[[Session], Any], how: Happening) -> Any:
        return self.frail.write(work, how.crash)

    def record(
        self,
        palettes: Sequence[str],
        on_error: str,
        image: int,
        once: Reservation | None,
        how: Happening,
        *,
        reuse: str = "cache",
    ) -> Any:
        """Submit a job, under a key perhaps; return it, or as many values as there are: none."""
        now, source = self.now(how), self.images[image]
        wanted = a_job_request(source.id, tuple(palettes), on_error=on_error, reuse=reuse)

        def submit(session: Session) -> ModelJob:
            keep = 30 * DAY
            job = record_job(session, self.account, source, wanted, keep_for=keep, now=now).id
            if once is not None:
                complete(session, once, job)
            return _recorded(session, job)

        try:
            job = self.write(submit, how)
        except Crashed:
            return multiple()
        except Conflict:
            assert once is not None
            assert self.key_held_by(once) is None
            return multiple()
        if once is not None:
            key = self.key_held_by(once)
            assert key is not None
            key.job = job.id
        self.model.record(job, reuse, now)
        return job

    def key_held_by(self, once: Reservation) -> ModelKey | None:
        known = self.keys.get(once.key)
        return known if known is not None and known.holder == once.holder else None

    def claim(self, task: RenderTask, how: Happening) -> list[Claim]:
        """Return the claim, if whoever took it lives to tell."""
        now = self.now(how)
        got = self.write(lambda session: lease.claim(session, task, now=now, lease_for=MINUTE), how)
        it = self.model.colorways[task.colorway]
        was_done = it.job.is_done
        status = self.model.claim(task, now=now, until=now + MINUTE)
        self.check_end(it.job, got.job_end if isinstance(got, Lapse) else None, was_done=was_done)
        if not isinstance(got, Claim):
            assert status == (None if got is None else got.status)
            return []
        assert status is Status.PROCESSING
        assert (got.fence, got.tries, got.attempt) == (it.fence, it.tries, it.attempts)
        assert got.alone == it.alone
        self.known_claims.append(got)
        return [] if how.crash.after_commit else [got]

    def running(self) -> list[Claim]:
        """Return the claims that are still held."""
        return [held for held in self.known_claims if self.model.holds(held.colorway, held.fence)]

    def overtaken(self) -> list[Claim]:
        """Return the claims of what another attempt is working on by now."""
        processing = [
            held
            for held in self.known_claims
            if self.model.colorways[held.colorway].status is Status.PROCESSING
        ]
        return [held for held in processing if held not in self.running()]

    def end(self, held: Claim, way: str, how: Happening) -> None:
        """Let an attempt end, if it still may."""
        now, it = self.now(how), self.model.colorways[held.colorway]
        holds, was_done = self.model.holds(held.colorway, held.fence), it.job.is_done

        def write(session: Session) -> tuple[JobEnd | None, UUID | None]:
            if way == "finish":
                return self.finish(session, held, now)
            if way == "fail":
                return lease.fail(session, held, BROKEN, now=now), None
            counts = way == "own fault"
            return lease.give_back(session, held, BROKEN, counts=counts, now=now), None

        try:
            end, picture = self.write(write, how)
        except LeaseLost:
            assert not holds
            return
        assert holds
        if picture is not None:
            self.model.finish(it, picture, now)
        elif way == "fail":
            self.model.fail(it, "broken", now)
        else:
            self.model.give_back(it, "broken", counts=way == "own fault", now=now)
        self.check_end(it.job, end, was_done=was_done)

    def renew(self, held: Claim, how: Happening) -> None:
        until, it = self.now(how) + MINUTE, self.model.colorways[held.colorway]
        renewed = self.write(lambda session: lease.renew(session, held, until=until), how)
        assert renewed == self.model.holds(held.colorway, held.fence)
        it.leased_until = until if renewed else it.leased_until

    def finish(
        self, session: Session, held: Claim, now: datetime
    ) -> tuple[JobEnd | None, UUID | None]:
        """Finish as a worker does, with the picture that counts."""
        fingerprint = self.model.colorways[held.colorway].fingerprint
        stored = a_stored_rendition(f"{held.colorway}-{held.fence}.png")
        picture = record_rendition(session, self.account, fingerprint, stored, now=now).id
        return lease.finish(session, held, picture, TIMINGS, now=now), picture

    def take_back(self, id: UUID, how: Happening) -> None:
        now, it = self.now(how), self.model.colorways[id]
        got = self.write(lambda session: lapse.take_back(session, id, now=now), how)
        was_done = it.job.is_done
        self.check_lapse(it.job, got, self.model.take_back(it, now), was_done=was_done)

    def condemn(self, task: RenderTask, how: Happening) -> None:
        now, it = self.now(how), self.model.colorways[task.colorway]
        got = self.write(lambda session: lapse.condemn(session, task, now=now), how)
        was_done = it.job.is_done
        self.check_lapse(it.job, got, self.model.condemn(task, now=now), was_done=was_done)

    def give_up(self, it: ModelColorway, after: timedelta, how: Happening) -> None:
        now, was_done = self.now(how), it.job.is_done
        before = now - after
        got = self.write(lambda s: lapse.give_up(s, it.id, before=before, now=now), how)
        status = self.model.give_up(it, before=before, now=now)
        self.check_lapse(it.job, got, status, was_done=was_done)

    def ask_queue(self, how: Happening) -> None:
        """Ask for the tasks that pending colorways rely on; put others for those that are lost."""
        now = self.now(how)
        with self.ledger.reading() as session:
            waiting = outbox.waiting(session, before=now - MINUTE, most=9)
        for nudge in waiting:
            if nudge in self.queue.tasks:
                self.write(lambda session, it=nudge: outbox.seen(session, it, now=now), how)
            else:
                self.replace_lost(nudge, how)

    def replace_lost(self, nudge: Nudge, how: Happening) -> None:
        now = self.now(how)
        was = self.write(lambda session: outbox.replace_lost(session, nudge, now=now), how)
        assert was == self.model.replace_lost(nudge)

    def deliver(self, nudges: list[Nudge], how: Happening) -> None:
        """Hand these to the queue, and then forget them."""
        for nudge in nudges:
            self.queue.put(nudge)
        self.write(lambda session: outbox.told(session, nudges), how)
        entries = {(each.task.colorway, each.task.epoch, each.number) for each in nudges}
        self.model.outbox -= entries

    def silent(self, how: Happening) -> list[Nudge]:
        before = self.now(how) - HALF_A_MINUTE
        with self.ledger.reading() as session:
            return outbox.silent(session, before=before, most=9)

    def prove_counters(self, job: UUID, how: Happening) -> None:
        now = self.now(how)
        assert self.write(lambda s: repairs.repair_counters(s, job, now=now), how) is None

    def check_lapse(
        self, job: ModelJob, got: Lapse | None, status: Status | None, *, was_done: bool
    ) -> None:
        assert (None if got is None else got.status) == status
        self.check_end(job, None if got is None else got.job_end, was_done=was_done)

    def check_end(self, job: ModelJob, end: JobEnd | None, *, was_done: bool) -> None:
        """A job's end is told once, by the write that made it so."""
        assert (end is not None) == (job.is_done and not was_done)
        assert end is None or (end.job == job.id and end.progress.is_done)

    def teardown(self) -> None:
        if sys.exc_info()[0] is None:  # else the story is told already
            self.everything_ends()

    def everything_ends(self) -> None:
        """With a reconciler and a willing worker every job is done soon, whatever has happened."""
        rounds = 0
        while not all(job.is_done for job in self.model.jobs.values()):
            assert rounds < ROUNDS, "something is stranded"
            rounds += 1
            self.clock += 2 * MINUTE
            self.reconcile()
            self.work()
            self.promises_hold()
        with self.ledger.transaction() as session:  # whoever comes back now comes too late
            late = (lease.renew(session, held, until=self.clock) for held in self.known_claims)
            assert not any(late)

    def reconcile(self) -> None:
        with self.ledger.reading() as session:
            expired = lapse.expired(session, now=self.clock, most=99)
        for colorway in expired:
            self.take_back(colorway, AS_PLANNED)
        with self.ledger.reading() as session:
            condemned = lapse.condemned(session, most=99)
        for task in condemned:
            self.condemn(task, AS_PLANNED)
        with self.ledger.reading() as session:
            assert repairs.wrong_counters(session, list(self.model.jobs)) == []
        self.ask_queue(AS_PLANNED)
        while nudges := self.silent(AS_PLANNED):
            self.deliver(nudges, AS_PLANNED)

    def work(self) -> None:
        for nudge in list(self.queue.tasks):
            for held in self.claim(nudge.task, AS_PLANNED):
                self.end(held, "finish", AS_PLANNED)
            it = self.model.colorways[nudge.task.colorway]
            if it.status is not Status.PROCESSING:
                self.queue.tasks.remove(nudge)  # decided; what is held comes again


def _recorded(session: Session, id: UUID) -> ModelJob:
    row = row_of(session, jobs, id)
    job = ModelJob(id, row.image_id, row.on_error)
    its = select(colorways).where(colorways.c.job_id == id).order_by(colorways.c.position)
    job.colorways += [
        ModelColorway(row.id, job, row.key, row.fingerprint, row.opened_at)
        for row in session.execute(its)
    ]
    return job


def _colorway_said(row: Record) -> tuple[object, ...]:
    numbers = row.epoch, row.nudge, row.fence, row.tries, row.attempts
    times = row.leased_until, row.opened_at, row.finished_at
    error = row.error and row.error["code"]
    return row.status, numbers, row.alone, times, row.rendition_id, error


def _job_said(row: Record, now: Snapshot) -> tuple[object, ...]:
    counts = dict(now.bodies[row.id]["counts"])
    is_cancelled, is_done = row.cancelled_at is not None, row.finished_at is not None
    return counts.pop("total"), counts, row.started_at is not None, is_cancelled, is_done
