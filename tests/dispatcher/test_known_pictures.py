"""A job of palettes that the account has equal pictures of."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import update

from colorway.ledger.quotas import set_quotas
from colorway.ledger.tables import jobs
from tests.builders import a_claim, tasks_of
from tests.dispatcher.finished_jobs import finish_with
from tests.dispatcher.stage import Stage, a_job_part, a_png

PICTURES = {"nord": b"nord's picture", "ink": b"ink's picture"}
COLORS = {"nord": "#2e3440", "ink": "#101820", "rose": "#b56576", "sky": "#88c0d0"}


def palettes_of(*names: str) -> list[dict[str, Any]]:
    return [{"name": name, "colors": [COLORS[name], "#ffffff"]} for name in names]


def a_job(stage: Stage, *names: str) -> dict[str, Any]:
    return stage.a_job(palettes=palettes_of(*names))


def finished(stage: Stage) -> str:
    job = a_job(stage, "nord", "ink")["id"]
    finish_with(stage.ledger, stage.store, UUID(job), PICTURES)
    return str(job)


def metrics_of(stage: Stage) -> str:
    return stage.get("/metrics").text


def test_it_is_done_when_it_is_answered(stage_on_each):
    finished(stage_on_each)
    waiting = len(stage_on_each.undelivered())

    job = a_job(stage_on_each, "ink", "nord")

    assert (job["status"], job["done"], job["progress_percent"]) == ("completed", True, 100)
    assert job["counts"]["completed"] == 2
    assert (job["stats"]["cached"], job["stats"]["attempts"]) == (2, 0)
    assert (job["started_at"], job["finished_at"]) == (None, job["created_at"])
    for colorway in job["colorways"]:
        assert (colorway["status"], colorway["cached"]) == ("completed", True)
        assert (colorway["attempts"], colorway["timings_ms"]) == (0, None)
        answer = stage_on_each.follow(stage_on_each.get(colorway["image_url"]))
        assert answer.data == PICTURES[colorway["key"]]
    assert len(stage_on_each.undelivered()) == waiting
    metrics = metrics_of(stage_on_each)
    assert "reuse_hits_total 2.0" in metrics
    assert 'jobs_total{status="completed"} 1.0' in metrics
    assert 'colorways_total{status="completed"} 2.0' in metrics


def test_the_picture_that_comes_along_is_known_by_its_bytes(stage):
    finished(stage)

    answer = stage.post_parts(("image", a_png()), ("job", a_job_part(palettes=palettes_of("nord"))))

    assert (answer.status_code, answer.json["status"]) == (202, "completed")


def test_what_costs_nothing_needs_no_room(stage):
    finished(stage)
    with stage.ledger.transaction() as session:
        set_quotas(session, stage.account, {"max_pending": 0})

    job = a_job(stage, "nord", "ink")

    assert job["status"] == "completed"


def test_the_time_left_is_that_of_what_must_be_rendered(stage):
    finished(stage)
    job = a_job(stage, "nord", "ink", "rose", "sky")["id"]
    started = datetime.now(UTC) - timedelta(seconds=100)
    with stage.ledger.transaction() as session:
        a_claim(session, tasks_of(session, UUID(job))[2])
        session.execute(update(jobs).where(jobs.c.id == UUID(job)).values(started_at=started))
    before = stage.get(f"/v1/jobs/{job}").json
    with stage.ledger.transaction() as session:  # as if "rose" were finished
        session.execute(
            update(jobs).where(jobs.c.id == UUID(job)).values(processing=0, completed=3)
        )

    after = stage.get(f"/v1/jobs/{job}").json

    assert (before["progress_percent"], before["eta_seconds"]) == (50, None)
    assert (after["progress_percent"], after["eta_seconds"]) == (75, 100)


def test_pictures_go_with_the_last_job_that_shows_them(stage_on_each):
    first = finished(stage_on_each)
    again = a_job(stage_on_each, "nord", "ink")
    pictures = {colorway["result"]["path"] for colorway in again["colorways"]}

    stage_on_each.client.delete(f"/v1/jobs/{first}", headers=stage_on_each.headers)

    assert pictures <= set(stage_on_each.stored_keys())
    path = again["links"]["self"]
    assert stage_on_each.client.delete(path, headers=stage_on_each.headers).status_code == 204
    assert not pictures & set(stage_on_each.stored_keys())
