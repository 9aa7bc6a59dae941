"""The traces of a tiny run in which everything is true, made by hand; a test plants one lie."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from pathlib import Path
from typing import Any

from chaos.auditor.evidence import Evidence, gather
from chaos.auditor.verdict import Enough, Verdict, judge

PLAIN, POISONED, RETRIED = ("1" * 32, "2" * 32, "3" * 32)
"""Jobs: two palettes completed; one that failed of poison; one cancelled, retried, completed."""

A, B, C, D = ("a" * 32, "b" * 32, "c" * 32, "d" * 32)
"""Their colorways: A and B of the first."""

NOTHING_NEEDED = Enough(0, 0, 0, 0, 0, 0)

_TABLES = """
CREATE TABLE images (id TEXT, sha256 TEXT);
CREATE TABLE jobs (id TEXT, image_id TEXT, total INT, processing INT, completed INT, failed INT,
                   cancelled INT, version INT, finished_at TEXT, client_metadata TEXT);
CREATE TABLE colorways (id TEXT, job_id TEXT, key TEXT, position INT, status TEXT, epoch INT,
                        fence INT, attempts INT, rendition_id TEXT, error TEXT);
CREATE TABLE renditions (id TEXT, key TEXT, sha256 TEXT, bytes INT);
CREATE TABLE chaos_history (
    seq INTEGER PRIMARY KEY, at REAL, tx INT, job TEXT, colorway TEXT, was_status TEXT, status TEXT,
    was_epoch INT, epoch INT, was_fence INT, fence INT, tries INT, nudge INT, rendition TEXT,
    was_version INT, version INT, total INT, processing INT, completed INT, failed INT,
    cancelled INT, was_finished INT, finished INT);
"""


def dashed(job: str) -> str:
    """Return the id as clients see it."""
    return f"{job[:8]}-{job[8:12]}-{job[12:16]}-{job[16:20]}-{job[20:]}"


class HonestRun:
    """A database, a folder of pictures and two diaries; `tell`, `act` and `sql` add lies."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.pictures = folder / "pictures"
        self.logs = folder / "logs"
        self.told: list[dict[str, Any]] = []
        self.acts: list[dict[str, Any]] = [{"t": 0, "event": "begins", "poison": ["sha-poison"]}]
        self.logs.mkdir()
        self._file = folder / "ledger.db"
        self._database = sqlite3.connect(self._file, isolation_level=None)
        self._database.execute("PRAGMA synchronous = OFF")  # it need not survive a power cut
        self._database.executescript(f"BEGIN; {_TABLES} COMMIT")
        self.sql("INSERT INTO images VALUES ('i1', 'sha-1'), ('i2', 'sha-poison'), ('i3', 'sha-3')")
        self._job(PLAIN, "i1", "order-1", completed=2)
        self._job(POISONED, "i2", "order-2", failed=1)
        self._job(RETRIED, "i3", "order-3", completed=1)
        for position, (colorway, job) in enumerate(((A, PLAIN), (B, PLAIN), (D, RETRIED))):
            self._completed(colorway, job, position)
        self._row(C, POISONED, 0, "failed", rendition=None)
        self._write_history()
        self._write_testimony()

    def sql(self, statement: str, *values: object) -> None:
        """Change the database."""
        self._database.execute(statement, values)

    def close(self) -> None:
        """Close the database."""
        self._database.close()

    def moved(self, colorway: str, job: str, step: str, *, at: float = 0, **facts: Any) -> None:
        """Add to the history: `was → now`, or `now` for a birth; fence and epoch as (was, now)."""
        was, _, now = step.rpartition(" → ")
        epochs, fences = facts.pop("epoch", (0, 0)), facts.pop("fence", (1, 1))
        row = {"at": at, "job": job, "colorway": colorway, "status": now or None, "tries": 0}
        row |= {"epoch": epochs[1], "fence": fences[1], "nudge": 0}
        if was:
            row |= {"was_status": was, "was_epoch": epochs[0], "was_fence": fences[0]}
        self._record(row | facts)

    def counted(self, job: str, version: int, *, total: int, finished: int, **counts: int) -> None:
        """Add a write of the job's row to the history."""
        nothing = {"processing": 0, "completed": 0, "failed": 0, "cancelled": 0}
        facts = {"at": 0, "job": job, "version": version, "total": total, "finished": finished}
        if version > 1:
            facts["was_version"] = version - 1
        self._record(facts | nothing | counts)

    def deleted(self, job: str) -> None:
        """Add the end of a job's row to the history."""
        self._record({"at": 0, "job": job, "was_version": 5})

    def tell(self, job: str, version: int, asked: str = "poll", **colorways: str) -> dict[str, Any]:
        """Add an answer in which all fits together; a completed colorway has a picture."""
        statuses = list(colorways.values())
        ends = [each for each in statuses if each in ("completed", "failed", "cancelled")]
        counts = {name: statuses.count(name) for name in ("pending", "processing", "completed")}
        counts |= {name: statuses.count(name) for name in ("failed", "cancelled")}
        done = len(ends) == len(statuses)
        entry = {
            "event": "told",
            "asked": asked,
            "job": dashed(job),
            "version": version,
            "status": (ends[0] if done else "processing"),
            "done": done,
            "percent": 100 * len(ends) // len(statuses),
            "counts": counts | {"total": len(statuses)},
            "colorways": {
                key: [status, f"sha-of-{key}" if status == "completed" else None]
                for key, status in colorways.items()
            },
        }
        self.told.append(entry)
        return entry

    def reconciled(self, kind: str) -> None:
        """Add one repair to the dispatcher's log."""
        line = json.dumps({"message": "reconciled", "kind": kind, "count": 1})
        (self.logs / "dispatcher.log").write_text(f"{line}\n")

    def evidence(self) -> Evidence:
        """Read all of it as the auditor does."""
        for name, entries in (("told", self.told), ("acts", self.acts)):
            lines = [json.dumps({"t": 0} | entry) for entry in entries]
            (self.folder / f"{name}.jsonl").write_text("\n".join(lines))
        return gather(
            f"sqlite:///{self._file}",
            told=self.folder / "told.jsonl",
            acts=self.folder / "acts.jsonl",
            pictures=self.pictures,
            logs=self.logs,
        )

    def verdict(self, enough: Enough = NOTHING_NEEDED) -> Verdict:
        """Judge it."""
        return judge(self.evidence(), enough)

    def _job(
        self, job: str, image: str, order: str, *, completed: int = 0, failed: int = 0
    ) -> None:
        total, metadata = completed + failed, json.dumps({"order": order})
        self.sql(
            "INSERT INTO jobs VALUES (?, ?, ?, 0, ?, ?, 0, 9, 'then', ?)",
            *(job, image, total, completed, failed, metadata),
        )

    def _row(
        self, colorway: str, job: str, position: int, status: str, rendition: str | None
    ) -> None:
        self.sql(
            "INSERT INTO colorways VALUES (?, ?, ?, ?, ?, 0, 1, 1, ?, NULL)",
            *(colorway, job, colorway[0], position, status, rendition),
        )

    def _completed(self, colorway: str, job: str, position: int) -> None:
        body = f"the picture of {colorway}".encode()
        key = f"{colorway}/picture.png"
        (self.pictures / colorway).mkdir(parents=True)
        (self.pictures / key).write_bytes(body)
        (self.pictures / colorway / "picture.thumb.webp").write_bytes(b"RIFF....WEBP small")
        sha256 = hashlib.sha256(body).hexdigest()
        rendition = f"r{colorway}"
        self.sql("INSERT INTO renditions VALUES (?, ?, ?, ?)", rendition, key, sha256, len(body))
        self._row(colorway, job, position, "completed", f"r{colorway}")

    def _record(self, row: dict[str, Any]) -> None:
        columns, marks = ", ".join(row), ", ".join("?" * len(row))
        insert = f"INSERT INTO chaos_history ({columns}) VALUES ({marks})"  # noqa: S608
        self.sql(insert, *row.values())

    def _write_history(self) -> None:
        self.counted(PLAIN, 1, total=2, finished=0)
        self.moved(A, PLAIN, "pending", fence=(0, 0))
        self.moved(B, PLAIN, "pending", fence=(0, 0))
        for number, colorway in enumerate((A, B)):
            self.moved(colorway, PLAIN, "pending → processing", fence=(0, 1))
            self.counted(PLAIN, 2 + 2 * number, total=2, finished=0, processing=1, completed=number)
            self.moved(colorway, PLAIN, "processing → completed")
            self.counted(PLAIN, 3 + 2 * number, total=2, finished=number, completed=number + 1)
        self.counted(POISONED, 1, total=1, finished=0)
        self.moved(C, POISONED, "pending", fence=(0, 0))
        self.moved(C, POISONED, "pending → processing", fence=(0, 1))
        self.counted(POISONED, 2, total=1, finished=0, processing=1)
        self.moved(C, POISONED, "processing → failed", tries=1)
        self.counted(POISONED, 3, total=1, finished=1, failed=1)
        self.counted(RETRIED, 1, total=1, finished=0)
        self.moved(D, RETRIED, "pending", fence=(0, 0))
        self.moved(D, RETRIED, "pending → cancelled", fence=(0, 1))
        self.counted(RETRIED, 2, total=1, finished=1, cancelled=1)
        self.moved(D, RETRIED, "cancelled → pending", epoch=(0, 1), fence=(1, 2))
        self.counted(RETRIED, 3, total=1, finished=0)
        self.moved(D, RETRIED, "pending → processing", epoch=(1, 1), fence=(2, 3))
        self.counted(RETRIED, 4, total=1, finished=0, processing=1)
        self.moved(D, RETRIED, "processing → completed", epoch=(1, 1), fence=(3, 3))
        self.counted(RETRIED, 5, total=1, finished=1, completed=1)

    def _write_testimony(self) -> None:
        for number, palettes in ((1, 2), (2, 1), (3, 1)):
            sha256 = "sha-poison" if number == 2 else f"sha-{number}"
            order = {"order": f"order-{number}", "sha256": sha256, "palettes": palettes}
            self.told.append({"event": "orders", "poison": number == 2} | order)
        self.tell(PLAIN, 1, "submit", a="pending", b="pending")["order"] = "order-1"
        self.tell(PLAIN, 3, a="completed", b="pending")
        self.told.append({"event": "unchanged", "job": dashed(PLAIN), "version": 3})
        self.tell(PLAIN, 5, a="completed", b="completed")
        self.tell(PLAIN, 5, a="completed", b="completed")
        self.tell(POISONED, 1, "submit", c="pending")["order"] = "order-2"
        self.tell(POISONED, 3, c="failed")
        self.tell(RETRIED, 1, "submit", d="pending")["order"] = "order-3"
        self.tell(RETRIED, 2, "cancel", d="cancelled")
        self.tell(RETRIED, 2, d="cancelled")
        self.tell(RETRIED, 3, "retry", d="pending")
        self.tell(RETRIED, 5, d="completed")
        self.fetched("a", sha256="sha-of-a")
        self.fetched("a", sha256="another", thumbnail=True)

    def fetched(self, key: str, *, sha256: str, **facts: Any) -> None:
        """Add a picture of the first job that a client has fetched."""
        entry = {"event": "picture", "told": f"sha-of-{key}", "sha256": sha256}
        entry |= {"job": dashed(PLAIN), "key": key, "thumbnail": False, "bytes": 9}
        self.told.append(entry | facts)

    def refused(self, asked: str, http: int, code: str, **facts: Any) -> None:
        """Add an error that a client was answered."""
        entry = {"event": "refused", "asked": asked, "http": http, "code": code, "body": ""}
        entry |= {"job": dashed(PLAIN), "order": None, "type": "application/problem+json"}
        self.told.append(entry | facts)
