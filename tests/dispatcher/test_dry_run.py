"""`?dry_run=true`: what a submission would make, what it would take, and that nothing is made."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import event, update

from colorway.ledger.lease import finish
from colorway.ledger.renditions import StoredRendition, record_rendition
from colorway.ledger.tables import jobs
from tests.builders import TIMINGS
from tests.dispatcher.stage import (
    Stage,
    a_job_part,
    a_picture,
    a_png,
    flaws_of,
    many_palettes,
    multipart,
    on_stage,
    palettes,
)
from tests.dispatcher.test_other_accounts import everything
from tests.dispatcher.test_show_job import NOWHERE, claimed

DRY = "/v1/jobs?dry_run=true"
PICTURE = a_picture(size=(200, 100))
PIXELS = 200 * 100

Document = dict[str, Any]


def dry(stage: Stage, document: Document) -> Document:
    """Return the estimate of this job."""
    answer = stage.post(DRY, json=document)
    assert answer.status_code == 200, answer.text
    body: Document = answer.json
    return body


def dry_with(stage: Stage, picture: bytes, **options: Any) -> Document:
    """Return the estimate of a job that comes with its picture."""
    answer = stage.post(DRY, **multipart(("image", picture), ("job", a_job_part(**options))))
    assert answer.status_code == 200, answer.text
    body: Document = answer.json
    return body


def a_finished_job(
    stage: Stage, *names: str, seconds: float = 10, bytes: int = 4000, **options: Any
) -> Document:
    """Submit a job of PICTURE, and let it have taken so long and its pictures be so large."""
    document = {"image": {"id": stage.an_image(PICTURE)}, "palettes": some_palettes(*names)}
    body: Document = stage.post_json(document | options).json
    for index, row in enumerate(stage.rows(body["id"])):
        held = claimed(stage, body["id"], index)
        stored = StoredRendition(f"{row.id}.png", "", bytes, "png", width=200, height=100)
        with stage.ledger.transaction() as session:
            now = datetime.now(UTC)
            made = record_rendition(session, stage.account, row.fingerprint, stored, now=now)
            finish(session, held, made.id, TIMINGS, now=now)
    ended = datetime.fromisoformat(body["created_at"]) + timedelta(seconds=seconds)
    with stage.ledger.transaction() as session:
        session.execute(update(jobs).where(jobs.c.id == UUID(body["id"])).values(finished_at=ended))
    return body


def some_palettes(*names: str) -> list[Document]:
    """Return palettes whose names decide their colours."""
    return [
        {"name": name, "colors": ["#000000", f"#{name.encode().hex():0<6.6}"]}
        for name in names or ("nord",)
    ]


@contextmanager
def counted_statements(stage: Stage) -> Iterator[list[str]]:
    statements: list[str] = []

    def note(*details: Any) -> None:
        statements.append(details[2])

    engine = stage.machinery.ledger.engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        yield statements
    finally:
        event.remove(engine, "before_cursor_execute", note)


def test_a_dry_run_tells_what_the_job_would_be_and_makes_nothing(stage_on_each):
    stage = stage_on_each
    options = {
        "palettes": [
            {"name": "Früh & Spät", "colors": ["#ABC", "#fff"]},
            {"key": "ink", "name": "Ink", "colors": ["#000000", "#ffffff"]},
        ],
        "render": {"strength": 0.5},
        "output": {"format": "webp", "max_edge": 100},
        "priority": "high",
        "on_error": "stop",
        "reuse": "force",
        "metadata": {"campaign": "spring"},
    }
    before = everything(stage)

    estimate = dry_with(stage, PICTURE, **options)

    assert (everything(stage), stage.stored_keys()) == (before, [])
    job = stage.post_parts(("image", PICTURE), ("job", a_job_part(**options))).json
    assert estimate["object"] == "estimate"
    as_resolved = ("render", "output", "priority", "on_error", "reuse", "metadata")
    assert [estimate[name] for name in as_resolved] == [job[name] for name in as_resolved]
    assert estimate["image"] == job["image"] | {"id": None}
    told = ("key", "name", "colors", "index")
    assert [{name: it[name] for name in told} for it in estimate["colorways"]] == [
        {name: it[name] for name in told} for it in job["colorways"]
    ]
    assert estimate["counts"] == {"total": 2, "cached": 0, "to_render": 2}
    assert (estimate["seconds"], estimate["seconds_from_jobs"]) == (None, 0)
    assert (estimate["bytes"], estimate["bytes_from_jobs"]) == (None, 0)


def test_an_image_that_is_known_is_named_however_it_comes(stage):
    image = stage.an_image(PICTURE)

    by_id = dry(stage, {"image": {"id": image}, "palettes": palettes("nord")})
    by_bytes = dry_with(stage, PICTURE)

    known = stage.get(f"/v1/images/{image}").json
    del known["duplicates"]  # a job's image tells nothing of others
    assert by_id["image"] == by_bytes["image"] == known


def test_cached_are_the_palettes_of_which_there_is_an_equal_picture(stage_on_each):
    stage = stage_on_each
    a_finished_job(stage, "nord", "ink")
    [nord, rose] = some_palettes("nord", "rose")
    renamed = nord | {"name": "Another name"}

    estimate = dry_with(stage, PICTURE, palettes=[rose, renamed])

    assert [it["cached"] for it in estimate["colorways"]] == [False, True]
    assert (estimate["counts"]["total"], estimate["counts"]["cached"]) == (2, 1)


@pytest.mark.parametrize(
    "other",
    [
        {"render": {"strength": 0.5}},
        {"output": {"max_edge": 100}},
        {"reuse": "force"},
        {"palettes": [{"name": "nord", "colors": ["#000001", "#ffffff"]}]},
    ],
)
def test_not_cached_is_what_is_not_equal_or_must_be_made_anew(stage, other):
    a_finished_job(stage, "nord")
    wanted = {"palettes": some_palettes("nord")}

    assert dry_with(stage, PICTURE, **wanted)["counts"]["cached"] == 1
    assert dry_with(stage, PICTURE, **wanted | other)["counts"]["cached"] == 0
    assert dry_with(stage, a_png(), **wanted)["counts"]["cached"] == 0


@pytest.mark.parametrize("reuse", ["cache", "force"])
def test_it_counts_to_render_what_a_submission_then_renders(stage, reuse):
    a_finished_job(stage, "nord", "ink")
    wanted = {"palettes": some_palettes("nord", "ink", "rose"), "reuse": reuse}

    estimate = dry_with(stage, PICTURE, **wanted)
    job = stage.post_parts(("image", PICTURE), ("job", a_job_part(**wanted))).json

    assert estimate["counts"]["to_render"] == job["counts"]["pending"]


def test_seconds_and_bytes_are_told_from_the_accounts_own_jobs(stage_on_each):
    stage = stage_on_each
    for names, seconds in ((("nord", "ink"), 10), (("rose", "coal"), 30), (("sky", "sea"), 20)):
        a_finished_job(stage, *names, seconds=seconds, bytes=4000)

    same = dry_with(stage, PICTURE, palettes=some_palettes("mud", "moss"))
    more = dry_with(stage, PICTURE, palettes=some_palettes("mud", "moss", "fog", "dew"))
    small = dry_with(stage, PICTURE, palettes=some_palettes("mud"), output={"max_edge": 50})

    assert (same["seconds"], same["seconds_from_jobs"]) == (20, 3)
    assert (same["bytes"], same["bytes_from_jobs"]) == (8000, 3)
    assert (more["seconds"], more["bytes"]) == (40, 16000)
    assert small["bytes"] == 250


def test_a_picture_that_is_there_counts_with_its_own_bytes(stage):
    a_finished_job(stage, "nord", bytes=1000)
    a_finished_job(stage, "ink", "rose", bytes=3000)
    known, fresh = some_palettes("nord", "coal")

    estimate = dry_with(stage, PICTURE, palettes=[known, fresh])
    nothing_new = dry_with(stage, PICTURE, palettes=[known])

    assert estimate["bytes"] == 1000 + 2000
    assert (nothing_new["bytes"], nothing_new["bytes_from_jobs"]) == (1000, 0)


def test_nothing_of_another_account_shows_through(stage, tmp_path, idle_queue):
    with on_stage(stage.ledger, tmp_path, idle_queue.grpc_address) as stranger:
        foreign = a_finished_job(stranger, "nord")["image"]["id"]

    estimate = dry_with(stage, PICTURE, palettes=some_palettes("nord"))
    by_id = stage.post(DRY, json={"image": {"id": foreign}, "palettes": some_palettes("nord")})

    assert estimate["image"]["id"] is None
    assert estimate["counts"]["cached"] == 0
    assert (estimate["seconds"], estimate["bytes"]) == (None, None)
    assert (by_id.status_code, by_id.json["code"]) == (404, "not-found")


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"image": {"id": NOWHERE}, "palettes": palettes("nord")},
        {"image": {"id": NOWHERE}, "palettes": palettes("nord", "nord"), "pallettes": []},
        {"image": {"id": NOWHERE}, "palettes": [{"name": "a", "colors": ["#12", "#123"]}]},
    ],
)
def test_what_is_not_valid_is_told_as_by_a_submission(stage, document):
    dry_answer, answer = (stage.post(path, json=document) for path in (DRY, "/v1/jobs"))

    assert answer.status_code in {404, 422}
    assert dry_answer.json | {"request_id": ""} == answer.json | {"request_id": ""}


@pytest.mark.parametrize(
    ("options", "status"),
    [
        ({"data": b"x", "content_type": "text/plain"}, 415),
        ({"data": b"{", "content_type": "application/json"}, 400),
        (multipart(("image", b"no picture"), ("job", a_job_part())), 422),
        (multipart(("image", a_png())), 422),
    ],
)
def test_what_cannot_be_read_is_refused_as_by_a_submission(stage, options, status):
    answers = [stage.post(path, **options) for path in (DRY, "/v1/jobs")]

    assert [answer.status_code for answer in answers] == [status, status]
    assert answers[0].json["code"] == answers[1].json["code"]


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("dry_run=true", 200),
        ("dry_run=false", 202),
        ("", 202),
        ("dry_run=", 422),
        ("dry_run=1", 422),
        ("dry_run=True", 422),
        ("dry_run", 422),
        ("dry_run=true&dry_run=true", 422),
        ("dry_run=true&dry_run=false", 422),
    ],
)
def test_whether_it_is_dry_is_said_clearly_or_nothing_happens(stage, query, status):
    before = everything(stage)

    answer = stage.post(f"/v1/jobs?{query}", **multipart(("image", a_png()), ("job", a_job_part())))

    assert answer.status_code == status
    if status == 422:
        assert flaws_of(answer) == {"dry_run": "enum"}
    assert (everything(stage) == before) == (status != 202)


def test_a_misspelt_parameter_is_told_together_with_a_wrong_one(stage):
    answer = stage.post("/v1/jobs?dry_run=yes&dryrun=true", json={})

    assert flaws_of(answer) == {"dry_run": "enum", "dryrun": "unknown"}


def test_an_idempotency_key_is_looked_at_and_not_used_up(stage):
    once = {"Idempotency-Key": "once"}
    parts = multipart(("image", a_png()), ("job", a_job_part()))
    dry_parts = multipart(("image", a_png()), ("job", a_job_part(priority="low")))

    dry_answer = stage.post(DRY, headers=once, **dry_parts)
    answer = stage.post("/v1/jobs", headers=once, **parts)
    after = stage.post(DRY, headers=once, **dry_parts)
    wrong = stage.post(DRY, headers={"Idempotency-Key": "é"}, **parts)

    assert [dry_answer.status_code, answer.status_code, after.status_code] == [200, 202, 200]
    assert "Idempotency-Replayed" not in {**answer.headers, **after.headers}
    assert (wrong.status_code, wrong.json["code"]) == (400, "malformed")


def test_a_dry_run_takes_the_scope_of_a_submission(stage):
    document = {"image": {"id": stage.an_image()}, "palettes": palettes("nord")}

    asked = [
        stage.post(DRY, json=document, headers=stage.a_key(scope)).status_code
        for scope in ("submit", "read", "admin")
    ]

    assert asked == [200, 403, 403]


def test_five_hundred_palettes_take_as_many_statements_as_one(stage_on_each):
    stage = stage_on_each
    a_finished_job(stage, "nord")
    counts = []
    for number in (1, 500):
        part = json.dumps({"palettes": many_palettes(number)})
        with counted_statements(stage) as statements:
            answer = stage.post(DRY, **multipart(("image", PICTURE), ("job", part)))
        assert len(answer.json["colorways"]) == number
        counts.append(len(statements))

    assert counts[0] == counts[1]
