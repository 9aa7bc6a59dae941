"""The contract's codes, one test each, named after status and code."""

from __future__ import annotations

import re
import shutil
import struct
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

from sqlalchemy import update
from werkzeug.test import TestResponse

from colorway.job import JobRequest, PaletteOrder
from colorway.ledger.connection import Ledger
from colorway.ledger.idempotency import Reservation, request_sha256, reserve
from colorway.ledger.quotas import set_quotas
from colorway.ledger.tables import jobs
from colorway.palette import Palette
from dispatcher.api.problem_kinds import KINDS
from dispatcher.intake import SUBMIT
from local_tasks.server import LocalTasks
from tests.dispatcher.finished_jobs import finish_with
from tests.dispatcher.source_host import Names, remote_images
from tests.dispatcher.stage import Stage, a_job_part, a_png, multipart, on_stage, palettes
from tests.dispatcher.test_show_job import NOWHERE

WITHOUT_ROW = {
    "internal": "a bug, which no test can cause: test_problems.py breaks a route for it",
    "request-timeout": "a slow client, on a real socket: test_slow_clients.py",
}


def problem(answer: TestResponse) -> tuple[int, str]:
    """Return status and code, of what is a whole problem."""
    assert answer.content_type == "application/problem+json", answer.text
    assert answer.json["status"] == answer.status_code
    assert answer.json["type"].endswith(f"/problems/{answer.json['code']}")
    assert answer.json["title"]
    assert answer.json["detail"]
    assert answer.json["request_id"] == answer.headers["X-Request-Id"]
    return answer.status_code, answer.json["code"]


def once(stage: Stage, **options: object) -> TestResponse:
    body = multipart(("image", a_png()), ("job", a_job_part(**options)))
    return stage.post("/v1/jobs", headers={"Idempotency-Key": "once"}, **body)


def test_400_malformed(stage: Stage) -> None:
    assert problem(stage.post_bytes(b"{")) == (400, "malformed")


def test_401_unauthenticated(stage: Stage) -> None:
    assert problem(stage.client.get("/v1/jobs")) == (401, "unauthenticated")


def test_403_forbidden(stage: Stage) -> None:
    answer = stage.get("/v1/jobs", headers=stage.a_key("submit"))

    assert problem(answer) == (403, "forbidden")


def test_404_not_found(stage: Stage) -> None:
    assert problem(stage.get(f"/v1/jobs/{NOWHERE}")) == (404, "not-found")


def test_405_method(stage: Stage) -> None:
    answer = stage.client.put("/v1/jobs", headers=stage.headers)

    assert problem(answer) == (405, "method")
    assert "GET" in answer.headers["Allow"]


def test_410_expired(stage: Stage) -> None:
    job = stage.a_job("nord")["id"]
    finish_with(stage.ledger, stage.store, UUID(job), {"nord": b"picture"})
    with stage.ledger.transaction() as session:
        session.execute(update(jobs).values(expires_at=datetime.now(UTC)))

    assert problem(stage.get(f"/v1/jobs/{job}/colorways/nord/image")) == (410, "expired")


def test_409_idempotency_in_progress(stage: Stage) -> None:
    nord = PaletteOrder("nord", Palette("nord", ("#000000", "#ffffff")))
    wanted = JobRequest(UUID(stage.an_image()), (nord,))
    same = Reservation(stage.account, SUBMIT, "once", request_sha256(wanted, uploaded=None))
    with stage.ledger.transaction() as session:
        reserve(session, same, now=datetime.now(UTC))
    document = {"image": {"id": str(wanted.image_id)}, "palettes": palettes("nord")}

    answer = stage.post("/v1/jobs", headers={"Idempotency-Key": "once"}, json=document)

    assert problem(answer) == (409, "idempotency-in-progress")
    assert (answer.json["retryable"], answer.headers["Retry-After"]) == (True, "2")


def test_409_not_done(stage: Stage) -> None:
    job = stage.a_job("nord")["id"]

    answer = stage.client.delete(f"/v1/jobs/{job}", headers=stage.headers)

    assert problem(answer) == (409, "not-done")


def test_409_not_ready(stage: Stage) -> None:
    job = stage.a_job("nord")["id"]

    answer = stage.get(f"/v1/jobs/{job}/colorways/nord/image")

    assert problem(answer) == (409, "not-ready")
    assert (answer.json["retryable"], answer.headers["Retry-After"]) == (True, "2")


def test_409_nothing_to_retry(stage: Stage) -> None:
    job = stage.a_job("nord")["id"]

    assert problem(stage.post(f"/v1/jobs/{job}/retry")) == (409, "nothing-to-retry")


def test_409_in_use(stage: Stage) -> None:
    image = stage.a_job("nord")["image"]["id"]

    answer = stage.client.delete(f"/v1/images/{image}", headers=stage.headers)

    assert problem(answer) == (409, "in-use")


def test_409_slot_filled(stage: Stage) -> None:
    slot = stage.announce(a_png(1)).json
    stage.put(slot, a_png(1))

    assert problem(stage.put(slot, a_png(1))) == (409, "slot-filled")


def test_413_too_large(stage: Stage) -> None:
    answer = stage.post("/v1/images", data=b"x" * 50_000_001, content_type="image/png")

    assert problem(answer) == (413, "too-large")
    assert "50000000" in answer.json["detail"].replace(",", "")
    assert "slot" in answer.json["detail"]


def test_415_media_type(stage: Stage) -> None:
    answer = stage.post("/v1/jobs", data=b"x", content_type="text/plain")

    assert problem(answer) == (415, "media-type")


def test_422_validation(stage: Stage) -> None:
    answer = stage.post_json({"pallettes": []})

    assert problem(answer) == (422, "validation")
    assert {flaw["pointer"] for flaw in answer.json["errors"]} == {
        "#/image",
        "#/palettes",
        "#/pallettes",
    }


def test_422_idempotency_mismatch(stage: Stage) -> None:
    once(stage)

    assert problem(once(stage, priority="low")) == (422, "idempotency-mismatch")


def test_422_image_undecodable(stage: Stage) -> None:
    answer = stage.post("/v1/images", data=b"no picture", content_type="image/png")

    assert problem(answer) == (422, "image-undecodable")


def test_422_image_too_many_pixels(stage: Stage) -> None:
    png = a_png()
    picture = png[:16] + struct.pack(">II", 8_000, 5_001) + png[24:]  # in its header alone

    answer = stage.post("/v1/images", data=picture, content_type="image/png")

    assert problem(answer) == (422, "image-too-many-pixels")


def of_url(stage: Stage, url: str) -> TestResponse:
    return stage.post_json({"image": {"url": url}, "palettes": palettes("nord")})


def test_422_source_blocked(stage: Stage) -> None:
    assert problem(of_url(stage, "https://169.254.169.254/a.png")) == (422, "source-blocked")


def test_422_source_unreachable(
    sqlite_ledger: Ledger, tmp_path: Path, idle_queue: LocalTasks
) -> None:
    nowhere = remote_images(resolve=Names(host="known.example"))
    with on_stage(sqlite_ledger, tmp_path, idle_queue.grpc_address, remote_images=nowhere) as stage:
        answer = of_url(stage, "https://unknown.example/a.png")

    assert problem(answer) == (422, "source-unreachable")


def test_429_rate_limited(sqlite_ledger: Ledger, tmp_path: Path, idle_queue: LocalTasks) -> None:
    queue = idle_queue.grpc_address
    with on_stage(sqlite_ledger, tmp_path, queue, rate_limit="1 per hour") as stage:
        first, second = stage.get("/v1/jobs"), stage.get("/v1/jobs")

    assert first.headers["RateLimit"].startswith('"default";r=0;t=')
    assert problem(second) == (429, "rate-limited")
    assert (second.json["retryable"], int(second.headers["Retry-After"]) > 3000) == (True, True)


def test_429_quota_exceeded(stage: Stage) -> None:
    with stage.ledger.transaction() as session:
        set_quotas(session, stage.account, {"max_pending": 1})
    stage.a_job("nord")

    answer = stage.post_parts(("image", a_png()), ("job", a_job_part()))

    assert problem(answer) == (429, "quota-exceeded")
    assert answer.json["retryable"] is True


def test_503_unavailable(stage: Stage) -> None:
    shutil.rmtree(Path(stage.settings.image_store.removeprefix("file://")))  # the mount is gone

    answer = stage.post("/v1/images", data=a_png(), content_type="image/png")

    assert problem(answer) == (503, "unavailable")
    assert (answer.json["retryable"], answer.headers["Retry-After"]) == (True, "5")


def test_every_code_has_a_test_named_after_it() -> None:
    tested = {
        re.sub(r"^test_\d+_", "", name).replace("_", "-")
        for name in globals()
        if re.match(r"test_\d+_", name)
    }

    assert KINDS.keys() - WITHOUT_ROW.keys() <= tested
