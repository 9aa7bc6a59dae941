"""The triggers see every transition on both databases, and the auditor reads them rightly."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import delete, text, update

from chaos.auditor.books import open_books
from chaos.auditor.evidence import gather
from chaos.auditor.findings import COUNTERS, TWICE_FINISHED, UNLAWFUL, Findings
from chaos.auditor.history import replay
from chaos.observer import forget, observe
from colorway.ledger import lease, outbox
from colorway.ledger.commands import cancel_job, retry_job
from colorway.ledger.connection import Ledger
from colorway.ledger.tables import colorways, jobs
from tests.builders import BROKEN, MINUTE, NOON, a_claim, a_job, finish_it, row_of, tasks_of


@pytest.fixture
def watched(ledger: Ledger) -> Ledger:
    with open_books(_url(ledger)) as books:
        observe(books)
    return ledger


@pytest.fixture
def findings_of(tmp_path: Path) -> Callable[[Ledger], Findings]:
    """Play what the triggers saw, and return what is wrong with it."""
    for name in ("told", "acts"):
        (tmp_path / name).touch()

    def play(ledger: Ledger) -> Findings:
        evidence = gather(
            _url(ledger),
            told=tmp_path / "told",
            acts=tmp_path / "acts",
            pictures=tmp_path,
            logs=tmp_path,
        )
        findings = Findings()
        replay(evidence, findings)
        return findings

    return play


def test_a_whole_life_is_seen_and_nothing_is_wrong_with_it(watched, findings_of):
    _live(watched)

    steps = _steps(watched)

    assert findings_of(watched).count == 0
    assert steps[:2] == [(None, None), (None, "pending")]  # the job, then its colorways
    for step in (
        ("pending", "processing"),
        ("processing", "completed"),
        ("processing", "pending"),
        ("processing", "cancelled"),
        ("cancelled", "pending"),
    ):
        assert step in steps


def test_what_is_rolled_back_is_not_seen(watched):
    with watched.transaction() as session:
        _, [task] = a_job(session)
    before = _steps(watched)

    with watched.transaction() as session:
        a_claim(session, task)
        session.rollback()

    assert _steps(watched) == before


def test_a_renewed_lease_is_no_step(watched):
    with watched.transaction() as session:
        _, [task] = a_job(session)
        held = a_claim(session, task)
    before = _steps(watched)

    with watched.transaction() as session:
        assert lease.renew(session, held, until=NOON + MINUTE)

    assert _steps(watched) == before


@pytest.mark.parametrize(
    ("heading", "lie"),
    [
        (COUNTERS, update(colorways).values(status="cancelled", fence=9)),
        (COUNTERS, update(jobs).values(completed=0, version=9)),
        (TWICE_FINISHED, update(colorways).values(fence=9)),
        (UNLAWFUL, update(colorways).values(status="processing", fence=9)),
        (UNLAWFUL, delete(colorways)),
        (UNLAWFUL, update(jobs).values(version=0)),
    ],
)
def test_a_lie_told_past_the_ledgers_functions_is_seen(watched, findings_of, heading, lie):
    with watched.transaction() as session:
        _, [task] = a_job(session)
        finish_it(session, a_claim(session, task))
    assert findings_of(watched).count == 0

    with watched.transaction() as session:
        session.execute(text("DELETE FROM outbox"))
        session.execute(lie)

    assert findings_of(watched).under(heading)


def test_a_counter_that_follows_only_in_the_next_transaction_is_seen_on_postgres(
    postgres_ledger, findings_of
):
    with open_books(_url(postgres_ledger)) as books:
        observe(books)
    with postgres_ledger.transaction() as session:
        a_job(session)

    with postgres_ledger.transaction() as session:
        session.execute(update(colorways).values(status="cancelled", fence=1))
    with postgres_ledger.transaction() as session:
        session.execute(update(jobs).values(cancelled=1, version=2, finished_at=NOON))

    [sentence] = findings_of(postgres_ledger).under(COUNTERS)
    assert "moved rows and no counters" in sentence


def test_the_triggers_can_be_taken_away(watched):
    with open_books(_url(watched)) as books:
        forget(books)

        observe(books)  # so nothing was left

    _live(watched)


def _live(ledger: Ledger) -> None:
    """Complete one colorway, give back and cancel another, retry and complete it."""
    with ledger.transaction() as session:
        job, [one, other] = a_job(session, ("one", "other"))
        account = row_of(session, jobs, job).account_id
    with ledger.transaction() as session:
        finish_it(session, a_claim(session, one))
    with ledger.transaction() as session:
        lease.give_back(session, a_claim(session, other), BROKEN, counts=True, now=NOON)
    with ledger.transaction() as session:
        a_claim(session, other)
    with ledger.transaction() as session:
        cancel_job(session, account, job, now=NOON)
    with ledger.transaction() as session:
        retry_job(session, account, job, None, now=NOON)
        [_, again] = tasks_of(session, job)
    with ledger.transaction() as session:
        outbox.told(session, outbox.undelivered(session, job, most=9))
        finish_it(session, a_claim(session, again))


def _steps(ledger: Ledger) -> list[tuple[str | None, str | None]]:
    with open_books(_url(ledger)) as books:
        rows = books.rows("SELECT was_status, status FROM chaos_history ORDER BY seq")
    return [(row["was_status"], row["status"]) for row in rows]


def _url(ledger: Ledger) -> str:
    return ledger.engine.url.render_as_string(hide_password=False)
