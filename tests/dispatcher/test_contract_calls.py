"""The contract's calls, one test each, named after method and path; the details have tests beside.

The worker's own call is in the last of them; all that is served is documented, and so has its test.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from uuid import UUID

import pytest
from werkzeug.test import TestResponse

from colorway.ledger.lease import fail
from tests.builders import BROKEN, NOON
from tests.dispatcher.finished_jobs import finish_with
from tests.dispatcher.stage import Stage, a_job_part, a_png, palettes
from tests.dispatcher.test_show_job import claimed, completed

PICTURE = b"a picture that nobody looks into"


def delete(stage: Stage, path: str) -> TestResponse:
    return stage.client.delete(path, headers=stage.headers)


def a_finished_job(stage: Stage, *names: str) -> str:
    job: str = stage.a_job(*names)["id"]
    finish_with(stage.ledger, stage.store, UUID(job), dict.fromkeys(names, PICTURE))
    return job


def test_post_v1_jobs(stage: Stage) -> None:
    as_parts = stage.post_parts(("image", a_png()), ("job", a_job_part()))
    as_json = stage.post_json({"image": {"id": stage.an_image()}, "palettes": palettes("nord")})

    for answer in (as_parts, as_json):
        assert answer.status_code == 202
        assert answer.headers["Location"] == f"/v1/jobs/{answer.json['id']}"
        assert answer.headers["ETag"] == 'W/"1"'
        assert answer.headers["Retry-After"] == "2"


def test_post_v1_jobs_dry_run(stage: Stage) -> None:
    wanted = {"image": {"id": stage.an_image()}, "palettes": palettes("nord")}

    answer = stage.post("/v1/jobs?dry_run=true", json=wanted)

    assert (answer.status_code, answer.json["counts"]["total"]) == (200, 1)
    assert stage.get("/v1/jobs").json["data"] == []


def test_get_v1_jobs(stage: Stage) -> None:
    older, newer = stage.a_job("nord")["id"], stage.a_job("ink")["id"]
    completed(stage, older)

    everything = stage.get("/v1/jobs").json
    first = stage.get("/v1/jobs?limit=1").json
    second = stage.get(first["next"]).json
    done = stage.get("/v1/jobs?status=completed&created_after=2020-01-01T00:00:00Z").json
    none = stage.get("/v1/jobs?created_before=2020-01-01T00:00:00Z").json

    assert [job["id"] for job in everything["data"]] == [newer, older]
    assert [job["id"] for job in first["data"] + second["data"]] == [newer, older]
    assert [job["id"] for job in done["data"]] == [older]
    assert none["data"] == []


def test_get_v1_jobs_job(stage: Stage) -> None:
    job = stage.a_job("nord")
    path = f"/v1/jobs/{job['id']}"

    shown = stage.get(path)
    unchanged = stage.get(path, headers={"If-None-Match": shown.headers["ETag"]})
    completed(stage, job["id"])
    moved_on = stage.get(
        path, headers={"If-None-Match": shown.headers["ETag"], "Prefer": "wait=20"}
    )

    assert (shown.status_code, unchanged.status_code) == (200, 304)
    assert (moved_on.status_code, moved_on.json["done"]) == (200, True)


def test_delete_v1_jobs_job(stage: Stage) -> None:
    under_way, done = stage.a_job("nord")["id"], a_finished_job(stage, "ink")

    refused, gone = delete(stage, f"/v1/jobs/{under_way}"), delete(stage, f"/v1/jobs/{done}")

    assert (refused.status_code, refused.json["code"]) == (409, "not-done")
    assert (gone.status_code, gone.data) == (204, b"")
    assert stage.get(f"/v1/jobs/{done}").status_code == 404


def test_post_v1_jobs_job_cancel(stage: Stage) -> None:
    job = stage.a_job("nord", "ink")["id"]
    claimed(stage, job)

    cancelled = stage.post(f"/v1/jobs/{job}/cancel")
    again = stage.post(f"/v1/jobs/{job}/cancel")

    assert (cancelled.status_code, cancelled.json["status"]) == (200, "cancelled")
    assert cancelled.json["counts"]["cancelled"] == 2
    assert again.json["version"] == cancelled.json["version"]


def test_post_v1_jobs_job_retry(stage: Stage) -> None:
    job = stage.a_job("nord", "ink")["id"]
    stage.post(f"/v1/jobs/{job}/cancel")

    named = stage.post(f"/v1/jobs/{job}/retry", json={"keys": ["nord"]})
    all_of_them = stage.post(f"/v1/jobs/{job}/retry", json={})

    assert (named.status_code, named.json["counts"]["pending"]) == (202, 1)
    assert (all_of_them.status_code, all_of_them.json["counts"]["pending"]) == (202, 2)


def test_get_v1_jobs_job_colorways(stage: Stage) -> None:
    job = stage.a_job("nord", "ink", "rose")["id"]
    completed(stage, job, 2)

    first = stage.get(f"/v1/jobs/{job}/colorways?limit=2").json
    second = stage.get(first["next"]).json
    done = stage.get(f"/v1/jobs/{job}/colorways?status=completed").json

    assert [each["key"] for each in first["data"] + second["data"]] == ["nord", "ink", "rose"]
    assert [each["key"] for each in done["data"]] == ["rose"]


def test_get_v1_jobs_job_colorways_key(stage: Stage) -> None:
    job = stage.a_job("nord", "ink")

    answer = stage.get(f"/v1/jobs/{job['id']}/colorways/ink")

    assert (answer.status_code, answer.json) == (200, job["colorways"][1])


def test_get_v1_jobs_job_colorways_key_image(stage: Stage) -> None:
    job = a_finished_job(stage, "nord")

    answer = stage.get(f"/v1/jobs/{job}/colorways/nord/image")

    assert answer.status_code == 307
    assert stage.follow(answer).data == PICTURE


def test_get_v1_jobs_job_archive(stage: Stage) -> None:
    job = a_finished_job(stage, "nord", "ink")

    answer = stage.get(f"/v1/jobs/{job}/archive")

    archive = zipfile.ZipFile(io.BytesIO(answer.data))
    assert archive.namelist() == ["nord.png", "ink.png", "manifest.json"]
    assert archive.read("ink.png") == PICTURE
    assert json.loads(archive.read("manifest.json"))["job"] == job


def test_post_v1_images(stage: Stage) -> None:
    new = stage.post("/v1/images", data=a_png(), content_type="image/png")
    known = stage.post("/v1/images", data=a_png(), content_type="image/png")
    slot = stage.announce(a_png(1))

    assert (new.status_code, known.status_code) == (201, 200)
    assert new.json["id"] == known.json["id"]
    assert (slot.status_code, slot.json["upload"]["method"]) == (201, "PUT")


def test_get_v1_images_image(stage: Stage) -> None:
    image = stage.an_image(a_png())

    answer = stage.get(f"/v1/images/{image}")

    assert answer.status_code == 200
    assert answer.json["sha256"] == hashlib.sha256(a_png()).hexdigest()


def test_delete_v1_images_image(stage: Stage) -> None:
    used, unused = stage.a_job("nord")["image"]["id"], stage.an_image(a_png(1))

    refused, gone = delete(stage, f"/v1/images/{used}"), delete(stage, f"/v1/images/{unused}")

    assert (refused.status_code, refused.json["code"]) == (409, "in-use")
    assert gone.status_code == 204
    assert stage.get(f"/v1/images/{unused}").status_code == 404


def test_post_v1_images_slot_confirm(stage: Stage) -> None:
    slot = stage.a_slot(a_png(1))

    confirmed = stage.confirm(slot)

    assert (confirmed.status_code, confirmed.json["id"]) == (200, slot)
    assert confirmed.json["bytes"] == len(a_png(1))


def test_get_v1_queue_stats(stage: Stage) -> None:
    stage.a_job("nord", "ink")

    answer = stage.get("/v1/queue/stats")
    refused = stage.get("/v1/queue/stats", headers=stage.a_key("submit", "read"))

    assert (answer.status_code, answer.json["depth"]["normal"]) == (200, 2)
    assert refused.status_code == 403


@pytest.mark.parametrize("path", ["/health", "/ready", "/openapi.json", "/docs"])
def test_get_health_ready_openapi_json_docs(stage: Stage, path: str) -> None:
    assert stage.client.get(path).status_code == 200


def test_get_metrics(stage: Stage) -> None:
    assert stage.get("/metrics").status_code == 200
    assert stage.client.get("/metrics").status_code == 401
    assert stage.get("/metrics", headers=stage.a_key("submit", "read")).status_code == 403


@pytest.mark.parametrize("path", ["/internal/deliver", "/internal/reconcile", "/internal/cleanup"])
def test_post_internal_deliver_reconcile_cleanup(stage: Stage, path: str) -> None:
    """Their work is tested with the tokens they take; an API key, even an admin's, opens none."""
    assert stage.post(path, json={}).status_code in {401, 403}


def test_a_job_that_failed_in_part_is_partial(stage: Stage) -> None:
    job = stage.a_job("nord", "ink")["id"]
    completed(stage, job, 0)
    held = claimed(stage, job, 1)
    with stage.ledger.transaction() as session:
        fail(session, held, BROKEN, now=NOON)

    assert stage.get(f"/v1/jobs/{job}").json["status"] == "partial"


def test_every_documented_call_has_a_test_named_after_it(stage: Stage) -> None:
    paths = stage.client.get("/openapi.json").json["paths"]
    calls = {
        "_".join([method, *path.replace("{", "").replace("}", "").strip("/").split("/")])
        for path, methods in paths.items()
        for method in methods
        if path.startswith("/v1/")
    }

    tests = {name.removeprefix("test_") for name in globals() if name.startswith("test_")}

    assert {call.replace("image_confirm", "slot_confirm") for call in calls} <= tests
