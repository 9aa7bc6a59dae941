"""One queue's waiting tasks in memory, and the moment at which each may start.

The store is the truth; a lane holds names and due times only. A heap finds the next task without
looking at the others. Whoever makes a start possible also makes it: a task due at once is started
by the caller who adds it, and a thread that has finished one takes the next, so in a busy queue no
task waits for another thread to wake up. The lane's own thread is there for what starts later, by
schedule, back-off or rate; it sleeps until that moment and never polls.
"""

import heapq
import itertools
import threading
from collections.abc import Callable

from local_tasks.clock import Clock
from local_tasks.pace import TokenBucket
from local_tasks.queue_settings import QueueSettings


class Lane:
    def __init__(
        self,
        queue: str,
        settings: QueueSettings,
        clock: Clock,
        start: Callable[["Lane", str], None],
    ) -> None:
        """`start` is called with the name of each task that may be dispatched. It must not block,
        and finished() must be called once for each."""
        self.settings = settings
        self._clock = clock
        self._start = start
        self._lock = threading.Lock()
        self._next_changed = threading.Condition(self._lock)  # the lane's thread waits for this
        self._has_settled = threading.Condition(self._lock)
        self._heap: list[tuple[float, int, str]] = []
        self._due: dict[str, float] = {}  # the heap may hold more: entries no longer meant
        self._order = itertools.count()  # among equal due times, first come, first served
        self._in_flight = 0
        self._is_stopping = False
        self._bucket = TokenBucket(
            settings.max_dispatches_per_second, settings.burst, now=clock.now()
        )
        self._thread = threading.Thread(target=self._run, name=f"lane {queue}", daemon=True)

    def run(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Start nothing more. What has been started goes on."""
        with self._lock:
            self._is_stopping = True
            self._next_changed.notify()
        self._thread.join()

    def load(self, name: str, due_at: float) -> None:
        """Add a task before run()."""
        self._push(name, due_at)

    def add(self, name: str, due_at: float) -> None:
        """Start the task if it may start now, else let it wait for its time."""
        with self._lock:
            self._push(name, due_at)
            ready = self._take()
            if ready is None and self._heap[0][2] == name:
                self._next_changed.notify()
        if ready is not None:
            self._start(self, ready)

    def forget(self, name: str) -> None:
        with self._lock:
            self._due.pop(name, None)
            self._has_settled.notify_all()

    def finished(self, name: str, *, again_at: float | None) -> str | None:
        """Free the place of a started task, which may wait for another attempt.

        Returns the next one if it may start in this place at once; it is then as good as started.
        """
        with self._lock:
            self._in_flight -= 1
            if again_at is not None:
                self._push(name, again_at)
            ready = self._take()
            if ready is None:
                self._has_settled.notify_all()
                if self._heap:
                    self._next_changed.notify()
            return ready

    def settle(self, give_up_after: float) -> bool:
        """Wait until nothing is in flight and nothing may start; False after so many seconds."""
        with self._lock:
            return self._has_settled.wait_for(self._is_settled, give_up_after)

    def _run(self) -> None:
        while True:
            with self._lock:
                while (ready := self._take()) is None:
                    if self._is_stopping:
                        return
                    self._clock.wait(self._next_changed, self._next_start())
            self._start(self, ready)

    # With the lock held:

    def _push(self, name: str, due_at: float) -> None:
        self._due[name] = due_at
        heapq.heappush(self._heap, (due_at, next(self._order), name))

    def _take(self) -> str | None:
        """Count a task that may start now as in flight and return its name."""
        start_at, now = self._next_start(), self._clock.now()
        if start_at is None or start_at > now or self._is_stopping:
            return None
        self._bucket.take(now)
        self._in_flight += 1
        _, _, name = heapq.heappop(self._heap)
        del self._due[name]
        return name

    def _next_start(self) -> float | None:
        """When the next task may start, as things stand; None: not before something changes."""
        while self._heap and self._due.get(self._heap[0][2]) != self._heap[0][0]:
            heapq.heappop(self._heap)  # deleted, or moved to another time
        if not self._heap or self._in_flight >= self.settings.max_concurrent_dispatches:
            return None
        return max(self._heap[0][0], self._bucket.ready_at(self._clock.now()))

    def _is_settled(self) -> bool:
        start_at = self._next_start()
        return self._in_flight == 0 and (start_at is None or start_at > self._clock.now())
