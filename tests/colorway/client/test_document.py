"""The client and the OpenAPI document tell of the same service."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import requests
from flask import Flask, request, request_started

from colorway.client import Client, bodies
from tests.colorway.service import rendered
from tests.dispatcher.stage import Stage, a_png, palettes

Json = dict[str, Any]

SCHEMAS = {
    bodies.JobImage: "JobImageBody",
    bodies.NearImage: "NearImageBody",
    bodies.Duplicates: "DuplicatesBody",
    bodies.Image: "ImageBody",
    bodies.Result: "ResultBody",
    bodies.Timings: "TimingsBody",
    bodies.ColorwayError: "ColorwayErrorBody",
    bodies.Colorway: "ColorwayBody",
    bodies.Page: "ColorwayPage",
    bodies.Counts: "CountsBody",
    bodies.Stats: "StatsBody",
    bodies.JobSummary: "JobSummary",
    bodies.Job: "JobBody",
    bodies.EstimatedCounts: "EstimatedCountsBody",
    bodies.EstimatedImage: "EstimatedImageBody",
    bodies.EstimatedColorway: "EstimatedColorwayBody",
    bodies.Estimate: "EstimateBody",
    bodies.Depth: "DepthBody",
    bodies.QueueStats: "QueueStatsBody",
    bodies.SlotUpload: "SlotUploadBody",
    bodies.Slot: "SlotBody",
    bodies.Flaw: "FlawBody",
    bodies.Problem: "ProblemBody",
}


@pytest.fixture
def document(url: str) -> Json:
    document: Json = requests.get(f"{url}/openapi.json", timeout=10).json()
    return document


def test_the_client_needs_nothing_that_is_not_promised(document: Json) -> None:
    for model, name in SCHEMAS.items():
        schema = document["components"]["schemas"][name]
        needed = {field for field, kind in model.model_fields.items() if kind.is_required()}
        assert set(model.model_fields) <= set(schema["properties"]), name
        assert needed <= set(schema["required"]), name


def test_there_is_a_method_for_every_call_of_the_document(
    client: Client, stage: Stage, document: Json, tmp_path: Path
) -> None:
    made: set[tuple[str, str]] = set()

    def note(app: Flask) -> None:
        assert request.url_rule is not None
        path = re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", request.url_rule.rule)
        made.add((path, request.method.lower()))

    with request_started.connected_to(note, stage.app):
        make_every_call(client, stage, tmp_path)

    said = {(path, method) for path, calls in document["paths"].items() for method in calls}
    assert {call for call in said if call[0].startswith("/v1/")} <= made


def make_every_call(client: Client, stage: Stage, folder: Path) -> None:
    picture = folder / "photo.png"
    picture.write_bytes(a_png(1))
    client.upload_by_slot(picture)
    image = client.image(client.upload(a_png()).id)
    client.estimate({"id": image.id}, palettes("nord"))
    job = client.submit({"id": image.id}, palettes("nord", "ink"))
    rendered(stage, job, "nord")
    client.cancel(job.id)
    client.retry(job.id)
    client.cancel(job.id)
    client.wait(job.id)
    client.colorway(job.id, "nord")
    assert len(list(client.jobs())) + len(list(client.colorways(job.id))) == 3
    client.fetch_image(job.id, "nord", folder / "nord.png")
    client.fetch_thumbnail(job.id, "nord", folder / "nord.webp")
    client.fetch_archive(job.id, folder / "all.zip")
    client.queue_stats()
    client.delete_job(job.id)
    client.delete_image(image.id)
