"""What was found: shown line by line, or as one JSON document at the end."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, dataclass, field
from typing import Any

from rich.console import Console
from rich.text import Text

from colorway.doctor.agreement import Facts
from colorway.doctor.finding import Finding, Findings, wrong

FINE, WRONG = 0, 1

_MARKS = {
    "right": ("✓", "green"),
    "wrong": ("✗", "bold red"),
    "unseen": ("\N{EN DASH}", "yellow"),
}


@dataclass(slots=True)
class Report:
    """All findings so far."""

    service: str
    as_json: bool
    findings: list[Finding] = field(default_factory=list)

    def take(self, what: str, findings: Findings) -> None:
        """Run a check to its end; where it breaks off, that is a finding, too."""
        try:
            for finding in findings:
                self.add(finding)
        except Exception as error:  # the other checks must have their turn
            said = f"the check broke off: {type(error).__name__}"  # its message may hold a secret
            self.add(wrong(what, said, fix="a bug of the doctor's: please tell its developers"))

    def add(self, finding: Finding) -> None:
        """Keep one more, and show it."""
        self.findings.append(finding)
        if self.as_json:
            return
        mark, style = _MARKS[finding.verdict]
        line = Text.assemble((mark, style), f" {finding.what}: {finding.detail}")
        if finding.fix:
            line.append(f"  → {finding.fix}", style="italic")
        Console(highlight=False).print(line, soft_wrap=True)

    def end(self, facts: Facts | None) -> int:
        """Say the last word, and return the exit code."""
        flaws = sum(finding.verdict == "wrong" for finding in self.findings)
        if self.as_json:
            found = [asdict(finding) for finding in self.findings]
            print_json(self.service, facts, healthy=not flaws, findings=found)
        else:
            said = f"{flaws} wrong" if flaws else "nothing is wrong"
            Console(highlight=False).print(f"{self.service}: {said}", style="bold")
        return WRONG if flaws else FINE


def print_json(service: str, facts: Facts | None, **more: Any) -> None:
    """Write one JSON document, which the other doctor can read."""
    told = facts and facts.model_dump(mode="json")
    sys.stdout.write(f"{json.dumps({'service': service, **more, 'facts': told}, indent=1)}\n")
