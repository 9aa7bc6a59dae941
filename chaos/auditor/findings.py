"""What an auditor finds wrong: each thing in a sentence, under a heading that must stay empty."""

from __future__ import annotations

from collections import defaultdict

LOST = "lost"
TWICE_ACCEPTED = "accepted twice"
TWICE_FINISHED = "finished twice"
UNLAWFUL = "moved against the rules"
COUNTERS = "wrong counters"
OBJECTS = "missing or wrong objects"
UNTRUE = "answers that turned out untrue"
FAILED = "failed without poison"
BROKEN = "answers that were none"

HEADINGS = {
    LOST: "accepted, but not ended, or not there",
    TWICE_ACCEPTED: "one Idempotency-Key, two jobs",
    TWICE_FINISHED: "ended again without having been reopened",
    UNLAWFUL: "a transition that no rule allows, seen by the triggers",
    COUNTERS: "a job's counters differ from its rows, at the end or at any commit",
    OBJECTS: "a completed colorway without its very picture and thumbnail",
    UNTRUE: "what a client was told contradicts what it was told before, or the database",
    FAILED: "a colorway that failed though its source is harmless",
    BROKEN: "500s, errors that are no problem+json, refusals of valid requests",
}


class Findings:
    """Sentences by heading; none is the only good result."""

    def __init__(self) -> None:
        self._by_heading: dict[str, list[str]] = defaultdict(list)

    def add(self, heading: str, sentence: str) -> None:
        """Note one thing that is wrong."""
        self._by_heading[heading].append(sentence)

    def under(self, heading: str) -> list[str]:
        """Return what was found wrong in this respect."""
        return self._by_heading.get(heading, [])

    @property
    def count(self) -> int:
        """How many things are wrong."""
        return sum(map(len, self._by_heading.values()))
