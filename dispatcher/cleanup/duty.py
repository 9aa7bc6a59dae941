"""What each duty of a cleanup is made of, and what all of them work with."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from colorway.image_store import ImageStore
from colorway.ledger.connection import Ledger


@dataclass(frozen=True, slots=True)
class Premises:
    """Where everything is, what time it is, and how long is kept what nobody uses."""

    ledger: Ledger
    store: ImageStore
    now: datetime
    keep_images_for: timedelta
    keep_orphans_for: timedelta


@dataclass(frozen=True, slots=True)
class Page:
    """What one look found to be removable; the next one looks `behind` this."""

    found: Sequence[Any]
    behind: str = ""
    foreign: Sequence[str] = ()  # keys that are not made as ours are: not our business


@dataclass(frozen=True, slots=True)
class Duty:
    """One kind of things, removed once nobody needs them.

    `pages` finds them. It may have to look at all there is; then it `goes_round`, call by call, and
    begins behind what was seen last. `remove` removes what is still as it was found, counts it, and
    raises TryLater. Where the store is away, the rows are gone all the same, their objects orphans.
    """

    kind: str
    pages: Callable[[str], Iterator[Page]]
    remove: Callable[[Sequence[Any], Counter[str]], None]
    goes_round: bool = False
