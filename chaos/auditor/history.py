"""Plays the triggers' history again, row by row, and holds every step to the rules.

    pending ──▶ processing ──▶ completed | failed | cancelled ──(retry: epoch + 1)──▶ pending

A job's counters are held against its rows whenever the job's row is written, and, where the
database names its transactions, at each commit.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field

from chaos.auditor.books import Row
from chaos.auditor.evidence import FINAL, Evidence
from chaos.auditor.findings import COUNTERS, TWICE_FINISHED, UNLAWFUL, Findings

_BIRTHS = ("pending", "completed")  # completed: a rendition that was there already
_MOVES = {
    ("pending", "processing"),
    ("pending", "failed"),
    ("pending", "cancelled"),
    ("processing", "pending"),
    ("processing", "completed"),
    ("processing", "failed"),
    ("processing", "cancelled"),
    ("failed", "pending"),
    ("cancelled", "pending"),
}
_COUNTED = ("processing", "completed", "failed", "cancelled")


@dataclass(slots=True)
class _Job:
    rows: Counter[str] = field(default_factory=Counter)
    counters: dict[str, int] = field(default_factory=dict)
    version: int = 0
    unbalanced_in: int | None = None  # the transaction that has moved rows, and no counter yet

    @property
    def is_balanced(self) -> bool:
        """Whether counters and rows agree."""
        return all(self.counters.get(status) == self.rows[status] for status in _COUNTED)


def replay(evidence: Evidence, findings: Findings) -> None:
    """Play all of it; what the triggers saw is what was committed."""
    colorways: dict[str, Row] = {}
    jobs: dict[str, _Job] = defaultdict(_Job)
    completions: Counter[tuple[str, int]] = Counter()
    for event in evidence.history:
        job = jobs[event["job"]]
        _check_commit(event, job, findings)
        if event["colorway"] is None:
            _play_job(event, job, findings)
        else:
            _play_colorway(event, colorways, job, findings)
            if event["status"] == "completed" != event["was_status"]:
                completions[event["colorway"], event["epoch"]] += 1
        job.unbalanced_in = None if job.is_balanced else event["tx"]
    for (colorway, epoch), count in completions.items():
        if count > 1:
            findings.add(
                TWICE_FINISHED, f"colorway {colorway} completed {count} times in epoch {epoch}"
            )
    for name, job in jobs.items():
        if not job.is_balanced:
            findings.add(COUNTERS, f"job {name}: its rows moved last, its counters did not")


def _check_commit(event: Row, job: _Job, findings: Findings) -> None:
    left_by = job.unbalanced_in
    if left_by is not None and event["tx"] != left_by:
        findings.add(
            COUNTERS, f"job {event['job']}: transaction {left_by} moved rows and no counters"
        )


def _play_job(event: Row, job: _Job, findings: Findings) -> None:
    name = event["job"]
    if event["version"] is None:
        findings.add(UNLAWFUL, f"job {name} was deleted")
        return
    counters = {status: event[status] for status in _COUNTED}
    for status in _COUNTED:
        # a job is born before its colorways
        if event["was_version"] is not None and counters[status] != job.rows[status]:
            findings.add(
                COUNTERS,
                f"job {name}, version {event['version']}: {counters[status]} {status},"
                f" {job.rows[status]} rows",
            )
    is_over = sum(counters.values()) - counters["processing"] == event["total"]
    if bool(event["finished"]) != is_over:
        said = "has an end" if event["finished"] else "has no end"
        findings.add(COUNTERS, f"job {name}, version {event['version']}: {counters}, and {said}")
    if event["version"] < job.version:
        findings.add(UNLAWFUL, f"job {name}: version {event['version']} after {job.version}")
    elif event["version"] == job.version and counters != job.counters:
        findings.add(UNLAWFUL, f"job {name}: changed, and is still version {job.version}")
    job.counters, job.version = counters, event["version"]


def _play_colorway(event: Row, colorways: dict[str, Row], job: _Job, findings: Findings) -> None:
    name, before = event["colorway"], colorways.get(event["colorway"])
    was, now = event["was_status"], event["status"]
    if now is None:
        findings.add(UNLAWFUL, f"colorway {name} was deleted")
        return
    colorways[name] = event
    if before is None:
        if was is not None or now not in _BIRTHS:
            findings.add(UNLAWFUL, f"colorway {name} began as {was or now}")
    elif was != before["status"] or event["was_fence"] != before["fence"]:
        findings.add(UNLAWFUL, f"colorway {name}: a step before {was} → {now} was not seen")
    else:
        _check_move(event, before, findings)
    if was != now:
        job.rows[now] += 1
        if was is not None:
            job.rows[was] -= 1


def _check_move(event: Row, before: Row, findings: Findings) -> None:
    was, now = event["was_status"], event["status"]
    step = f"colorway {event['colorway']}: {was} → {now}"
    numbers = (
        f"(epoch {event['was_epoch']} → {event['epoch']},"
        f" fence {event['was_fence']} → {event['fence']})"
    )
    epochs, fences = event["epoch"] - event["was_epoch"], event["fence"] - event["was_fence"]
    if was == now:
        has_changed = epochs or fences or event["rendition"] != before["rendition"]
        if was in FINAL and has_changed:
            findings.add(TWICE_FINISHED, f"{step}: changed after its end {numbers}")
    elif was in FINAL and now in FINAL:
        findings.add(TWICE_FINISHED, f"{step} {numbers}")
    elif (was, now) not in _MOVES:
        findings.add(UNLAWFUL, f"{step} {numbers}")
    elif not _numbers_fit(was, now, epochs=epochs, fences=fences):
        findings.add(UNLAWFUL, f"{step} with the wrong numbers {numbers}")


def _numbers_fit(was: str, now: str, *, epochs: int, fences: int) -> bool:
    if was in FINAL:  # a retry: every older task and every older attempt is over
        return epochs == 1 and fences == 1
    if epochs != 0:
        return False
    if now in ("processing", "cancelled"):
        return fences == 1
    return fences == 0 or (was == "pending" and fences == 1)
