"""Threads that do everything at once to the same few colorways, on Postgres.

Only there are writing transactions open side by side. The stories are seeded; how the threads
interleave is not. Whatever they do, the promises hold, and nobody ever waits in a circle.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from threading import Barrier
from typing import Any
from uuid import UUID

import pytest
from psycopg.errors import DeadlockDetected
from sqlalchemy import func, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from colorway.errors import LeaseLost, TryLater
from colorway.ledger import lapse, lease, outbox, repairs
from colorway.ledger.commands import cancel_job, retry_job
from colorway.ledger.connection import Ledger
from colorway.ledger.lease import Claim
from colorway.ledger.tables import colorways, renditions
from colorway.render_task import RenderTask
from tests.builders import BROKEN, MINUTE, NOON, a_job, an_image, finish_it
from tests.properties.promises import hold_at_every_instant, hold_between, snapshot

THREADS = 6
STEPS = 25
LATER = NOON + 2 * MINUTE
LATEST = LATER + 2 * MINUTE


@dataclass
class Bustle:
    """What the threads share: jobs of one source in the same palettes, so of the same pictures."""

    ledger: Ledger
    account: UUID
    jobs: list[UUID]
    ids: list[UUID]
    claims: list[Claim] = field(default_factory=list)
    won: list[tuple[str, UUID, int]] = field(default_factory=list)
    deadlocks: int = 0
    drifts: int = 0


class Actor:
    """One thread, which does what chance says; and again what the database could not do."""

    def __init__(self, bustle: Bustle, seed: int) -> None:
        self.bustle = bustle
        self.chance = random.Random(seed)  # noqa: S311 - a story to be told again, not a secret
        self.moves = (
            *[self.claim] * 6,
            *[self.finish] * 5,
            *[self.fail, self.give_back, self.take_back, self.deliver] * 2,
            *[self.cancel, self.retry, self.lose_picture, self.prove] * 2,
            *[self.nudge, self.condemn, self.give_up],
        )

    def act(self, start: Barrier) -> None:
        start.wait(timeout=10)
        for _ in range(STEPS):
            self.chance.choice(self.moves)()

    def write(self, work: Callable[[Session], Any]) -> Any:
        """Do the work as the product does: whole, and again while the ledger is in trouble."""
        dwell = self.chance.choice((0, 0, 0.002))  # before the commit, with every lock held
        while True:
            try:
                with self.bustle.ledger.transaction() as session:
                    result = work(session)
                    if dwell:
                        session.execute(select(func.pg_sleep(dwell)))
                return result
            except TryLater as error:
                self.bustle.deadlocks += _is_deadlock(error)

    def claim(self) -> None:
        with self.bustle.ledger.reading() as session:
            which = colorways.c.id == self.chance.choice(self.bustle.ids)
            epoch = session.scalar(select(colorways.c.epoch).where(which))
            id = session.scalar(select(colorways.c.id).where(which))
        now, task = self.chance.choice((NOON, LATER)), RenderTask(id, epoch)
        got = self.write(partial(lease.claim, task=task, now=now, lease_for=MINUTE))
        if isinstance(got, Claim):
            self.bustle.won.append(("claimed", got.colorway, got.fence))
            self.bustle.claims.append(got)

    def finish(self) -> None:
        self.end(partial(finish_it, now=LATER))

    def fail(self) -> None:
        self.end(partial(lease.fail, error=BROKEN, now=LATER))

    def give_back(self) -> None:
        counts = self.chance.random() < 0.5
        self.end(partial(lease.give_back, error=BROKEN, counts=counts, now=LATER))

    def end(self, ending: Callable[..., Any]) -> None:
        if not self.bustle.claims:
            return
        held = self.chance.choice(self.bustle.claims[-8:])
        try:
            self.write(lambda session: ending(session, held))
        except LeaseLost:
            return
        self.bustle.won.append(("ended", held.colorway, held.fence))

    def take_back(self) -> None:
        colorway = self.chance.choice(self.bustle.ids)
        self.write(partial(lapse.take_back, colorway=colorway, now=LATER))

    def condemn(self) -> None:
        task = RenderTask(self.chance.choice(self.bustle.ids), 0)
        self.write(partial(lapse.condemn, task=task, now=LATER))

    def give_up(self) -> None:
        colorway = self.chance.choice(self.bustle.ids)
        self.write(partial(lapse.give_up, colorway=colorway, before=LATER, now=LATER))

    def cancel(self) -> None:
        job = self.chance.choice(self.bustle.jobs)
        self.write(partial(cancel_job, account=self.bustle.account, job=job, now=LATER))

    def retry(self) -> None:
        job = self.chance.choice(self.bustle.jobs)
        keys = self.chance.choice((None, ["nord"], ["rose", "ink"]))
        self.write(partial(retry_job, account=self.bustle.account, job=job, keys=keys, now=LATER))

    def lose_picture(self) -> None:
        with self.bustle.ledger.reading() as session:
            pictures = list(session.scalars(select(renditions.c.id)))
        if pictures:
            picture = self.chance.choice(pictures)
            self.write(partial(repairs.forget_rendition, rendition=picture, now=LATER))

    def prove(self) -> None:
        job = self.chance.choice(self.bustle.jobs)
        drift = self.write(partial(repairs.repair_counters, job=job, now=LATER))
        self.bustle.drifts += drift is not None

    def deliver(self) -> None:
        with self.bustle.ledger.reading() as session:
            job = self.chance.choice(self.bustle.jobs)
            nudges = outbox.undelivered(session, job, most=9)
            if self.chance.random() < 0.5:
                nudges = outbox.silent(session, before=LATEST, most=9)
        self.write(partial(outbox.told, nudges=nudges))

    def nudge(self) -> None:
        with self.bustle.ledger.reading() as session:
            waiting = outbox.waiting(session, before=LATEST, most=3)
        for nudge in waiting:
            told = self.chance.choice((outbox.replace_lost, outbox.seen))
            self.write(partial(told, nudge=nudge, now=LATER))


def _is_deadlock(error: TryLater) -> bool:
    cause = error.__cause__
    return isinstance(cause, DBAPIError) and isinstance(cause.orig, DeadlockDetected)


@pytest.mark.parametrize("seed", range(5))
def test_whatever_happens_at_once_the_promises_hold_and_nobody_deadlocks(postgres_ledger, seed):
    with postgres_ledger.transaction() as session:
        image = an_image(session)
        made = [
            a_job(session, palettes=("nord", "ink", "rose"), image=image, on_error=on_error)
            for on_error in ("continue", "continue", "stop")
        ]
    ids = [task.colorway for _, tasks in made for task in tasks]
    bustle = Bustle(postgres_ledger, image.account_id, [job for job, _ in made], ids)
    with postgres_ledger.reading() as session:
        before = snapshot(session)

    start = Barrier(THREADS)
    actors = [Actor(bustle, seed * THREADS + number) for number in range(THREADS)]
    with ThreadPoolExecutor(THREADS) as pool:
        for done in [pool.submit(actor.act, start) for actor in actors]:
            done.result()

    with postgres_ledger.reading() as session:
        after = snapshot(session)
    hold_at_every_instant(after)
    hold_between(before, after)
    assert bustle.drifts == 0
    assert bustle.deadlocks == 0
    assert [win for win, count in Counter(bustle.won).items() if count > 1] == []
    assert {what for what, _, _ in bustle.won} == {"claimed", "ended"}
