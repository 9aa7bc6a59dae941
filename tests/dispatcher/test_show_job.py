"""What polls get: the job, and no more of it than they need."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import update

from colorway.ledger.lease import Claim, claim, fail, give_back
from colorway.ledger.tables import jobs
from colorway.render_task import RenderTask
from tests.builders import MINUTE, finish_it
from tests.dispatcher.stage import Stage, on_stage, palettes

NOWHERE = "01980000-0000-7000-8000-000000000000"
ERROR = {"code": "timed-out", "detail": "it took too long", "phase": "render", "attempt": 1}


def claimed(stage: Stage, job: str, index: int = 0) -> Claim:
    now = datetime.now(UTC)
    with stage.ledger.transaction() as session:
        held = claim(session, RenderTask(stage.rows(job)[index].id, 0), now=now, lease_for=MINUTE)
    assert isinstance(held, Claim)
    return held


def completed(stage: Stage, job: str, index: int = 0) -> None:
    held = claimed(stage, job, index)
    with stage.ledger.transaction() as session:
        finish_it(session, held, now=datetime.now(UTC))


def test_a_job_shows_how_far_it_is(stage_on_each):
    stage = stage_on_each
    job = stage.a_job("nord", "spring", "ink", "rose")["id"]
    completed(stage, job, 0)
    claimed(stage, job, 1)
    failing, waiting = claimed(stage, job, 2), claimed(stage, job, 3)
    with stage.ledger.transaction() as session:
        fail(session, failing, ERROR, now=datetime.now(UTC))
        give_back(session, waiting, ERROR, counts=True, now=datetime.now(UTC))

    body = stage.get(f"/v1/jobs/{job}").json

    assert body["counts"] == {
        "total": 4,
        "pending": 1,
        "processing": 1,
        "completed": 1,
        "failed": 1,
        "cancelled": 0,
    }
    assert (body["status"], body["done"], body["progress_percent"]) == ("processing", False, 50)
    assert body["eta_seconds"] is not None
    nord, spring, ink, rose = body["colorways"]
    assert nord["result"]["path"].endswith(".png")
    assert nord["timings_ms"]["render"] == 30
    assert (spring["status"], spring["result"], spring["error"]) == ("processing", None, None)
    assert (ink["status"], ink["error"]) == ("failed", ERROR)
    assert (rose["status"], rose["attempts"], rose["error"]) == ("pending", 1, ERROR)


def test_a_job_that_is_done_says_so_and_asks_for_no_more_polls(stage):
    job = stage.a_job("nord")["id"]
    completed(stage, job)

    answer = stage.get(f"/v1/jobs/{job}")

    assert (answer.json["status"], answer.json["done"]) == ("completed", True)
    assert answer.json["progress_percent"] == 100
    assert "Retry-After" not in answer.headers


def test_a_large_body_is_compressed_for_whoever_takes_it(stage):
    large, small = stage.a_job(*(f"palette {n}" for n in range(20)))["id"], "/health"

    squeezed = stage.get(f"/v1/jobs/{large}", headers={"Accept-Encoding": "br, gzip"})
    plain = stage.get(f"/v1/jobs/{large}")
    short = stage.get(small, headers={"Accept-Encoding": "gzip"})

    assert squeezed.headers["Content-Encoding"] == "gzip"
    assert squeezed.content_length < plain.content_length / 4
    assert json.loads(gzip.decompress(squeezed.data)) == plain.json
    assert squeezed.headers["ETag"] == plain.headers["ETag"]
    assert "Content-Encoding" not in {**plain.headers, **short.headers}
    assert {squeezed.headers["Vary"], plain.headers["Vary"]} == {"Accept-Encoding"}


def test_an_unchanged_job_is_not_sent_again(stage):
    job = stage.a_job("nord")["id"]
    first = stage.get(f"/v1/jobs/{job}")
    known = {"If-None-Match": first.headers["ETag"]}

    same = stage.get(f"/v1/jobs/{job}", headers=known)
    claimed(stage, job)
    changed = stage.get(f"/v1/jobs/{job}", headers=known)

    assert (same.status_code, same.data) == (304, b"")
    assert same.headers["ETag"] == first.headers["ETag"]
    assert changed.status_code == 200
    assert changed.json["version"] > first.json["version"]


def test_an_etag_opens_no_other_accounts_job(stage, tmp_path, idle_queue):
    with on_stage(stage.ledger, tmp_path, idle_queue.grpc_address) as stranger:
        job = stranger.a_job("nord")

    answer = stage.get(f"/v1/jobs/{job['id']}", headers={"If-None-Match": 'W/"1"'})

    assert answer.status_code == 404


@pytest.mark.parametrize(
    ("age", "seconds"),
    [(timedelta(0), "2"), (timedelta(minutes=2), "5"), (timedelta(minutes=11), "10")],
)
def test_the_older_the_job_the_rarer_the_polls(stage, age, seconds):
    job = stage.a_job("nord")["id"]
    with stage.ledger.transaction() as session:
        session.execute(
            update(jobs).where(jobs.c.id == UUID(job)).values(created_at=datetime.now(UTC) - age)
        )

    assert stage.get(f"/v1/jobs/{job}").headers["Retry-After"] == seconds


@pytest.mark.parametrize("rest", ["", "/colorways", "/colorways/nord", "/colorways/nord/image"])
def test_another_accounts_job_is_not_found(stage, tmp_path, idle_queue, rest):
    with on_stage(stage.ledger, tmp_path, idle_queue.grpc_address) as stranger:
        job = stranger.a_job("nord")["id"]

    answer = stage.get(f"/v1/jobs/{job}{rest}")

    assert (answer.status_code, answer.json["code"]) == (404, "not-found")


def test_reading_takes_the_read_scope_and_submitting_the_other(stage):
    job = stage.a_job("nord")["id"]
    document = {"image": {"id": stage.an_image()}, "palettes": palettes("nord")}
    reader, submitter = stage.a_key("read"), stage.a_key("submit")

    assert stage.get(f"/v1/jobs/{job}", headers=reader).status_code == 200
    assert stage.post("/v1/jobs", json=document, headers=submitter).status_code == 202
    for refused in (
        stage.post("/v1/jobs", json=document, headers=reader),
        stage.get(f"/v1/jobs/{job}", headers=submitter),
    ):
        assert (refused.status_code, refused.json["code"]) == (403, "forbidden")


def test_who_has_no_valid_key_is_nobody(stage):
    path = stage.a_job("nord")["links"]["self"]
    over = stage.a_key("read", expires_at=datetime.now(UTC) - MINUTE)["Authorization"]

    for authorization in ("", "Bearer", "Bearer ", "Bearer cw_wrong", "Basic eDp5", over, "ä"):
        answer = stage.client.get(path, headers={"Authorization": authorization})

        assert (answer.status_code, answer.json["code"]) == (401, "unauthenticated")
        assert answer.headers["WWW-Authenticate"] == "Bearer"
