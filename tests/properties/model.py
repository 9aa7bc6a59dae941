"""What the ledger should say, in plain Python: no SQL, no races, one thing after another.

It follows the design's words: who may move a colorway, and what its four numbers and the outbox
are then. Where it and the ledger differ, one of them is wrong.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from colorway.lifecycle import MAX_DEATHS, MAX_TRIES, Status
from colorway.render_task import Nudge, RenderTask

A_MOMENT = timedelta(microseconds=1)
OPEN = (Status.PENDING, Status.PROCESSING)
Entry = tuple[UUID, int, int]
"""What the outbox holds: colorway, epoch, nudge."""


@dataclass(eq=False)
class ModelJob:
    id: UUID
    image: UUID
    on_error: str
    colorways: list[ModelColorway] = field(default_factory=list)
    is_cancelled: bool = False
    is_started: bool = False

    @property
    def is_done(self) -> bool:
        return all(each.status.is_final for each in self.colorways)

    def failures(self) -> list[datetime]:
        failed = (it.finished_at for it in self.colorways if it.status is Status.FAILED)
        return [at for at in failed if at is not None]

    def said(self) -> tuple[object, ...]:
        count = Counter(each.status for each in self.colorways)
        counts = {status.value: count[status] for status in Status}
        return len(self.colorways), counts, self.is_started, self.is_cancelled, self.is_done


@dataclass(eq=False)
class ModelColorway:
    id: UUID
    job: ModelJob
    key: str
    fingerprint: str
    opened_at: datetime
    status: Status = Status.PENDING
    epoch: int = 0
    nudge: int = 0
    fence: int = 0
    tries: int = 0
    attempts: int = 0
    alone: bool = False
    leased_until: datetime | None = None
    finished_at: datetime | None = None
    picture: UUID | None = None
    error: str | None = None

    @property
    def task(self) -> RenderTask:
        return RenderTask(self.id, self.epoch)

    @property
    def entry(self) -> Entry:
        return self.id, self.epoch, self.nudge

    def is_expired(self, now: datetime) -> bool:
        return self.leased_until is not None and self.leased_until < now

    def said(self) -> tuple[object, ...]:
        numbers = self.epoch, self.nudge, self.fence, self.tries, self.attempts
        times = self.leased_until, self.opened_at, self.finished_at
        return self.status, numbers, self.alone, times, self.picture, self.error

    def be_pending(self) -> None:
        self.status, self.leased_until, self.finished_at = Status.PENDING, None, None

    def end(self, status: Status, now: datetime) -> None:
        self.status, self.leased_until, self.finished_at = status, None, now


@dataclass
class ModelKey:
    """An Idempotency-Key: who has reserved it for what, and the job that came of it."""

    request: str
    holder: UUID
    created_at: datetime
    job: UUID | None = None

    def is_free(self, now: datetime) -> bool:
        """Whether a reservation has run out, or the day for which a key is kept."""
        kept_for = timedelta(seconds=60) if self.job is None else timedelta(hours=24)
        return now >= self.created_at + kept_for

    def answer(self, request: str) -> tuple[str | None, UUID | None]:
        """Return the code of the refusal, or the job, while the key is in use."""
        if request != self.request:
            return "idempotency-mismatch", None
        return ("idempotency-in-progress", None) if self.job is None else (None, self.job)


class Model:
    """Jobs by id, with all that belongs to them."""

    def __init__(self) -> None:
        self.jobs: dict[UUID, ModelJob] = {}
        self.colorways: dict[UUID, ModelColorway] = {}
        self.deaths: Counter[UUID] = Counter()
        self.outbox: set[Entry] = set()
        self.pictures: dict[str, UUID] = {}

    def record(self, job: ModelJob, reuse: str, now: datetime) -> None:
        self.jobs[job.id] = job
        for each in job.colorways:
            self.colorways[each.id] = each
            if reuse == "cache" and each.fingerprint in self.pictures:
                each.end(Status.COMPLETED, now)
                each.picture = self.pictures[each.fingerprint]
            else:
                self.outbox.add(each.entry)

    def claim(self, task: RenderTask, *, now: datetime, until: datetime) -> Status | None:
        """Return what the colorway is now: processing, or what kept it from that; or None."""
        it = self.colorways[task.colorway]
        if self.is_guilty(it):
            return self.condemn(task, now=now)
        if task.epoch != it.epoch:
            return None
        if it.is_expired(now):
            if self.lapse(it, now).is_final:
                return it.status
            if self.is_guilty(it):  # by this very death
                return self.condemn(task, now=now)
        if it.status is not Status.PENDING:
            return None
        it.status, it.leased_until = Status.PROCESSING, until
        it.fence += 1
        it.attempts += 1
        it.alone = it.alone or self.deaths[it.job.image] > 0
        it.job.is_started = True
        return it.status

    def holds(self, colorway: UUID, fence: int) -> bool:
        it = self.colorways[colorway]
        return it.status is Status.PROCESSING and it.fence == fence

    def finish(self, it: ModelColorway, picture: UUID, now: datetime) -> None:
        if it.alone:
            self.deaths[it.job.image] = 0
        it.end(Status.COMPLETED, now)
        it.alone, it.error = False, None
        it.picture = self.pictures.setdefault(it.fingerprint, picture)

    def fail(self, it: ModelColorway, error: str, now: datetime) -> None:
        it.end(Status.FAILED, now)
        it.error = error
        self.stop_after_failure(it.job, now)

    def give_back(self, it: ModelColorway, error: str, *, counts: bool, now: datetime) -> None:
        it.tries += counts
        if counts and it.tries >= MAX_TRIES:
            self.fail(it, error, now)
            return
        it.be_pending()
        it.error = error
        self.stop(it.job, now)

    def cancel(self, job: ModelJob, now: datetime) -> None:
        wanted = [each for each in job.colorways if each.status in OPEN]
        for it in wanted:
            it.end(Status.CANCELLED, now)
            it.fence += 1
        if wanted:
            job.is_cancelled = True
            ids = {each.id for each in job.colorways}
            self.outbox = {entry for entry in self.outbox if entry[0] not in ids}

    def retry(self, job: ModelJob, keys: Sequence[str] | None, now: datetime) -> int:
        ended = [it for it in job.colorways if it.status in (Status.FAILED, Status.CANCELLED)]
        wanted = [it for it in ended if keys is None or it.key in keys]
        opened_at = max([now, *(at + A_MOMENT for at in job.failures())])
        for it in wanted:
            if it.status is Status.CANCELLED:
                it.error = None
            self.reopen(it, opened_at)
            it.alone = False
        if wanted:
            self.deaths[job.image] = 0
            job.is_cancelled &= any(
                it.status is Status.CANCELLED and it.error != "stopped" for it in job.colorways
            )
        return len(wanted)

    def forget_picture(self, picture: UUID, now: datetime) -> set[UUID] | None:
        known = [fingerprint for fingerprint, id in self.pictures.items() if id == picture]
        if not known:
            return None
        del self.pictures[known[0]]
        lost = [it for it in self.colorways.values() if it.picture == picture]
        for it in lost:
            it.nudge += 1  # nobody's POST delivers it, so it is not new to the reconciler
            self.reopen(it, now)
            it.picture, it.error = None, "object-missing"
        return {it.job.id for it in lost}

    def reopen(self, it: ModelColorway, now: datetime) -> None:
        it.be_pending()
        it.epoch += 1
        it.fence += 1
        it.tries, it.opened_at = 0, now
        self.outbox.add(it.entry)

    def take_back(self, it: ModelColorway, now: datetime) -> Status | None:
        if not it.is_expired(now):
            return None
        if not self.lapse(it, now).is_final:
            self.nudge_again(it)
        return it.status

    def lapse(self, it: ModelColorway, now: datetime) -> Status:
        """End an expired lease as a failed try, for which the picture is to blame if alone."""
        self.deaths[it.job.image] += it.alone
        it.tries += 1
        it.alone, it.error = True, "worker-lost"
        if it.tries >= MAX_TRIES:
            self.fail(it, it.error, now)
        else:
            it.be_pending()
            self.stop(it.job, now)
        return it.status

    def is_guilty(self, it: ModelColorway) -> bool:
        return self.deaths[it.job.image] >= MAX_DEATHS

    def condemn(self, task: RenderTask, *, now: datetime) -> Status | None:
        it = self.colorways[task.colorway]
        if not self.is_guilty(it) or task != it.task or it.status is not Status.PENDING:
            return None
        it.fence += 1
        self.fail(it, "source-kills-worker", now)
        return it.status

    def give_up(self, it: ModelColorway, *, before: datetime, now: datetime) -> Status | None:
        if it.status not in OPEN or it.opened_at >= before:
            return None
        it.fence += 1
        self.fail(it, "timed-out", now)
        return it.status

    def stop_after_failure(self, job: ModelJob, now: datetime) -> None:
        """Stop by a failure of now: whatever was opened was opened before it."""
        for it in job.colorways:
            if it.status in OPEN and job.on_error == "stop":
                it.opened_at = min(it.opened_at, now)
        self.stop(job, now)

    def stop(self, job: ModelJob, now: datetime) -> None:
        """Cancel what is pending, unless a client has reopened it since the last failure."""
        if job.on_error != "stop":
            return
        last = max(job.failures(), default=None)
        for it in job.colorways:
            is_stopped = last is not None and (it.epoch == 0 or last >= it.opened_at)
            if it.status is Status.PENDING and is_stopped:
                it.end(Status.CANCELLED, now)
                it.fence += 1
                it.error = "stopped"

    def replace_lost(self, nudge: Nudge) -> bool:
        it = self.colorways[nudge.task.colorway]
        if it.status is not Status.PENDING or it.nudge != nudge.number:
            return False
        self.nudge_again(it)
        return True

    def nudge_again(self, it: ModelColorway) -> None:
        it.nudge += 1
        self.outbox.add(it.entry)
