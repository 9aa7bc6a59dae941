"""All that a run has left behind: rows and their history, diaries, logs and pictures."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from chaos.auditor.books import Books, Row, open_books

FINAL = frozenset({"completed", "failed", "cancelled"})

_JOBS = """
SELECT id, image_id, total, processing, completed, failed, cancelled, version, finished_at,
       client_metadata
FROM jobs
"""
_COLORWAYS = """
SELECT id, job_id, key, position, status, epoch, fence, attempts, rendition_id, error FROM colorways
ORDER BY job_id, position
"""


@dataclass(frozen=True)
class Evidence:
    """What may be read, as plain rows; ids are hex digits."""

    jobs: list[Row]
    colorways: list[Row]
    images: list[Row]
    renditions: list[Row]
    history: list[Row]
    told: list[Row]
    acts: list[Row]
    pictures: Path
    logs: Path

    @cached_property
    def colorways_of(self) -> dict[str, list[Row]]:
        """Colorways by job."""
        by_job: dict[str, list[Row]] = defaultdict(list)
        for colorway in self.colorways:
            by_job[colorway["job_id"]].append(colorway)
        return by_job

    @cached_property
    def poison(self) -> frozenset[str]:
        """SHA-256 of the sources that were planted to kill their workers."""
        return frozenset(
            sha for act in self.acts if act["event"] == "begins" for sha in act["poison"]
        )

    @cached_property
    def source_of(self) -> dict[str, str]:
        """SHA-256 of the source, by job."""
        shas = {image["id"]: image["sha256"] for image in self.images}
        return {job["id"]: shas.get(job["image_id"], "none") for job in self.jobs}

    @cached_property
    def order_of(self) -> dict[str, str | None]:
        """What the client called its order, by job."""
        return {job["id"]: _document(job["client_metadata"]).get("order") for job in self.jobs}

    def statuses(self) -> Counter[str]:
        """How many colorways ended how."""
        return Counter(colorway["status"] for colorway in self.colorways)


def gather(database_url: str, *, told: Path, acts: Path, pictures: Path, logs: Path) -> Evidence:
    """Read everything; the services must not be running any more."""
    with open_books(database_url) as books:
        return Evidence(
            jobs=books.rows(_JOBS),
            colorways=books.rows(_COLORWAYS),
            images=books.rows("SELECT id, sha256 FROM images"),
            renditions=books.rows("SELECT id, key, sha256, bytes FROM renditions"),
            history=_history(books),
            told=_lines(told),
            acts=_lines(acts),
            pictures=pictures,
            logs=logs,
        )


def plain_id(text: str) -> str:
    """Return an id as the database's rows have it here."""
    return text.replace("-", "")


def _history(books: Books) -> list[Row]:
    rows = books.rows("SELECT * FROM chaos_history ORDER BY seq")
    for row in rows:
        row["at"] = float(row["at"])
    return rows


def _lines(file: Path) -> list[Row]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def _document(value: object) -> Row:
    """JSON comes parsed from Postgres and as text from SQLite."""
    if isinstance(value, str):
        value = json.loads(value)
    return value if isinstance(value, dict) else {}
