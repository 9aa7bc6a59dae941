"""Room for so many bytes of pictures at once, handed out in the order of asking."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta
from time import monotonic

from colorway.errors import TryLater
from colorway.job import OutputOptions
from colorway.ledger.orders import Order

# Bytes for a pixel of the source: the decoded picture, and a copy of it while it is decoded or
# recoloured. Bytes for a pixel of the result: what its encoder takes, and the file. As measured at
# 12 MP; benchmarks/worker_memory.py holds us to it.
_PICTURE_BYTES = 8
_ENCODER_BYTES = {"jpeg": 1, "png": 3, "webp": 7}
_LOSSLESS_WEBP_BYTES = 22


def weight_of(order: Order) -> int:
    """Return the bytes that an attempt at this order takes at its peak."""
    width, height, edge = order.source.width, order.source.height, order.output.max_edge
    scale = 1.0 if edge is None else min(1.0, edge / max(width, height))
    result = width * height * scale**2
    return round(_PICTURE_BYTES * width * height + _encoder_bytes(order.output) * result)


def _encoder_bytes(output: OutputOptions) -> int:
    if output.format == "auto" or (output.format == "webp" and output.lossless):
        return _LOSSLESS_WEBP_BYTES
    return _ENCODER_BYTES[output.format]


class Slot:
    """Room that is held."""

    def __init__(self, slots: RenderSlots, held: int) -> None:
        self._slots = slots
        self._held = held

    def keep_only(self, weight: int) -> None:
        """Let others have what is held beyond `weight` bytes; a slot never grows."""
        spare = self._held - weight
        if spare > 0:
            self._held = weight
            self._slots.give(spare)


class RenderSlots:
    """A semaphore weighted by bytes. What is larger than all the room has it alone.

    Nobody overtakes: a small picture behind a large one waits, or the large one might for ever.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._free = capacity
        self._queue: deque[object] = deque()
        self._changed = threading.Condition()

    @contextmanager
    def hold(self, weight: int, *, wait_for: timedelta) -> Iterator[Slot]:
        """Hold room for `weight` bytes; TryLater if there is none within `wait_for`."""
        taken = min(weight, self._capacity)
        self._take(taken, wait_for)
        slot = Slot(self, taken)
        try:
            yield slot
        finally:
            slot.keep_only(0)

    def hold_all(self, *, wait_for: timedelta) -> AbstractContextManager[Slot]:
        """Hold all the room: then nobody else holds any, not even for an upload."""
        return self.hold(self._capacity, wait_for=wait_for)

    @property
    def waiting(self) -> int:
        """How many wait for room."""
        with self._changed:
            return len(self._queue)

    def give(self, weight: int) -> None:
        """Take room back and wake who waits for it."""
        with self._changed:
            self._free += weight
            self._changed.notify_all()

    def _take(self, weight: int, wait_for: timedelta) -> None:
        me = object()
        until = monotonic() + wait_for.total_seconds()
        with self._changed:
            self._queue.append(me)
            try:
                while self._queue[0] is not me or self._free < weight:
                    left = until - monotonic()
                    if left <= 0:
                        raise TryLater("this worker is full", retry_after=2)
                    self._changed.wait(left)
                self._free -= weight
            finally:
                self._queue.remove(me)
                self._changed.notify_all()
