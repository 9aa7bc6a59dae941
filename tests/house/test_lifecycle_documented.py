"""docs/lifecycle.md knows every state, and the tests by which it proves each event are there."""

from __future__ import annotations

import re

from colorway.lifecycle import Status
from tests.databases import ROOT

PAGE = (ROOT / "docs" / "lifecycle.md").read_text()
EVENTS = re.split(r"^### ", PAGE, flags=re.MULTILINE)[1:]


def is_there(proof: str) -> bool:
    file, _, test = proof.partition("::")
    path = ROOT / "tests" / file
    return path.is_file() and f"def {test}(" in path.read_text()


def proofs_in(text: str) -> list[str]:
    return re.findall(r"^- `(\S+::\S+)`$", text, flags=re.MULTILINE)


def test_every_state_has_its_row():
    assert {status for status in Status if f"| `{status}` |" in PAGE} == set(Status)


def test_every_event_is_shown_by_tests():
    assert [event.splitlines()[0] for event in EVENTS if not proofs_in(event)] == []


def test_the_tests_that_are_named_are_there():
    assert len(proofs_in(PAGE)) > len(EVENTS)
    assert [proof for proof in proofs_in(PAGE) if not is_there(proof)] == []
