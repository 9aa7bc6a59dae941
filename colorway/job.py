"""What a client asks for, and how far it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import Literal
from uuid import UUID

from colorway.errors import InvalidRequest
from colorway.lifecycle import Status
from colorway.palette import Palette, is_key


class Priority(StrEnum):
    """Which of the three queues carries the job's tasks."""

    HIGH = "high"
    NORMAL = "normal"
    LOW = "low"


class JobStatus(StrEnum):
    """How a job as a whole is doing; the last four are ends."""

    PENDING = "pending"
    PROCESSING = "processing"
    COMPLETED = "completed"
    PARTIAL = "partial"
    FAILED = "failed"
    CANCELLED = "cancelled"


OnError = Literal["continue", "stop"]
Reuse = Literal["cache", "force"]
OutputFormat = Literal["png", "webp", "jpeg", "auto"]


@dataclass(frozen=True, slots=True)
class RenderOptions:
    """How the recolouring is done: `strength` 0 (the source, untouched) to 1 (the palette)."""

    strength: float = 1.0
    preserve_luminance: bool = True


@dataclass(frozen=True, slots=True)
class OutputOptions:
    """What file comes out; edges are pixels of the longer side, `quality` 1 to 100 (lossy only)."""

    format: OutputFormat = "png"
    quality: int = 90
    lossless: bool = True
    max_edge: int | None = None
    thumbnail_edge: int = 320


@dataclass(frozen=True, slots=True)
class PaletteOrder:
    """One palette of a request, under the key that names it within its job."""

    key: str
    palette: Palette


@dataclass(frozen=True, slots=True)
class JobRequest:
    """One source image in several palettes, checked and complete.

    Where the image is still to be fetched, or came along, its id says nothing yet.
    """

    image_id: UUID
    palettes: tuple[PaletteOrder, ...]
    render: RenderOptions = RenderOptions()
    output: OutputOptions = OutputOptions()
    priority: Priority = Priority.NORMAL
    on_error: OnError = "continue"
    reuse: Reuse = "cache"
    metadata: Mapping[str, str] = field(default_factory=dict)
    image_url: str | None = None

    def __post_init__(self) -> None:
        keys = [order.key for order in self.palettes]
        if not keys or len(set(keys)) < len(keys) or not all(map(is_key, keys)):
            raise InvalidRequest("a job has one palette or more, each under a key of its own")


@dataclass(frozen=True, slots=True)
class JobProgress:
    """The five counts of a job, which always sum to its total."""

    total: int
    processing: int
    completed: int
    failed: int
    cancelled: int
    was_started: bool
    was_cancelled: bool

    @property
    def finished(self) -> int:
        """How many colorways have ended, whichever way."""
        return self.completed + self.failed + self.cancelled

    @property
    def pending(self) -> int:
        """How many wait for their first or next attempt."""
        return self.total - self.processing - self.finished

    @property
    def is_done(self) -> bool:
        """Whether every colorway has ended."""
        return self.finished == self.total

    @property
    def percent(self) -> int:
        """Whole percents, rounded down, so that 100 means done."""
        return 100 * self.finished // self.total

    @property
    def status(self) -> JobStatus:
        """The first rule that fits; `partial` is its own end (API contract, section 3)."""
        if not self.is_done:
            return JobStatus.PROCESSING if self.was_started else JobStatus.PENDING
        if self.was_cancelled and self.cancelled:
            return JobStatus.CANCELLED
        if self.completed == self.total:
            return JobStatus.COMPLETED
        return JobStatus.PARTIAL if self.completed else JobStatus.FAILED

    def count(self, status: Status) -> int:
        """Return how many colorways are in this state."""
        return {
            Status.PENDING: self.pending,
            Status.PROCESSING: self.processing,
            Status.COMPLETED: self.completed,
            Status.FAILED: self.failed,
            Status.CANCELLED: self.cancelled,
        }[status]


@dataclass(frozen=True, slots=True)
class JobEnd:
    """A job that has just ended, by the write that made it so, and how long after its request."""

    job: UUID
    progress: JobProgress
    overall: timedelta
