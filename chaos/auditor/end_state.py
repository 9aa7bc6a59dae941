"""The database and the store as they are at the end: is everything there, and does it add up?"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict

from chaos.auditor.evidence import FINAL, Evidence
from chaos.auditor.findings import (
    COUNTERS,
    FAILED,
    LOST,
    OBJECTS,
    TWICE_ACCEPTED,
    Findings,
)

_COUNTED = ("processing", "completed", "failed", "cancelled")


def check_end_state(evidence: Evidence, findings: Findings) -> None:
    """Hold rows against rows, and rows against the objects in the store."""
    _everything_has_ended(evidence, findings)
    _counters_are_rows(evidence, findings)
    _each_order_is_one_job(evidence, findings)
    _only_poison_failed(evidence, findings)
    _pictures_are_there(evidence, findings)


def _everything_has_ended(evidence: Evidence, findings: Findings) -> None:
    for colorway in evidence.colorways:
        if colorway["status"] not in FINAL:
            findings.add(LOST, f"colorway {colorway['id']} is still {colorway['status']}")
    for job in evidence.jobs:
        colorways = evidence.colorways_of[job["id"]]
        if not colorways:
            findings.add(LOST, f"job {job['id']} has no colorways")
        is_over = all(colorway["status"] in FINAL for colorway in colorways)
        if is_over and job["finished_at"] is None:
            findings.add(LOST, f"job {job['id']} never ended, though its colorways did")


def _counters_are_rows(evidence: Evidence, findings: Findings) -> None:
    for job in evidence.jobs:
        colorways = evidence.colorways_of[job["id"]]
        rows = Counter(colorway["status"] for colorway in colorways)
        if job["total"] != len(colorways):
            findings.add(COUNTERS, f"job {job['id']}: total {job['total']}, {len(colorways)} rows")
        for status in _COUNTED:
            if job[status] != rows[status]:
                findings.add(
                    COUNTERS, f"job {job['id']}: {job[status]} {status}, {rows[status]} rows"
                )


def _each_order_is_one_job(evidence: Evidence, findings: Findings) -> None:
    jobs_of = defaultdict(list)
    for job, order in evidence.order_of.items():
        jobs_of[order].append(job)
    for order, jobs in jobs_of.items():
        if order is not None and len(jobs) > 1:
            findings.add(TWICE_ACCEPTED, f"{order} became jobs {', '.join(sorted(jobs))}")


def _only_poison_failed(evidence: Evidence, findings: Findings) -> None:
    for colorway in evidence.colorways:
        is_poison = evidence.source_of.get(colorway["job_id"]) in evidence.poison
        if colorway["status"] == "failed" and not is_poison:
            findings.add(FAILED, f"colorway {colorway['id']}: {colorway['error']}")


def _pictures_are_there(evidence: Evidence, findings: Findings) -> None:
    renditions = {rendition["id"]: rendition for rendition in evidence.renditions}
    wrong: dict[str, str | None] = {}
    for colorway in evidence.colorways:
        if colorway["status"] != "completed":
            continue
        rendition = renditions.get(colorway["rendition_id"] or "")
        if rendition is None:
            findings.add(OBJECTS, f"colorway {colorway['id']} is completed, but has no rendition")
            continue
        key = rendition["key"]
        if key not in wrong:
            wrong[key] = _what_is_wrong(evidence, rendition["bytes"], rendition["sha256"], key)
        if wrong[key] is not None:
            findings.add(OBJECTS, f"colorway {colorway['id']}: {wrong[key]}")


def _what_is_wrong(evidence: Evidence, size: int, sha256: str, key: str) -> str | None:
    file = evidence.pictures / key
    if not file.is_file():
        return f"nothing is stored under {key}"
    body = file.read_bytes()
    if len(body) != size:
        return f"{key} has {len(body)} bytes, not {size}"
    if hashlib.sha256(body).hexdigest() != sha256:
        return f"{key} has other bytes than its row says"
    thumbnail = evidence.pictures / f"{key.rpartition('.')[0]}.thumb.webp"
    if not thumbnail.is_file():
        return f"{key} has no thumbnail"
    begins = thumbnail.read_bytes()[:12]
    if begins[:4] != b"RIFF" or begins[8:] != b"WEBP":
        return f"the thumbnail of {key} is no WebP file"
    return None
