"""The real processes, hurt for some seconds; the long runs are `make chaos`."""

from __future__ import annotations

from pathlib import Path

import psutil

from chaos.auditor.evidence import gather
from chaos.auditor.findings import HEADINGS
from chaos.auditor.verdict import Enough, judge
from chaos.databases import Sqlite
from chaos.plan import Act
from chaos.run import perform_acts

SOME = Enough(
    kills=3,  # of six; who is busy at which moment is not up to us
    kills_with_lease=2,
    fenced_finishes=0,
    deliveries_twice=0,  # a tenth of all attempts, by chance: there are too few of them here
    outages=0,
    colorways=20,
)
ACTS = (
    Act(1.0, "kill", "worker-1"),
    Act(2.0, "freeze", "worker-2", seconds=3.5),
    Act(3.0, "kill", "queue"),
    Act(4.5, "store", "after", seconds=1.5),
    Act(5.0, "kill", "dispatcher", seconds=0.5),
    Act(6.5, "database", "database", seconds=1.0),
    Act(7.0, "lose-queue", "queue"),
    Act(8.5, "power-cut", "everything"),
)


def test_everything_is_killed_and_nothing_is_lost(tmp_path: Path) -> None:
    database = Sqlite(tmp_path / "ledger.db")
    before = set(psutil.Process().children(recursive=True))

    traces = perform_acts(tmp_path, database, ACTS, (), seed=7)
    evidence = gather(
        traces.database_url,
        told=traces.told,
        acts=traces.acts,
        pictures=traces.pictures,
        logs=traces.logs,
    )
    verdict = judge(evidence, SOME)

    assert [verdict.findings.under(heading) for heading in HEADINGS] == [[]] * len(HEADINGS)
    assert verdict.too_little == []
    assert set(psutil.Process().children(recursive=True)) == before
