"""What clients order: small jobs of every kind, made from a seed, so that a run can be repeated."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from chaos.pictures import Picture, draw

_SHARED_PICTURES = 6
_SIZES = {range(1, 9): 60, range(9, 17): 28, range(17, 41): 12}
"""Palettes of a job, and how often in a hundred; above 16 the deliver task has work to do."""


@dataclass(frozen=True, slots=True)
class Order:
    """One job that a client wants, and what it will do with it."""

    key: str
    """The Idempotency-Key; also in the job's metadata, where the auditor finds it."""

    picture: Picture
    document: dict[str, Any]
    is_poison: bool = False
    uploads_first: bool = False
    """Whether the picture is sent to /v1/images, and the job names its id."""

    cancels_at_poll: int | None = None
    retries: bool = False
    """Whether it retries what it cancelled."""


def orders(seed: int, client: int) -> Iterator[Order]:
    """Yield what this client orders, for ever."""
    dice = random.Random(f"{seed} {client}")  # noqa: S311 - it must be repeatable
    number = 0
    while True:
        number += 1
        key = f"order-{seed}-{client}-{number}"
        shared = dice.random() < 0.2
        name = f"shared {seed} {dice.randrange(_SHARED_PICTURES)}" if shared else key
        cancels = dice.random() < 0.15
        yield Order(
            key=key,
            picture=draw(name),
            document=_document(dice, key),
            uploads_first=shared,
            cancels_at_poll=dice.randrange(0, 4) if cancels else None,
            retries=cancels and dice.random() < 0.6,
        )


def poison(seed: int, number: int) -> Order:
    """Return an order whose picture kills the worker that opens it."""
    dice = random.Random(f"poison {seed} {number}")  # noqa: S311
    key = f"poison-{seed}-{number}"
    document = _document(dice, key, count=2, on_error="stop" if number % 2 else "continue")
    return Order(key=key, picture=draw(key), document=document, is_poison=True)


def _document(
    dice: random.Random, key: str, *, count: int | None = None, on_error: str | None = None
) -> dict[str, Any]:
    if count is None:
        sizes = dice.choices(list(_SIZES), list(_SIZES.values()))[0]
        count = dice.choice(sizes)
    return {
        "palettes": [
            {
                "key": f"p{position}",
                "name": f"Palette {position}",
                "colors": [f"#{dice.randrange(1 << 24):06x}" for _ in range(dice.randint(2, 6))],
            }
            for position in range(count)
        ],
        "output": {"format": dice.choice(("png", "png", "webp", "jpeg"))},
        "priority": dice.choice(("high", "normal", "normal", "low")),
        "on_error": on_error or ("stop" if dice.random() < 0.2 else "continue"),
        "metadata": {"order": key},
    }
