"""Every mutant fits the code as it is, and names tests that are there."""

from __future__ import annotations

import ast

import pytest

from mutants.catalogue import MUTANTS
from mutants.mutant import DoesNotFit, Mutant
from tests.databases import ROOT


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_mutant_fits_the_code_and_is_watched(mutant: Mutant) -> None:
    broken = mutant.broken(ROOT)

    for file, text in broken.items():
        ast.parse(text)
        assert text != (ROOT / file).read_text()
    assert mutant.watched_by
    assert [path for path in mutant.watched_by if not (ROOT / path).exists()] == []


def test_a_mutant_whose_piece_is_not_there_is_told() -> None:
    stale = Mutant("stale", "colorway/lifecycle.py", "no such line", "", ("tests",))

    with pytest.raises(DoesNotFit, match="0 times 'no such line'"):
        stale.broken(ROOT)


def test_names_tell_mutants_apart() -> None:
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS)
