"""The ledger through a real transaction pooler: processes share backends, transaction by turn."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import func, select, text, update
from sqlalchemy.exc import DBAPIError

from colorway.doctor.ledger import check_ledger
from colorway.ledger.accounts import open_account
from colorway.ledger.connection import Ledger
from colorway.ledger.lease import Claim, claim
from colorway.ledger.tables import accounts, jobs
from tests.builders import NOON, a_job
from tests.colorway.doctor.verdicts import the_wrong_one, verdicts
from tests.pooler import transaction_pooler

CLIENTS = 12
MINUTE = timedelta(minutes=1)


@pytest.fixture
def pooled(postgres_ledger: Ledger) -> Iterator[str]:
    url = postgres_ledger.engine.url.render_as_string(hide_password=False)
    with transaction_pooler(url) as pooled:
        yield pooled


@pytest.fixture
def ledgers(pooled: str) -> Iterator[list[Ledger]]:
    """As many processes, so to speak, as share the pooler's few backends."""
    ledgers = [Ledger(pooled, pool_size=1) for _ in range(CLIENTS)]
    yield ledgers
    for ledger in ledgers:
        ledger.dispose()


def test_a_snapshot_stays_one_while_others_commit(ledgers):
    reader, writer, *_ = ledgers
    count = select(func.count()).select_from(accounts)

    with reader.reading() as session:
        before = session.scalar(count)
        with writer.transaction() as other:
            open_account(other, "meanwhile", now=NOON)
        during = session.scalar(count)
    with reader.reading() as session:
        after = session.scalar(count)

    assert (before, during, after) == (0, 0, 1)


def test_a_writer_after_a_reader_sees_what_is_committed(ledgers):
    """No isolation level stays behind on a backend."""
    reader, first, second, *_ = ledgers
    with reader.reading() as session:
        session.execute(text("SELECT 1"))

    with first.transaction() as session:
        levels = {session.scalar(text("SHOW transaction_isolation"))}
        with second.transaction() as other:
            open_account(other, "meanwhile", now=NOON)
        seen = session.scalar(select(func.count()).select_from(accounts))

    assert (levels, seen) == ({"read committed"}, 1)


def test_one_of_many_takes_the_lease(ledgers):
    with ledgers[0].transaction() as session:
        _, [task] = a_job(session, palettes=("nord",))

    def claim_it(ledger: Ledger) -> object:
        with ledger.transaction() as session:
            return claim(session, task, now=NOON, lease_for=MINUTE)

    with ThreadPoolExecutor(CLIENTS) as clients:
        claims = list(clients.map(claim_it, ledgers))

    assert sum(isinstance(taken, Claim) for taken in claims) == 1


def test_no_update_is_lost(ledgers):
    rounds = 20
    with ledgers[0].transaction() as session:
        job, _ = a_job(session, palettes=("nord",))
        began_at = session.scalar(select(jobs.c.version).where(jobs.c.id == job))

    def raise_version(ledger: Ledger) -> None:
        for _ in range(rounds):  # more often than a statement is run before it is prepared
            with ledger.transaction() as session:
                locked = select(jobs.c.version).where(jobs.c.id == job).with_for_update()
                version = session.scalars(locked).one()
                session.execute(update(jobs).where(jobs.c.id == job).values(version=version + 1))

    with ThreadPoolExecutor(CLIENTS) as clients:
        list(clients.map(raise_version, ledgers))

    with ledgers[0].reading() as session:
        ended_at = session.scalar(select(jobs.c.version).where(jobs.c.id == job))
    assert ended_at == began_at + CLIENTS * rounds


def test_prepared_statements_are_what_would_break(pooled):
    """The pooler is a real one: without our option in the URL the same work fails."""
    unaware = [Ledger(pooled.partition("?")[0], pool_size=1) for _ in range(2)]

    def count_often() -> None:
        for ledger in unaware:
            for _ in range(10):
                with ledger.transaction() as session:  # a roll-back would forget them
                    session.execute(select(func.count()).select_from(accounts))

    with pytest.raises(DBAPIError, match="prepared statement"):
        count_often()

    for ledger in unaware:
        ledger.dispose()


def test_the_doctors_notice_a_pooler_that_nobody_has_told_of(pooled):
    found = check_ledger(pooled.partition("?")[0], connections=1)

    flaw = the_wrong_one(found)

    assert flaw.what == "prepared statements"
    assert "?prepared_statements=false" in flaw.fix


def test_the_doctors_find_nothing_wrong_with_one_that_is_known(pooled):
    assert set(verdicts(check_ledger(pooled, connections=1)).values()) == {"right", "unseen"}
