"""Tasks that the queue has lost, or was never told of, go to it again."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

from colorway.ledger import outbox
from colorway.ledger.connection import Ledger
from dispatcher.delivery import Delivery
from dispatcher.task_queue import TaskQueue

MOST = 200
"""Tasks that one round asks for, or delivers: a second at the real queue's pace."""

MOST_ROUNDS = 25
"""A call goes on while all it finds is lost, so that a queue that lost everything is refilled."""

_QUESTIONS_AT_ONCE = 16


def replace_lost(ledger: Ledger, queue: TaskQueue, *, before: datetime, now: datetime) -> int:
    """Ask the queue for tasks unseen since `before` and nudge anew what it does not know."""

    def ask_once() -> tuple[int, bool]:
        with ledger.reading() as session:
            waiting = outbox.waiting(session, before=before, most=MOST)
        with ThreadPoolExecutor(_QUESTIONS_AT_ONCE) as pool:
            known = list(pool.map(queue.knows, waiting))
        lost = 0
        for nudge, is_known in zip(waiting, known, strict=True):
            with ledger.transaction() as session:
                if is_known:
                    outbox.seen(session, nudge, now=now)
                else:
                    lost += outbox.replace_lost(session, nudge, now=now)
        return lost, len(waiting) == MOST and not any(known)

    return _in_rounds(ask_once)


def deliver_silent(delivery: Delivery, *, before: datetime) -> int:
    """Hand over what the outbox should have lost by now; return how many the queue took."""

    def deliver_once() -> tuple[int, bool]:
        taken = delivery.deliver_silent(before=before, most=MOST)
        return taken, taken == MOST

    return _in_rounds(deliver_once)


def _in_rounds(go: Callable[[], tuple[int, bool]]) -> int:
    """Sum what each round counts, until one says that there is no more, or they are too many."""
    total = 0
    for _ in range(MOST_ROUNDS):
        count, there_is_more = go()
        total += count
        if not there_is_more:
            break
    return total
