"""The document as a whole, and the route that shows it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from flask import Blueprint, Response, request
from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, models_json_schema

from dispatcher.api.bodies import (
    ColorwayBody,
    ColorwayPage,
    HealthBody,
    JobBody,
    JobPage,
    ReadyBody,
)
from dispatcher.api.documents import JobIn, JobPart, RetryIn
from dispatcher.api.estimates import EstimateBody
from dispatcher.api.image_bodies import ImageBody
from dispatcher.api.openapi import examples
from dispatcher.api.openapi.calls import SCHEMA, problem_examples
from dispatcher.api.openapi.colorway_paths import colorway_paths
from dispatcher.api.openapi.headers import OFTEN, Schema
from dispatcher.api.openapi.image_paths import image_paths
from dispatcher.api.openapi.job_paths import job_paths
from dispatcher.api.openapi.upkeep_paths import upkeep_paths
from dispatcher.api.problems import ProblemBody
from dispatcher.api.queue import QueueStatsBody
from dispatcher.api.upload_slots import SlotBody, SlotIn
from dispatcher.settings import Settings

_REQUESTS: tuple[type[BaseModel], ...] = (JobIn, JobPart, RetryIn, SlotIn)
_ANSWERS: tuple[type[BaseModel], ...] = (
    JobBody,
    JobPage,
    ColorwayPage,
    ColorwayBody,
    ImageBody,
    SlotBody,
    EstimateBody,
    QueueStatsBody,
    HealthBody,
    ReadyBody,
    ProblemBody,
)

_INTRODUCTION = Path(__file__).with_name("introduction.md")

_TAGS = {
    "Jobs": "One source image in several palettes: submit, follow, cancel, retry, delete.",
    "Colorways": "What became of each palette, and its picture.",
    "Images": "Sources that are uploaded once and used in many jobs.",
    "Service": "How the service does.",
}


def openapi_routes(version: str, settings: Settings) -> Blueprint:
    """Return the route that shows the document."""
    routes = Blueprint("openapi", __name__)
    document = json.dumps(openapi_document(version, settings), ensure_ascii=False).encode()

    @routes.get("/openapi.json")
    def show() -> Response:
        answer = Response(document, mimetype="application/json")
        answer.headers["Cache-Control"] = "public, no-cache"
        answer.add_etag()
        answer.make_conditional(request)
        return answer

    return routes


def openapi_document(version: str, settings: Settings) -> Schema:
    """Return the document as a JSON value."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Colorway",
            "version": version,
            "summary": "One base image, many palettes",
            "description": _introduction(settings),
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/", "description": "Where this document comes from"}],
        "tags": [{"name": name, "description": meaning} for name, meaning in _TAGS.items()],
        "security": [{"api_key": []}],
        "paths": {
            **_tagged("Jobs", job_paths()),
            **_tagged("Colorways", colorway_paths()),
            **_tagged("Images", image_paths()),
            **_tagged("Service", upkeep_paths()),
        },
        "components": {
            "schemas": _schemas(settings),
            "examples": problem_examples(),
            "headers": OFTEN,
            "securitySchemes": {
                "api_key": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "Your API key, which begins with `cw_`",
                }
            },
        },
    }


def _introduction(settings: Settings) -> str:
    return _INTRODUCTION.read_text().format(
        max_upload_mb=settings.max_upload_bytes // 1_000_000,
        max_megapixels=settings.max_pixels // 1_000_000,
        max_palettes=settings.max_palettes,
        keep_days=settings.keep_jobs_for.days,
        max_pending=settings.max_pending,
    )


def _tagged(tag: str, paths: Schema) -> Schema:
    return {
        path: {method: {"tags": [tag]} | said for method, said in calls.items()}
        for path, calls in paths.items()
    }


def _schemas(settings: Settings) -> Schema:
    wanted: list[Any] = [(model, "validation") for model in _REQUESTS]
    wanted += [(model, "serialization") for model in _ANSWERS]
    _, definitions = models_json_schema(
        wanted, ref_template=SCHEMA, schema_generator=_WithoutTitles
    )
    schemas: Schema = definitions["$defs"]
    for model, example in ((JobIn, examples.SUBMISSION), (JobPart, examples.JOB_PART)):
        schema = schemas[model.__name__]
        schema["examples"] = [example]  # /docs offers it to be edited, where a job is a part
        schema["properties"]["palettes"]["maxItems"] = settings.max_palettes
    schemas["SlotIn"]["properties"]["bytes"]["maximum"] = settings.max_upload_bytes
    return schemas


class _WithoutTitles(GenerateJsonSchema):
    """What pydantic makes, without each field's name a second time."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        """Whether a field of this schema gets a title of its own."""
        return False
