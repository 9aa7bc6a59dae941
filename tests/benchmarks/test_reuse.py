"""The benchmark of reuse counts what is rendered, and holds the second job to both bars."""

from __future__ import annotations

import pytest

from benchmarks.reuse import Round, Run, bars_hold, measure


def test_of_the_same_job_twice_only_the_first_is_rendered():
    [measured] = measure(2, 1, width=64, height=48)

    assert (measured.first.renders, measured.second.renders) == (2, 0)
    assert measured.first.seconds > 0


@pytest.mark.parametrize(
    ("second", "holds"),
    [(Run(0.09, renders=0), True), (Run(0.11, renders=0), False), (Run(0.09, renders=1), False)],
)
def test_a_second_job_that_renders_or_takes_long_is_a_failure(second, holds):
    assert bars_hold([Round(Run(1.0, renders=7), second)]) is holds
