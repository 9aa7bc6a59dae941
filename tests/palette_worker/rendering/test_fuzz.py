"""Thousands of damaged files: each is decoded or refused, in little time and memory."""

from __future__ import annotations

from tests.palette_worker.rendering.fuzz import case, run


def test_a_damaged_file_is_decoded_or_refused_and_nothing_else():
    findings = list(run(seed=2026, last=6_000))

    assert not findings, "\n".join(map(str, findings))


def test_a_case_can_be_had_again():
    assert case(2026, 7) == case(2026, 7) != case(2026, 8)
