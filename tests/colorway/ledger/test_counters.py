"""A job's counters are a cache of its colorways: exact after every move, whatever the order."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from sqlalchemy import select

from colorway.errors import LeaseLost
from colorway.ledger.lapse import Lapse, expired, take_back
from colorway.ledger.lease import Claim, claim, fail, give_back
from colorway.ledger.tables import colorways, jobs
from colorway.lifecycle import MAX_TRIES, Status
from tests.builders import BROKEN, MINUTE, NOON, a_job, finish_it, row_of

PALETTES = ("nord", "ink", "grape", "forest", "harbour")


class Story:
    """A job to which random things happen, late and lost attempts included."""

    def __init__(self, session, *, on_error, seed):
        self.chance = random.Random(seed)  # noqa: S311 - a story to be told again, not a secret
        self.session = session
        self.now = NOON
        self.job, self.tasks = a_job(session, palettes=PALETTES, on_error=on_error)
        self.claims = []
        self.ends = []

    def go_on(self):
        self.now += self.chance.choice((0, 0, 0.1, 0.5)) * MINUTE
        move = self.chance.choice((self.claim, self.claim, self.end_one, self.end_one, self.reap))
        move()

    def claim(self):
        got = claim(self.session, self.chance.choice(self.tasks), now=self.now, lease_for=MINUTE)
        if isinstance(got, Claim):
            self.claims.append(got)
        if isinstance(got, Lapse):
            self.note(got.job_end)

    def end_one(self):
        if not self.claims:
            return
        held = self.chance.choice(self.claims)
        how = self.chance.choice(("finish", "fail", "give back", "give back", "own fault"))
        try:
            if how == "finish":
                self.note(finish_it(self.session, held, now=self.now))
            elif how == "fail":
                self.note(fail(self.session, held, BROKEN, now=self.now))
            else:
                counts = how == "own fault"
                self.note(give_back(self.session, held, BROKEN, counts=counts, now=self.now))
        except LeaseLost:
            self.claims.remove(held)

    def reap(self):
        for colorway in expired(self.session, now=self.now, most=2):
            self.note(take_back(self.session, colorway, now=self.now).job_end)

    def note(self, end):
        if end is not None:
            self.ends.append(end)

    def colorways(self):
        return list(
            self.session.execute(
                select(
                    colorways.c.id,
                    colorways.c.status,
                    colorways.c.attempts,
                    colorways.c.error,
                    colorways.c.tries,
                )
                .where(colorways.c.job_id == self.job)
                .order_by(colorways.c.position)
            )
        )


@pytest.mark.parametrize("on_error", ["continue", "stop"])
@pytest.mark.parametrize("seed", range(4))
def test_counters_are_exact_and_the_version_rises_after_every_move(session, on_error, seed):
    story = Story(session, on_error=on_error, seed=seed)
    before, version = story.colorways(), 1

    for _ in range(60):
        story.go_on()

        rows, counts = story.colorways(), row_of(session, jobs, story.job)
        by_status = Counter(row.status for row in rows)
        assert counts.processing == by_status[Status.PROCESSING]
        assert counts.completed == by_status[Status.COMPLETED]
        assert counts.failed == by_status[Status.FAILED]
        assert counts.cancelled == by_status[Status.CANCELLED]
        assert (counts.version > version) == (rows != before)
        assert all(row.tries <= MAX_TRIES for row in rows)
        done = all(row.status.is_final for row in rows)
        assert (counts.finished_at is not None) == done
        assert len(story.ends) == done  # the end is told once, by the move that made it
        before, version = rows, counts.version
