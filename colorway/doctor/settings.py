"""Settings: all that is wrong with them at once, and what would be right."""

from __future__ import annotations

import os
from typing import TypeVar

from pydantic import ValidationError
from pydantic_settings import BaseSettings

from colorway.doctor.finding import Finding, Findings, judged, wrong
from colorway.settings import flaws_of

S = TypeVar("S", bound=BaseSettings)

_LONGEST_GRACE_S = 9
_GUNICORNS = {"PORT": (1, 65535), "WORKERS": (1, 64)}


def read_or_explain(kind: type[S]) -> tuple[S | None, list[Finding]]:
    """Return the settings of the environment, or all that is wrong with them."""
    try:
        settings = kind()
    except ValidationError as error:
        return None, [
            wrong(f"setting {flaw.name}", flaw.complaint, fix=f"set it: {flaw.meaning}")
            for flaw in flaws_of(error, kind)
        ]
    return settings, []


def check_process() -> Findings:
    """What gunicorn.conf.py reads: numbers, and an end before Cloud Run's."""
    flaws = [
        f"{name} is {os.environ[name]!r}, not a number from {least} to {most}"
        for name, (least, most) in _GUNICORNS.items()
        if name in os.environ and not _is_number(os.environ[name], least, most)
    ]
    grace = os.environ.get("GRACE_S", "8")
    if not _is_number(grace, 2, _LONGEST_GRACE_S):
        flaws.append(f"GRACE_S is {grace!r}, not from 2 to {_LONGEST_GRACE_S}")
    yield judged(
        "process",
        flaws,
        detail=f"a request under way has {grace} s after SIGTERM, below Cloud Run's 10 s",
        fix="correct it; docs/settings.md has what gunicorn reads",
    )


def _is_number(text: str, least: int, most: int) -> bool:
    return text.isdecimal() and least <= int(text) <= most
