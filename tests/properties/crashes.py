"""Processes that die in the middle of a transaction: after any statement, or around the commit."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import event
from sqlalchemy.orm import Session

from colorway.ledger.connection import Ledger


class Crashed(Exception):
    """The process died here: nobody hears what became of the transaction."""


@dataclass(frozen=True, slots=True)
class Crash:
    """Where: after so many statements (none if there are fewer), or right before the commit."""

    statements: int | None = None
    before_commit: bool = False
    after_commit: bool = False


class FrailLedger:
    """A ledger whose transactions can be made to crash."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self._left: int | None = None
        event.listen(ledger.engine, "after_cursor_execute", self._count)

    def write(self, work: Callable[[Session], Any], crash: Crash) -> Any:
        """Do the work in one transaction; raise Crashed if that left nothing behind.

        A crash after the commit is not seen here: whoever calls must forget the answer.
        """
        with self._crashing_after(crash.statements), self.ledger.transaction() as session:
            result = work(session)
            if crash.before_commit:
                raise Crashed
        return result

    @contextmanager
    def _crashing_after(self, statements: int | None) -> Iterator[None]:
        self._left = statements
        try:
            yield
        finally:
            self._left = None

    def _count(self, *_: Any) -> None:
        if self._left is None:
            return
        self._left -= 1
        if self._left == 0:
            raise Crashed
