"""What clients were told, held against itself, the API's promises and the database."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable

from chaos.auditor.books import Row
from chaos.auditor.evidence import Evidence, plain_id
from chaos.auditor.findings import BROKEN, LOST, OBJECTS, TWICE_ACCEPTED, UNTRUE, Findings

_COUNTED = ("pending", "processing", "completed", "failed", "cancelled")
_CODES = {
    ("submit", 409): {"idempotency-in-progress"},
    ("retry", 409): {"nothing-to-retry"},
}
"""Refusals that a valid request may meet; beside them, 503 only."""


def check_testimony(evidence: Evidence, findings: Findings) -> None:
    """Believe no answer."""
    told = evidence.told
    _each_key_is_one_job(told, findings)
    _orders_became_what_was_ordered(evidence, findings)
    by_job: dict[str, list[Row]] = defaultdict(list)
    for entry in told:
        if entry.get("job"):
            by_job[entry["job"]].append(entry)
    for job, entries in by_job.items():
        _check_job(job, entries, findings)
    _last_word_is_the_databases(evidence, by_job, findings)
    for entry in told:
        if entry["event"] == "refused":
            _check_refusal(entry, findings)
        elif entry["event"] == "left open":
            findings.add(LOST, f"{entry['order']} had no end for its client, job {entry['job']}")


def _accepted(told: Iterable[Row]) -> Iterable[tuple[str, str]]:
    for entry in told:
        if entry["event"] == "told" and entry["asked"] == "submit":
            yield entry["order"], entry["job"]


def _each_key_is_one_job(told: list[Row], findings: Findings) -> None:
    jobs_of: dict[str, set[str]] = defaultdict(set)
    for order, job in _accepted(told):
        jobs_of[order].add(job)
    for order, jobs in jobs_of.items():
        if len(jobs) > 1:
            findings.add(TWICE_ACCEPTED, f"{order} was told {len(jobs)} jobs: {sorted(jobs)}")


def _orders_became_what_was_ordered(evidence: Evidence, findings: Findings) -> None:
    ordered = {entry["order"]: entry for entry in evidence.told if entry["event"] == "orders"}
    for order, told_job in _accepted(evidence.told):
        job, wanted = plain_id(told_job), ordered[order]
        if job not in evidence.source_of:
            findings.add(LOST, f"{order} was told 202 and job {told_job}; there is none")
            continue
        count = len(evidence.colorways_of[job])
        if count != wanted["palettes"]:
            findings.add(LOST, f"{order} wanted {wanted['palettes']} palettes, has {count}")
        if evidence.source_of[job] != wanted["sha256"]:
            findings.add(UNTRUE, f"{order} sent another picture than job {told_job} has")


def _check_job(job: str, entries: list[Row], findings: Findings) -> None:
    last: Row | None = None
    retries = reopened = 0
    pictures: dict[str, str] = {}
    for entry in entries:
        retries += entry.get("asked") == "retry"
        if entry["event"] == "told":
            for sentence in _contradictions(entry):
                findings.add(UNTRUE, f"job {job}: {sentence}")
            if last is not None:
                reopened += last["done"] and not entry["done"]
                changes = _changes(
                    last, entry, may_reopen=reopened <= retries, was_retried=retries > 0
                )
                for sentence in changes:
                    findings.add(UNTRUE, f"job {job}: {sentence}")
            _check_pictures(job, entry, pictures, findings)
            last = entry
        elif entry["event"] == "unchanged":
            if last is None or entry["version"] != last["version"]:
                findings.add(UNTRUE, f"job {job}: 304 for version {entry['version']}")
        elif entry["event"] == "picture" and not entry["thumbnail"]:
            if entry["sha256"] != entry["told"]:
                findings.add(UNTRUE, f"job {job}: {entry['key']} came with other bytes than told")
        elif entry["event"] == "picture" and not entry["bytes"]:
            findings.add(UNTRUE, f"job {job}: the thumbnail of {entry['key']} is empty")


def _check_pictures(job: str, entry: Row, pictures: dict[str, str], findings: Findings) -> None:
    for key, (_, sha256) in entry["colorways"].items():
        if sha256 is not None and pictures.setdefault(key, sha256) != sha256:
            findings.add(UNTRUE, f"job {job}: {key} was told with two pictures")


def _contradictions(entry: Row) -> Iterable[str]:
    """Yield where an answer contradicts itself."""
    counts, total = entry["counts"], entry["counts"]["total"]
    ended = counts["completed"] + counts["failed"] + counts["cancelled"]
    if sum(counts[status] for status in _COUNTED) != total:
        yield f"counts {counts} do not sum to their total"
    if entry["done"] != (ended == total):
        yield f"done is {entry['done']} with counts {counts}"
    if entry["percent"] != 100 * ended // total:
        yield f"{entry['percent']} percent with counts {counts}"
    rows = Counter(status for status, _ in entry["colorways"].values())
    if len(entry["colorways"]) == total and any(rows[each] != counts[each] for each in _COUNTED):
        yield f"counts {counts} beside colorways {dict(rows)}"
    if entry["status"] not in _statuses(counts, ended=ended):
        yield f"status {entry['status']} with counts {counts}"
    for key, (status, sha256) in entry["colorways"].items():
        if (status == "completed") != (sha256 is not None):
            yield f"{key} is {status} and its picture is {sha256}"


def _statuses(counts: Row, *, ended: int) -> set[str]:
    total, completed, cancelled = counts["total"], counts["completed"], counts["cancelled"]
    if ended < total:
        return {"processing"} if counts["processing"] else {"pending", "processing"}
    if completed == total:
        return {"completed"}
    ends = {"partial"} if completed else {"failed"}
    return ends | {"cancelled"} if cancelled else ends


def _changes(last: Row, entry: Row, *, may_reopen: bool, was_retried: bool) -> Iterable[str]:
    """Yield where an answer contradicts the one before."""
    if entry["version"] < last["version"]:
        yield f"version {entry['version']} after {last['version']}"
    same = ("status", "done", "percent", "counts", "colorways")
    if entry["version"] == last["version"] and any(entry[each] != last[each] for each in same):
        yield f"two bodies of version {entry['version']}"
    if last["done"] and not entry["done"] and not may_reopen:
        yield "done, and then not, without a retry"
    for key, (status, _) in last["colorways"].items():
        now = entry["colorways"].get(key, [None])[0]
        if status == "completed" and now != "completed":
            yield f"{key} was completed, and then {now}"
        if status in ("failed", "cancelled") and now != status and not was_retried:
            yield f"{key} was {status}, and then {now}, without a retry"


def _last_word_is_the_databases(
    evidence: Evidence, by_job: dict[str, list[Row]], findings: Findings
) -> None:
    """What a client saw as done, and never ordered anything after, must still be so."""
    for job, entries in by_job.items():
        last = next((each for each in reversed(entries) if each["event"] == "told"), None)
        rows = evidence.colorways_of.get(plain_id(job))
        asked_more = last is not None and any(
            entry.get("asked") in ("retry", "cancel") for entry in entries[entries.index(last) :]
        )
        if last is None or rows is None or not last["done"] or asked_more:
            continue
        for row in rows:
            status = last["colorways"].get(row["key"], [row["status"]])[0]
            if status != row["status"]:
                findings.add(
                    UNTRUE, f"job {job}: {row['key']} was told {status}, is {row['status']}"
                )


def _check_refusal(entry: Row, findings: Findings) -> None:
    code, http, asked = entry["code"], entry["http"], entry["asked"]
    sentence = f"{asked} of {entry['job'] or entry['order']}: {http} {code}"
    if not entry["type"].startswith("application/problem+json"):
        findings.add(BROKEN, f"{sentence}, as {entry['type']!r}: {entry['body']}")
    elif http == 503:
        return
    elif asked == "picture":
        findings.add(OBJECTS, f"{sentence}: {entry['body']}")
    elif http == 404:
        findings.add(LOST, f"{sentence}: {entry['body']}")
    elif code not in _CODES.get((asked, http), set()):
        findings.add(BROKEN, f"{sentence}: {entry['body']}")
