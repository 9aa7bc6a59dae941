"""Every kind of lie is found, and nothing is found where there is none."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from chaos.auditor.findings import (
    BROKEN,
    COUNTERS,
    FAILED,
    HEADINGS,
    LOST,
    OBJECTS,
    TWICE_ACCEPTED,
    TWICE_FINISHED,
    UNLAWFUL,
    UNTRUE,
)
from tests.chaos.honest_run import PLAIN, POISONED, RETRIED, A, B, C, D, HonestRun, dashed

Lie = Callable[[HonestRun], object]


def sql(statement: str, *values: object) -> Lie:
    return lambda run: run.sql(statement, *values)


def told(**facts: object) -> Lie:
    """Change what was told last of all."""
    return lambda run: _last_told(run).update(facts)


def _last_told(run: HonestRun) -> dict[str, Any]:
    return [entry for entry in run.told if entry["event"] == "told"][-1]


def _forget(path: str) -> Lie:
    return lambda run: (run.pictures / path).unlink()


def _overwrite(path: str, body: bytes) -> Lie:
    return lambda run: (run.pictures / path).write_bytes(body)


PICTURE = f"{A}/picture.png"
LIES: list[tuple[str, str, Lie]] = [
    (LOST, f"{A} is still pending", sql("UPDATE colorways SET status='pending' WHERE id=?", A)),
    (LOST, f"{PLAIN} never ended", sql("UPDATE jobs SET finished_at=NULL WHERE id=?", PLAIN)),
    (LOST, f"{RETRIED} has no colorways", sql("DELETE FROM colorways WHERE id=?", D)),
    (LOST, "order-3 was told 202", sql("DELETE FROM jobs WHERE id=?", RETRIED)),
    (LOST, "wanted 2 palettes, has 1", sql("DELETE FROM colorways WHERE id=?", B)),
    (LOST, "404", lambda run: run.refused("poll", 404, "not-found")),
    (
        LOST,
        "had no end for its client",
        lambda run: run.told.append({"event": "left open", "order": "order-9", "job": None}),
    ),
    (
        TWICE_ACCEPTED,
        "order-1 became jobs",
        sql("UPDATE jobs SET client_metadata=? WHERE id=?", '{"order": "order-1"}', RETRIED),
    ),
    (
        TWICE_ACCEPTED,
        "order-1 was told 2 jobs",
        lambda run: run.tell(RETRIED, 5, "submit", d="completed").update(order="order-1"),
    ),
    (
        TWICE_FINISHED,
        "completed → completed",
        lambda run: run.moved(A, PLAIN, "completed → completed", rendition="another"),
    ),
    (
        TWICE_FINISHED,
        "completed → failed",
        lambda run: run.moved(A, PLAIN, "completed → failed"),
    ),
    (
        TWICE_FINISHED,
        "completed 2 times in epoch 0",
        lambda run: (
            run.moved(A, PLAIN, "completed → processing", fence=(1, 2)),
            run.moved(A, PLAIN, "processing → completed", fence=(2, 2)),
        ),
    ),
    (
        UNLAWFUL,
        "completed → pending",
        lambda run: run.moved(A, PLAIN, "completed → pending", epoch=(0, 1), fence=(1, 2)),
    ),
    (
        UNLAWFUL,
        "failed → pending with the wrong numbers",
        lambda run: run.moved(C, POISONED, "failed → pending", fence=(1, 2)),
    ),
    (
        UNLAWFUL,
        "pending → processing with the wrong numbers",
        lambda run: (
            run.moved(C, POISONED, "failed → pending", epoch=(0, 1), fence=(1, 2)),
            run.moved(C, POISONED, "pending → processing", epoch=(1, 1), fence=(2, 2)),
        ),
    ),
    (
        UNLAWFUL,
        "processing → completed with the wrong numbers",
        lambda run: (
            run.moved(C, POISONED, "failed → pending", epoch=(0, 1), fence=(1, 2)),
            run.moved(C, POISONED, "pending → processing", epoch=(1, 1), fence=(2, 3)),
            run.moved(C, POISONED, "processing → completed", epoch=(1, 1), fence=(3, 4)),
        ),
    ),
    (
        UNLAWFUL,
        "processing → pending with the wrong numbers",
        lambda run: (
            run.moved(C, POISONED, "failed → pending", epoch=(0, 1), fence=(1, 2)),
            run.moved(C, POISONED, "pending → processing", epoch=(1, 1), fence=(2, 3)),
            run.moved(C, POISONED, "processing → pending", epoch=(1, 2), fence=(3, 3)),
        ),
    ),
    (
        UNLAWFUL,
        "was not seen",
        lambda run: run.moved(C, POISONED, "processing → failed", fence=(4, 4)),
    ),
    (UNLAWFUL, "began as processing", lambda run: run.moved("e" * 32, PLAIN, "processing")),
    (UNLAWFUL, f"colorway {A} was deleted", lambda run: run.moved(A, PLAIN, "completed → ")),
    (UNLAWFUL, f"job {PLAIN} was deleted", lambda run: run.deleted(PLAIN)),
    (
        UNLAWFUL,
        "version 4 after 5",
        lambda run: run.counted(PLAIN, 4, total=2, finished=1, completed=2),
    ),
    (
        UNLAWFUL,
        "is still version 3",
        lambda run: run.counted(POISONED, 3, total=1, finished=0),
    ),
    (COUNTERS, "3 completed, 2 rows", sql("UPDATE jobs SET completed=3 WHERE id=?", PLAIN)),
    (COUNTERS, "total 5, 2 rows", sql("UPDATE jobs SET total=5 WHERE id=?", PLAIN)),
    (
        COUNTERS,
        "version 6: 1 completed, 2 rows",
        lambda run: run.counted(PLAIN, 6, total=2, finished=0, completed=1),
    ),
    (
        COUNTERS,
        "and has no end",
        lambda run: run.counted(PLAIN, 6, total=2, finished=0, completed=2),
    ),
    (
        COUNTERS,
        "its rows moved last",
        lambda run: run.moved(C, POISONED, "failed → pending", epoch=(0, 1), fence=(1, 2)),
    ),
    (
        COUNTERS,
        "transaction 70 moved rows and no counters",
        lambda run: (
            run.moved(C, POISONED, "failed → pending", epoch=(0, 1), fence=(1, 2), tx=70),
            run.moved(C, POISONED, "pending → cancelled", epoch=(1, 1), fence=(2, 3), tx=71),
        ),
    ),
    (
        COUNTERS,
        "its rows moved last",
        lambda run: (
            run.counted("9" * 32, 1, total=1, finished=0, processing=1),
            run.moved("e" * 32, "9" * 32, "pending", fence=(0, 0)),
        ),
    ),
    (COUNTERS, "the reconciler repaired 1", lambda run: run.reconciled("wrong_counters")),
    (OBJECTS, "the reconciler repaired 1", lambda run: run.reconciled("lost_pictures")),
    (OBJECTS, "has no rendition", sql("UPDATE colorways SET rendition_id=NULL WHERE id=?", A)),
    (OBJECTS, "nothing is stored", _forget(PICTURE)),
    (OBJECTS, "bytes, not", _overwrite(PICTURE, b"short")),
    (OBJECTS, "other bytes", _overwrite(PICTURE, f"the picture of {B}".encode())),
    (OBJECTS, "has no thumbnail", _forget(f"{A}/picture.thumb.webp")),
    (OBJECTS, "is no WebP", _overwrite(f"{A}/picture.thumb.webp", b"RIFF")),
    (OBJECTS, "404", lambda run: run.refused("picture", 404, "not-found")),
    (UNTRUE, "do not sum", lambda run: _last_told(run)["counts"].update(pending=1)),
    (UNTRUE, "done is False", told(done=False)),
    (UNTRUE, "99 percent", told(percent=99)),
    (UNTRUE, "status partial", told(status="partial")),
    (UNTRUE, "its picture is None", told(colorways={"d": ["completed", None]})),
    (UNTRUE, "beside colorways", told(colorways={"d": ["failed", None]})),
    (UNTRUE, "version 2 after 5", lambda run: run.tell(RETRIED, 2, d="completed")),
    (UNTRUE, "two bodies of version 5", lambda run: run.tell(RETRIED, 5, d="failed")),
    (
        UNTRUE,
        "done, and then not, without a retry",
        lambda run: run.tell(POISONED, 4, c="pending"),
    ),
    (
        UNTRUE,
        "c was failed, and then completed, without a retry",
        lambda run: run.tell(POISONED, 4, c="completed"),
    ),
    (UNTRUE, "was completed, and then failed", lambda run: run.tell(RETRIED, 6, d="failed")),
    (
        UNTRUE,
        "was told completed, is failed",
        sql("UPDATE colorways SET status='failed' WHERE id=?", A),
    ),
    (
        UNTRUE,
        "304 for version 7",
        lambda run: run.told.append({"event": "unchanged", "job": dashed(PLAIN), "version": 7}),
    ),
    (UNTRUE, "other bytes than told", lambda run: run.fetched("b", sha256="another")),
    (
        UNTRUE,
        "with two pictures",
        lambda run: run.tell(PLAIN, 6, a="completed", b="completed")["colorways"].update(
            a=["completed", "another"]
        ),
    ),
    (
        UNTRUE,
        "the thumbnail of a is empty",
        lambda run: run.fetched("a", sha256="none", thumbnail=True, bytes=0),
    ),
    (UNTRUE, "sent another picture", sql("UPDATE images SET sha256='other' WHERE id='i1'")),
    (FAILED, C, sql("UPDATE images SET sha256='harmless' WHERE id='i2'")),
    (BROKEN, "500 internal", lambda run: run.refused("poll", 500, "internal")),
    (BROKEN, "'text/html'", lambda run: run.refused("poll", 503, "unavailable", type="text/html")),
    (BROKEN, "422", lambda run: run.refused("submit", 422, "idempotency-mismatch")),
]


@pytest.fixture
def run(tmp_path: Path) -> Iterator[HonestRun]:
    run = HonestRun(tmp_path)
    yield run
    run.close()


def test_nothing_is_found_where_everything_is_true(run: HonestRun) -> None:
    run.refused("poll", 503, "unavailable")
    run.refused("submit", 409, "idempotency-in-progress")
    run.reconciled("lost_tasks")

    verdict = run.verdict()

    assert [verdict.findings.under(heading) for heading in HEADINGS] == [[]] * len(HEADINGS)
    assert verdict.is_clean


@pytest.mark.parametrize(("heading", "says", "lie"), LIES, ids=[lie[1] for lie in LIES])
def test_a_lie_is_found(run: HonestRun, heading: str, says: str, lie: Lie) -> None:
    lie(run)

    verdict = run.verdict()

    assert any(says in sentence for sentence in verdict.findings.under(heading))
    assert not verdict.is_clean


def test_there_is_a_lie_of_every_kind() -> None:
    assert {heading for heading, _, _ in LIES} == set(HEADINGS)
