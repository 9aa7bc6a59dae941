"""Takes tasks from their lanes to their targets, and notes what came of it.

Each queue has a lane that says when; the attempts themselves run on a crew of threads that grows
with what is in flight. An attempt is noted before it is sent and again when it is over, so a
server that dies in between sends it once more: at least once, never less.
"""

import logging
import threading
import time
from collections.abc import Callable
from functools import partial
from queue import SimpleQueue

from local_tasks.attempt import Request, request_of
from local_tasks.clock import Clock
from local_tasks.courier import Answer, Courier
from local_tasks.faults import NO_FAULTS, Faults
from local_tasks.lane import Lane
from local_tasks.oidc import TokenMint
from local_tasks.queue_settings import QueueSettings
from local_tasks.retry import backoff, is_given_up
from local_tasks.store import Store, StoredTask

log = logging.getLogger(__name__)

# When the store itself fails (a full disk, say), a task is looked at again after so many seconds.
AFTER_OUR_OWN_TROUBLE = 5.0
# How long stop() waits for hung-up attempts to notice, in seconds.
STOPPING_TAKES_AT_MOST = 1.0

DROPPED = Answer(None, is_answered=False, trouble="answer lost on purpose")


class Dispatcher:
    def __init__(
        self, store: Store, mint: TokenMint, clock: Clock, faults: Faults = NO_FAULTS
    ) -> None:
        self._store = store
        self._mint = mint
        self._clock = clock
        self._faults = faults
        self._courier = Courier()
        self._crew = Crew()
        self._lanes: dict[str, Lane] = {}
        self._is_stopping = False

    def start(self) -> None:
        """Take up every queue and task of the store."""
        for queue, settings in self._store.queues().items():
            self._lanes[queue] = Lane(queue, settings, self._clock, self._start_attempt)
        for name, due_at in self._store.live():
            if lane := self._lanes.get(queue_of(name)):
                lane.load(name, due_at)
        for lane in self._lanes.values():
            lane.run()

    def stop(self) -> None:
        """Leave attempts in flight unfinished: the next start sends them again."""
        self._is_stopping = True
        for lane in list(self._lanes.values()):
            lane.stop()
        self._courier.stop()
        self._crew.stop(STOPPING_TAKES_AT_MOST)

    def open_lane(self, queue: str, settings: QueueSettings) -> bool:
        """Begin to serve a new queue; False if there is one of this name."""
        lane = Lane(queue, settings, self._clock, self._start_attempt)
        if self._lanes.setdefault(queue, lane) is not lane:
            return False
        lane.run()
        return True

    def close_lane(self, queue: str) -> bool:
        """Dispatch nothing more of the queue; False if there is none."""
        lane = self._lanes.pop(queue, None)
        if lane is None:
            return False
        lane.stop()
        return True

    def queues(self) -> dict[str, QueueSettings]:
        return {queue: lane.settings for queue, lane in sorted(self._lanes.copy().items())}

    def settings_of(self, queue: str) -> QueueSettings | None:
        lane = self._lanes.get(queue)
        return None if lane is None else lane.settings

    def schedule(self, name: str, due_at: float) -> None:
        if lane := self._lanes.get(queue_of(name)):
            lane.add(name, self._faults.put_off(name, due_at))

    def forget(self, name: str) -> None:
        if lane := self._lanes.get(queue_of(name)):
            lane.forget(name)

    def settle(self, give_up_after: float) -> bool:
        return all(lane.settle(give_up_after) for lane in list(self._lanes.values()))

    def _start_attempt(self, lane: Lane, name: str) -> None:
        self._crew.do(partial(self._attempt_one_after_another, lane, name))

    def _attempt_one_after_another(self, lane: Lane, first: str) -> None:
        name: str | None = first
        while name is not None:
            try:
                again_at = self._attempt_and_note(lane.settings, name)
            except Exception:
                if self._is_stopping:
                    return
                log.exception("attempt broke off, the task is kept: task=%s", name)
                again_at = self._clock.now() + AFTER_OUR_OWN_TROUBLE
            name = lane.finished(name, again_at=again_at)

    def _attempt_and_note(self, settings: QueueSettings, name: str) -> float | None:
        """Deliver the task once and return when to try again, or None if it is over."""
        task = self._store.begin_attempt(name, now=self._clock.now())
        if task is None:
            return None  # deleted between its turn and now
        if self._faults.is_forgotten(name, task.dispatches):
            self._store.end(name, now=self._clock.now())
            return None
        request = request_of(task, self._mint)
        if not self._faults.has_twin_beside(name, task.dispatches):
            return self._send_and_note(task, request, settings)
        twin = threading.Thread(target=self._send, args=(request,), name="attempt", daemon=True)
        twin.start()
        try:
            return self._send_and_note(task, request, settings)
        finally:
            twin.join()  # both share one place in the lane

    def _send_and_note(
        self, task: StoredTask, request: Request, settings: QueueSettings
    ) -> float | None:
        answer = self._send(request)
        if self._is_stopping and not answer.is_answered:
            return None  # we hung up ourselves, which says nothing about the target
        if answer.is_success and self._faults.is_answer_dropped(task.name, task.dispatches):
            answer = DROPPED
        now = self._clock.now()
        if answer.is_success:
            self._store.end(task.name, now=now)
            if self._faults.has_twin_behind(task.name, task.dispatches):
                self._send(request)
            return None
        return self._note_failure(task, answer, settings, now)

    def _send(self, request: Request) -> Answer:
        return self._courier.deliver(
            request.method,
            request.url,
            headers=request.headers,
            body=request.body,
            deadline=request.deadline,
        )

    def _note_failure(
        self, task: StoredTask, answer: Answer, settings: QueueSettings, now: float
    ) -> float | None:
        facts = (task.name, answer.status, task.dispatches, answer.trouble)
        if is_given_up(
            settings.retry,
            attempts=task.dispatches,
            since_first_attempt=now - (task.first_dispatch_at or now),
            since_creation=now - task.created_at,
        ):
            self._store.end(task.name, now=now)
            log.warning("task given up: task=%s status=%s attempts=%s %s", *facts)
            return None
        pause = backoff(settings.retry, task.dispatches)
        is_kept = self._store.reschedule(
            task.name,
            due_at=now + pause,
            status=answer.status,
            is_answered=answer.is_answered,
            now=now,
        )
        log.warning(
            "attempt failed: retry_in=%.1fs task=%s status=%s attempts=%s %s", pause, *facts
        )
        return self._faults.put_off(task.name, now + pause) if is_kept else None


class Crew:
    """Threads that do jobs; one more is hired whenever all are busy. None keeps a process alive."""

    def __init__(self) -> None:
        self._jobs: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._idle = threading.Semaphore(0)
        self._threads: list[threading.Thread] = []

    def do(self, job: Callable[[], None]) -> None:
        self._jobs.put(job)
        if not self._idle.acquire(blocking=False):
            thread = threading.Thread(target=self._work, name="attempt", daemon=True)
            self._threads.append(thread)
            thread.start()

    def stop(self, give_up_after: float) -> None:
        """Let the threads end with their present job; wait so many seconds in all."""
        for _ in self._threads:
            self._jobs.put(None)
        latest = time.monotonic() + give_up_after
        for thread in self._threads:
            thread.join(max(latest - time.monotonic(), 0.0))

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            job()
            self._idle.release()


def queue_of(task_name: str) -> str:
    return task_name.partition("/tasks/")[0]
