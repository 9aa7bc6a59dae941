"""What checks find, as tests compare it."""

from __future__ import annotations

from collections.abc import Iterable

from colorway.doctor.finding import Finding


def verdicts(findings: Iterable[Finding]) -> dict[str, str]:
    """Return each finding's verdict by what was looked at."""
    return {finding.what: finding.verdict for finding in findings}


def the_wrong_one(findings: Iterable[Finding]) -> Finding:
    """Return the only thing that is wrong; it comes with a fix."""
    [flaw] = [finding for finding in findings if finding.verdict == "wrong"]
    assert flaw.fix
    return flaw
