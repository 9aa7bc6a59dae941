"""The document as a whole, and the route that shows it."""

from __future__ import annotations

from flask import Blueprint, Response, jsonify
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from dispatcher.api.bodies import ColorwayBody, ColorwayPage, ImageBody, JobBody, JobPage
from dispatcher.api.estimates import EstimateBody
from dispatcher.api.job_requests import JobIn, RetryIn
from dispatcher.api.openapi.calls import RATE_LIMIT_HEADERS, SCHEMA, Schema
from dispatcher.api.openapi.colorway_paths import colorway_paths
from dispatcher.api.openapi.image_paths import image_paths
from dispatcher.api.openapi.job_paths import job_paths
from dispatcher.api.openapi.upkeep_paths import upkeep_paths
from dispatcher.api.problems import ProblemBody
from dispatcher.api.queue import QueueStatsBody
from dispatcher.api.upload_slots import SlotBody, SlotIn

_REQUESTS: tuple[type[BaseModel], ...] = (JobIn, RetryIn, SlotIn)
_ANSWERS: tuple[type[BaseModel], ...] = (
    JobBody,
    JobPage,
    ColorwayPage,
    ColorwayBody,
    ImageBody,
    EstimateBody,
    QueueStatsBody,
    SlotBody,
    ProblemBody,
)


def openapi_routes(version: str) -> Blueprint:
    """Return the route that shows the document."""
    routes = Blueprint("openapi", __name__)
    document = openapi_document(version)

    @routes.get("/openapi.json")
    def show() -> Response:
        return jsonify(document)

    return routes


def openapi_document(version: str) -> Schema:
    """Return the document as a JSON value."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Colorway",
            "version": version,
            "description": "One base image, many palettes.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "security": [{"api_key": []}],
        "paths": job_paths() | colorway_paths() | image_paths() | upkeep_paths(),
        "components": {
            "headers": RATE_LIMIT_HEADERS,
            "schemas": _schemas(),
            "securitySchemes": {"api_key": {"type": "http", "scheme": "bearer"}},
        },
    }


def _schemas() -> Schema:
    wanted = [(model, "validation") for model in _REQUESTS]
    wanted += [(model, "serialization") for model in _ANSWERS]
    _, definitions = models_json_schema(wanted, ref_template=SCHEMA)  # type: ignore[arg-type]
    schemas: Schema = definitions["$defs"]
    return schemas
