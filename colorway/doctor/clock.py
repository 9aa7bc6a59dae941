"""Whether this machine's clock agrees with another's; leases and tokens depend on it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from colorway.doctor.finding import Finding, right, unseen, wrong

TOLERANCE = timedelta(seconds=5)
"""Tokens are believed 10 s around their time, and a lease is renewed 45 s before it ends."""


def check_clock(whose: str, ask: Callable[[], datetime]) -> Finding:
    """Compare our clock with what is told, in the middle between question and answer."""
    asked_at = datetime.now(UTC)
    told = ask()
    ours = asked_at + (datetime.now(UTC) - asked_at) / 2
    return _compared(whose, ours - told)


def check_date_header(whose: str, date: str | None, *, ours: datetime) -> Finding:
    """Compare our clock with a Date header (RFC 9110, 6.6.1), which tells whole seconds."""
    try:
        told = parsedate_to_datetime(date or "")
    except ValueError:
        return unseen(_what(whose), "it does not tell the time")
    return _compared(whose, ours - told - timedelta(seconds=0.5))


def _compared(whose: str, ahead: timedelta) -> Finding:
    seconds = ahead.total_seconds()
    said = f"{abs(seconds):.1f} s {'ahead of' if seconds > 0 else 'behind'} it"
    if abs(ahead) <= TOLERANCE:
        return right(_what(whose), said)
    most = TOLERANCE.total_seconds()
    return wrong(
        _what(whose),
        f"this machine is {said}; {most:.0f} s are allowed",
        fix="let NTP set the clock of whichever is wrong (`timedatectl` tells)",
    )


def _what(whose: str) -> str:
    return f"clock against the {whose}'s"
