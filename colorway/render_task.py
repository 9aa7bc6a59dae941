"""The queue message: which colorway to look at. It carries ids only; the ledger has the rest."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from uuid import UUID

from colorway.errors import Malformed
from colorway.job import Priority

VERSION = 1


@dataclass(frozen=True, slots=True)
class RenderTask:
    """One nudge to render a colorway; a task of an older epoch finds nothing to do."""

    colorway: UUID
    epoch: int

    def to_json(self) -> bytes:
        """Return the task's body."""
        return json.dumps(
            {"v": VERSION, "colorway": str(self.colorway), "epoch": self.epoch}
        ).encode()

    @classmethod
    def from_json(cls, body: bytes) -> RenderTask:
        """Return the task in this body, or raise Malformed."""
        try:
            fields = json.loads(body)
            version, colorway, epoch = fields["v"], fields["colorway"], fields["epoch"]
            if version != VERSION or type(epoch) is not int or not 0 <= epoch < 2**31:
                raise Malformed(f"a render task of version {version!r} with epoch {epoch!r}")
            return cls(UUID(colorway), epoch)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise Malformed(f"not a render task: {error}") from error


@dataclass(frozen=True, slots=True)
class Nudge:
    """One delivery of a render task: `number` makes its name new, `priority` picks its queue.

    `traceparent` tells of the span that its job's request was, if it was traced.
    """

    task: RenderTask
    number: int
    priority: Priority
    traceparent: str | None = None

    def name(self) -> str:
        """Return the task id: hashed, for Cloud Tasks slows down on ids that run in sequence."""
        identity = f"{self.task.colorway}:{self.task.epoch}:{self.number}"
        return hashlib.sha256(identity.encode()).hexdigest()
