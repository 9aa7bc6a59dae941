"""How findings are shown, whatever a check does."""

from __future__ import annotations

import json

from colorway.doctor.finding import right, unseen
from colorway.doctor.report import Report


def broken_check():
    yield right("first", "is fine")
    raise KeyError("postgresql://me:hunter2@db")


def test_a_check_that_breaks_off_is_a_finding_and_the_next_has_its_turn(capsys):
    report = Report("dispatcher", as_json=False)

    report.take("ledger", broken_check())
    report.take("store", iter([right("last", "is fine, too")]))
    code = report.end(None)

    said = capsys.readouterr().out
    assert code == 1
    assert [line[0] for line in said.splitlines()] == ["✓", "✗", "✓", "d"]
    assert "ledger: the check broke off: KeyError" in said
    assert "hunter2" not in said


def test_what_could_not_be_looked_at_is_no_fault(capsys):
    report = Report("dispatcher", as_json=True)

    report.add(unseen("worker", "does not answer"))
    code = report.end(None)

    told = json.loads(capsys.readouterr().out)
    assert (code, told["healthy"]) == (0, True)
    assert told["findings"][0]["verdict"] == "unseen"
