"""What a check finds: one line, and where something is wrong, how to mend it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

Verdict = Literal["right", "wrong", "unseen"]


@dataclass(frozen=True, slots=True)
class Finding:
    """`unseen` is what could not be looked at from here: no fault, and no proof."""

    what: str
    verdict: Verdict
    detail: str
    fix: str = ""


Findings = Iterator[Finding]


def right(what: str, detail: str) -> Finding:
    """Return that this is as it should be."""
    return Finding(what, "right", detail)


def wrong(what: str, detail: str, *, fix: str) -> Finding:
    """Return that this is not, and what to do about it."""
    return Finding(what, "wrong", detail, fix)


def unseen(what: str, detail: str, *, fix: str = "") -> Finding:
    """Return that this could not be looked at; `fix` says how it could."""
    return Finding(what, "unseen", detail, fix)


def judged(what: str, flaws: list[str], *, detail: str, fix: str) -> Finding:
    """Return right with the detail if there are no flaws, else wrong with all of them."""
    return wrong(what, "; ".join(flaws), fix=fix) if flaws else right(what, detail)
