"""`python -m dispatcher.cleanup`, as an operator runs it."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from sqlalchemy import update

from colorway.ledger.tables import jobs
from dispatcher.cleanup import Removed
from tests.builders import DAY
from tests.dispatcher.stage import Stage
from tests.dispatcher.test_delete import put
from tests.dispatcher.test_reconcile_command import run as run_module
from tests.dispatcher.test_show_job import completed

run = partial(run_module, module="dispatcher.cleanup")


@pytest.fixture
def expired(stage: Stage) -> str:
    """A job that has expired, its picture and its source; the address of the job."""
    job = stage.a_job("nord")
    completed(stage, job["id"])
    long_ago = datetime.now(UTC) - 40 * DAY
    with stage.ledger.transaction() as session:
        session.execute(update(jobs).values(created_at=long_ago, expires_at=long_ago + 30 * DAY))
    put(stage.store, "notes.txt")
    return str(job["links"]["self"])


def counts(answer: CompletedProcess[str]) -> dict[str, int]:
    assert answer.returncode == 0, answer.stderr
    found: dict[str, int] = json.loads(answer.stdout)
    return {kind: count for kind, count in found.items() if count}


def test_a_dry_run_says_what_the_run_does_then(stage: Stage, expired: str) -> None:
    foreseen = run(stage, "--dry-run", "--json")
    still_there = stage.get(expired).status_code
    removed = run(stage, "--json", CLEANUP_FOR="0")
    again = run(stage, "--json")

    assert counts(foreseen) == {"jobs": 1, "pictures": 1, "foreign": 1}
    assert set(json.loads(foreseen.stdout)) == set(asdict(Removed())) - {"more"}
    assert still_there == 200
    assert removed.stdout == foreseen.stdout
    assert stage.get(expired).status_code == 404
    assert counts(again) == {"foreign": 1}


def test_people_are_told_in_a_table(stage: Stage, expired: str) -> None:
    foreseen, removed = run(stage, "--dry-run"), run(stage)

    assert "would be removed" in foreseen.stdout
    assert "would be" not in removed.stdout
    for told in (foreseen.stdout, removed.stdout):
        [jobs_told] = [line for line in told.splitlines() if "jobs" in line]
        assert jobs_told.split() == ["│", "jobs", "│", "1", "│"]
        assert "idempotency keys" in told
        assert "1 objects in the store are not ours, and are left alone" in told


def test_a_ledger_that_is_away_is_told_in_a_line(stage: Stage, tmp_path: Path) -> None:
    away = run(stage, DATABASE_URL=f"sqlite:///{tmp_path}/nowhere/ledger.db")

    assert away.returncode == 1
    assert "not all could be done" in away.stderr
    assert "Traceback" not in away.stderr


def test_what_is_wrong_is_named(stage: Stage) -> None:
    setting = run(stage, KEEP_ORPHANS_FOR="1")
    argument = run(stage, "--dry-rum")

    assert (setting.returncode, argument.returncode) == (2, 2)
    assert "setting KEEP_ORPHANS_FOR" in setting.stderr
    assert "--dry-rum" in argument.stderr
