"""What happened is counted from the traces, and too little of it is said plainly."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from chaos.auditor.figures import count, times
from chaos.auditor.verdict import Enough, enough_for
from chaos.report import as_json, as_markdown
from tests.chaos.honest_run import PLAIN, A, B, C, HonestRun


@pytest.fixture
def run(tmp_path: Path) -> Iterator[HonestRun]:
    run = HonestRun(tmp_path)
    yield run
    run.close()


def test_a_lease_that_died_with_its_worker_heals_with_the_next_claim(run: HonestRun) -> None:
    held = [[A, 7], [B, 7], [C, 7]]
    run.acts.append({"t": 100, "event": "kill", "victims": ["worker-1"], "leases": held})
    run.moved(A, PLAIN, "processing → pending", at=103, fence=(7, 7), tries=1)  # it ran out
    run.moved(A, PLAIN, "pending → processing", at=105, fence=(7, 8), tries=1)
    run.moved(B, PLAIN, "processing → pending", at=101, fence=(7, 7))  # given back by another
    run.moved(C, PLAIN, "processing → completed", at=102, fence=(7, 7))

    figures = count(run.evidence())

    assert figures.leases_died == 1
    assert (figures.to_notice.longest, figures.to_heal.longest) == (3, 5)
    assert figures.kills.total() == figures.kills_with_lease == 1


def test_a_lost_queue_is_refilled_when_all_that_waited_is_sent_again(run: HonestRun) -> None:
    run.acts.append({"t": 100, "event": "queue lost", "waiting": [A, B]})
    run.moved(A, PLAIN, "pending → pending", at=102, nudge=1)
    run.moved(B, PLAIN, "pending → pending", at=104, nudge=1)

    figures = count(run.evidence())

    assert figures.queue_refilled.longest == 4


def test_an_outage_lasts_until_it_is_mended(run: HonestRun) -> None:
    run.acts += [
        {"t": 10, "event": "outage", "target": "database", "way": "stopped", "leases": []},
        {"t": 41, "event": "mended", "target": "database"},
        {"t": 50, "event": "outage", "target": "workers"},
        {"t": 82, "event": "started", "target": ["worker-1", "worker-2"]},
    ]

    figures = count(run.evidence())

    assert figures.outages == [("database (stopped)", 31), ("workers", 32)]


def test_logs_tell_of_fences_repairs_and_the_queues_faults(run: HonestRun) -> None:
    lost = {"message": "lease lost"}
    (run.logs / "worker-1.log").write_text(
        json.dumps(lost | {"reason": "attempt 1 no longer holds colorway x"})
        + "\n"
        + json.dumps(lost | {"reason": "attempt 1 lost its lease"})
        + '\n{"message": "lease lo'  # it was killed
    )
    (run.logs / "dispatcher.log").write_text(
        json.dumps({"message": "reconciled", "kind": "lost_tasks", "count": 3})
    )
    (run.logs / "queue.log").write_text("WARNING fault: delivered twice: task=projects/p/tasks/x\n")

    figures = count(run.evidence())

    assert (figures.fenced_finishes, figures.fenced_before) == (1, 1)
    assert figures.repairs == {"lost_tasks": 3}
    assert figures.faults == {"delivered twice": 1}


def test_percentiles_are_durations_that_were_measured() -> None:
    assert times([]).count == 0
    assert (times([3, 1, 2]).p50, times([3, 1, 2]).longest) == (2, 3)
    assert times([float(number) for number in range(1, 201)]).p99 == 198


def test_a_run_that_hurt_too_little_says_so(run: HonestRun) -> None:
    verdict = run.verdict(enough_for(10))

    assert verdict.is_clean
    assert "kills: 0 of 50" in verdict.too_little
    assert "kills: 0 of 50" in as_markdown(verdict, {})


def test_longer_runs_must_hurt_more() -> None:
    assert enough_for(10) == Enough(50, 25, 10, 10, 3, 1000)
    assert enough_for(1) == Enough(5, 2, 1, 1, 0, 100)


def test_a_report_names_what_is_wrong(run: HonestRun) -> None:
    run.sql("UPDATE jobs SET completed=3 WHERE id=?", PLAIN)

    verdict = run.verdict()
    text, facts = as_markdown(verdict, {"seed": "7"}), json.loads(as_json(verdict, {"seed": "7"}))

    assert "seed 7" in text
    assert f"job {PLAIN}: 3 completed, 2 rows" in text
    assert "Not clean: 1 findings." in text
    assert facts["findings"]["wrong counters"] == [f"job {PLAIN}: 3 completed, 2 rows"]
    assert facts["clean"] is False
