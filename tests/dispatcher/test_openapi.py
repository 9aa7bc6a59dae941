"""The OpenAPI document is valid, complete, and says what the answers really are."""

from __future__ import annotations

import re
from typing import Any

import pytest
from jsonschema import Draft202012Validator, FormatChecker
from openapi_spec_validator import validate

from colorway.ledger.lease import fail
from colorway.ledger.quotas import set_quotas
from tests.builders import NOON
from tests.dispatcher.stage import Stage, a_job_part, a_png, many_palettes, multipart, palettes
from tests.dispatcher.test_archive_api import finished
from tests.dispatcher.test_show_job import ERROR, NOWHERE, claimed, completed

Document = dict[str, Any]
WITHOUT_DOCUMENT = {
    "/internal/deliver",  # the queue's and the scheduler's, not a client's
    "/internal/reconcile",
    "/internal/cleanup",
    "/files/{key}",  # where links lead: nobody makes one up
    "/docs",  # pages for people
    "/docs/files/{digest}/{name}",
    "/problems",
    "/problems/{code}",
}


@pytest.fixture
def document(stage: Stage) -> Document:
    body: Document = stage.client.get("/openapi.json").json
    return body


def validator(document: Document, schema: dict[str, Any]) -> Draft202012Validator:
    whole = schema | {"components": document["components"]}
    return Draft202012Validator(whole, format_checker=FormatChecker())


def resolved(document: Document, node: dict[str, Any]) -> dict[str, Any]:
    """Return what a reference within the document leads to, or the node where it is none."""
    while "$ref" in node:
        found: Any = document
        for step in node["$ref"].removeprefix("#/").split("/"):
            found = found[step]
        node = found
    return node


def errors_of(document: Document, path: str, method: str, answer: Any) -> list[str]:
    """Return in what this answer differs from what the document says of it."""
    said = document["paths"][path][method]["responses"][str(answer.status_code)]
    errors = [
        f"{name} is missing"
        for name, header in said["headers"].items()
        if resolved(document, header)["required"] and name not in answer.headers
    ]
    if "content" not in said:
        return errors + (["there is a body"] if answer.data else [])
    content = said["content"][answer.mimetype]
    body = answer.json if answer.is_json else answer.data.decode("latin-1")
    if answer.status_code >= 400 and body["code"] not in content["examples"]:
        errors.append(f"{body['code']} is not among the problems")
    found = validator(document, content["schema"]).iter_errors(body)
    return errors + [error.message for error in found]


def submitted_once(stage: Stage, **options: Any) -> Any:
    """Return the answer to a submission under a key, the same key every time."""
    parts = multipart(("image", a_png(2)), ("job", a_job_part(**options)))
    return stage.post("/v1/jobs", headers={"Idempotency-Key": "once"}, **parts)


def dry_run(stage: Stage, how: str = "true") -> Any:
    parts = multipart(("image", a_png(4)), ("job", a_job_part()))
    return stage.post(f"/v1/jobs?dry_run={how}", **parts)


def deleted(stage: Stage, path: str) -> Any:
    return stage.client.delete(path, headers=stage.headers)


def test_the_document_is_valid_openapi_3_1(document):
    validate(document)

    assert document["openapi"] == "3.1.0"


def test_its_paths_are_those_of_the_app(stage, document):
    routes = {
        (re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule), method.lower())
        for rule in stage.app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    said = {(path, method) for path, calls in document["paths"].items() for method in calls}

    assert {route for route in routes if route[0] not in WITHOUT_DOCUMENT} == said


def test_real_answers_are_as_it_says(stage, document):
    image = stage.post("/v1/images", data=a_png(), content_type="image/png")
    job = stage.post_json(
        {"image": {"id": image.json["id"]}, "palettes": many_palettes(101), "metadata": {"a": "b"}}
    )
    path, id = "/v1/jobs/{job}", job.json["id"]
    completed(stage, id, 0)
    held = claimed(stage, id, 1)
    with stage.ledger.transaction() as session:
        fail(session, held, ERROR, now=NOON)
    unused = stage.post("/v1/images", data=a_png(3), content_type="image/png").json["id"]

    real = [
        ("/v1/images", "post", image),
        ("/v1/images", "post", stage.post("/v1/images", data=a_png(), content_type="image/png")),
        ("/v1/images/{image}", "get", stage.get(f"/v1/images/{image.json['id']}")),
        ("/v1/jobs", "post", job),
        ("/v1/jobs", "post", submitted_once(stage)),
        ("/v1/jobs", "post", submitted_once(stage)),
        ("/v1/jobs", "post", dry_run(stage)),
        ("/v1/jobs", "get", stage.get("/v1/jobs?limit=1")),
        (path, "get", stage.get(f"/v1/jobs/{id}")),
        (path, "get", stage.get(f"/v1/jobs/{id}", headers={"If-None-Match": "*"})),
        (f"{path}/retry", "post", stage.post(f"/v1/jobs/{id}/retry")),
        (f"{path}/colorways", "get", stage.get(f"/v1/jobs/{id}/colorways?limit=2")),
        (f"{path}/colorways/{{key}}", "get", stage.get(f"/v1/jobs/{id}/colorways/palette-0")),
        (f"{path}/archive", "get", stage.get(finished(stage)["links"]["archive"])),
        (f"{path}/cancel", "post", stage.post(f"/v1/jobs/{id}/cancel")),
        (path, "delete", deleted(stage, f"/v1/jobs/{id}")),
        ("/v1/images/{image}", "delete", deleted(stage, f"/v1/images/{unused}")),
        ("/v1/queue/stats", "get", stage.get("/v1/queue/stats")),
        ("/health", "get", stage.get("/health")),
        ("/ready", "get", stage.get("/ready")),
        ("/metrics", "get", stage.get("/metrics")),
        ("/openapi.json", "get", stage.get("/openapi.json")),
    ]

    assert [errors_of(document, *each) for each in real] == [[]] * len(real)


def test_real_problems_are_as_it_says(stage, document):
    job = stage.a_job("nord")["id"]
    path = "/v1/jobs/{job}/colorways"
    retry, id = "/v1/jobs/{job}/retry", f"/v1/jobs/{job}/retry"
    submitted_once(stage)
    source = f"/v1/images/{stage.an_image()}"
    real = [
        ("/v1/jobs", "post", stage.post_bytes(b"{")),
        ("/v1/jobs", "post", stage.client.post("/v1/jobs")),
        ("/v1/jobs", "post", stage.post("/v1/jobs", headers=stage.a_key("read"))),
        ("/v1/jobs", "post", stage.post("/v1/jobs", data=b"x", content_type="text/plain")),
        ("/v1/jobs", "post", stage.post_bytes(b"x" * 2_000_000)),
        ("/v1/jobs", "post", stage.post_json({"palettes": [1]})),
        ("/v1/jobs", "post", submitted_once(stage, priority="low")),
        (retry, "post", stage.post(id)),
        (retry, "post", stage.post(id, json={"keys": ["none"]})),
        (retry, "post", stage.post(id, data=b"{", content_type="application/json")),
        (retry, "post", stage.post(id, data={"keys": "nord"})),
        (path, "get", stage.get(f"/v1/jobs/{job}/colorways?limit=0")),
        (f"{path}/{{key}}", "get", stage.get(f"/v1/jobs/{job}/colorways/none")),
        (f"{path}/{{key}}/image", "get", stage.get(f"/v1/jobs/{job}/colorways/nord/image")),
        ("/v1/jobs/{job}/archive", "get", stage.get(f"/v1/jobs/{job}/archive")),
        ("/v1/jobs", "get", stage.get("/v1/jobs?limit=0")),
        ("/v1/jobs/{job}", "get", stage.get(f"/v1/jobs/{job}?wait=20")),
        ("/v1/jobs/{job}", "delete", deleted(stage, f"/v1/jobs/{job}")),
        ("/v1/jobs/{job}", "delete", deleted(stage, f"/v1/jobs/{NOWHERE}")),
        ("/v1/images/{image}", "delete", deleted(stage, source)),
        ("/v1/images/{image}", "delete", deleted(stage, f"{source}?force=1")),
        ("/v1/jobs", "post", dry_run(stage, "perhaps")),
        ("/v1/queue/stats", "get", stage.get("/v1/queue/stats", headers=stage.a_key("read"))),
        ("/v1/queue/stats", "get", stage.get("/v1/queue/stats?of=low")),
    ]

    statuses = [each[2].status_code for each in real]
    assert statuses[:7] == [400, 401, 403, 415, 413, 422, 422]
    assert statuses[7:-3] == [409, 422, 400, 415, 422, 404, 409, 409, 422, 422, 409, 404, 409, 422]
    assert statuses[-3:] == [422, 403, 422]
    assert [errors_of(document, *each) for each in real] == [[]] * len(real)


def test_real_answers_about_slots_are_as_it_says(stage, document):
    confirm = "/v1/images/{slot}/confirm"
    real = [
        ("/v1/images", "post", stage.announce(a_png(1))),
        (confirm, "post", stage.confirm(stage.a_slot(a_png(1)))),
        ("/v1/images", "post", stage.announce(a_png(1))),
        ("/v1/images", "post", stage.announce(a_png(2), bytes=10**9)),
        ("/v1/images", "post", stage.announce(a_png(2), bytes=0)),
        (confirm, "post", stage.confirm(NOWHERE)),
        (confirm, "post", stage.confirm(stage.announce(a_png(2)).json["id"])),
        (confirm, "post", stage.confirm(stage.a_slot(a_png(2), sha256="0" * 64))),
        (confirm, "post", stage.confirm(NOWHERE, data=b"x" * 2_000_000)),
    ]

    statuses = [each[2].status_code for each in real]
    assert statuses == [201, 200, 200, 413, 422, 404, 409, 422, 413]
    assert [errors_of(document, *each) for each in real] == [[]] * len(real)


@pytest.mark.parametrize(
    ("change", "is_valid"),
    [
        ({}, True),
        ({"render": {"strength": 0.5}, "priority": "low", "metadata": {"a": "b"}}, True),
        ({"pallettes": []}, False),
        ({"palettes": []}, False),
        ({"palettes": [{"name": "a", "colors": ["#12", "#123"]}]}, False),
        ({"palettes": palettes("a\0b")}, False),
        ({"palettes": [{"name": "a", "colors": ["#123", "#123"], "size": 1}]}, False),
        ({"render": {"strength": 2}}, False),
        ({"output": {"colour": "red"}}, False),
        ({"metadata": {"a": 1}}, False),
        ({"metadata": {"a\0": "b"}}, False),
        ({"metadata": {"a\0": 1}}, False),
        ({"output": {"max_edge": 640.0, "quality": 80.0}}, True),
        ({"output": {"max_edge": 640.5}}, False),
        ({"output": {"max_edge": 1e300}}, False),
        ({"metadata": {str(number): "" for number in range(21)}}, False),
        ({"image": {"id": "01980000-0000-7000-8000-000000000000", "url": "x"}}, False),
    ],
)
def test_the_request_schema_is_as_strict_as_we_are(stage, document, change, is_valid):
    wanted = {"palettes": palettes("nord")} | change
    schema = {"$ref": "#/components/schemas/JobPart"}
    part = a_job_part(**change)

    said = validator(document, schema).is_valid(wanted)
    done = stage.post_parts(("image", a_png()), ("job", part)).status_code == 202

    assert (said, done) == (is_valid, is_valid)


@pytest.mark.parametrize(
    ("wanted", "is_valid"),
    [
        ({}, True),
        ({"keys": None}, True),
        ({"keys": ["nord", "ink"]}, True),
        ({"keys": []}, False),
        ({"keys": ["nord", "nord"]}, False),
        ({"keys": ["nord"] * 501}, False),
        ({"keys": [1]}, False),
        ({"key": "nord"}, False),
    ],
    ids=lambda given: str(given)[:30],
)
def test_the_schema_of_a_retry_is_as_strict_as_we_are(stage, document, wanted, is_valid):
    job = stage.a_job("nord", "ink")["id"]
    stage.post(f"/v1/jobs/{job}/cancel")

    said = validator(document, {"$ref": "#/components/schemas/RetryIn"}).is_valid(wanted)
    done = stage.post(f"/v1/jobs/{job}/retry", json=wanted).status_code == 202

    assert (said, done) == (is_valid, is_valid)
    assert document["paths"]["/v1/jobs/{job}/retry"]["post"]["requestBody"]["required"] is False


def test_whoever_needs_a_key_may_be_told_of_too_many_and_of_its_rate(stage, document):
    calls = [call for path in document["paths"].values() for call in path.values()]
    with_key = [call["responses"] for call in calls if call["security"]]
    with stage.ledger.transaction() as session:
        set_quotas(session, stage.account, {"max_pending": 0})

    refused = submitted_once(stage)

    told = {"RateLimit", "RateLimit-Policy"}
    assert len(with_key) > 15
    assert told <= set(refused.headers.keys())
    for answers in with_key:
        tells = {status for status, answer in answers.items() if told <= set(answer["headers"])}
        assert tells == set(answers) - {"401"}
        assert "429" in tells
    assert refused.status_code == 429
    assert errors_of(document, "/v1/jobs", "post", refused) == []


@pytest.mark.parametrize(
    ("differs", "is_valid"),
    [
        ({}, True),
        ({"bytes": 0}, False),
        ({"bytes": "9"}, False),
        ({"bytes": 9.0}, True),
        ({"bytes": 9.5}, False),
        ({"sha256": "A" * 64}, False),
        ({"content_type": "image/bmp"}, False),
        ({"filename": "x" * 256}, False),
        ({"filename": "a\x7f"}, False),
        ({"name": "a"}, False),
    ],
    ids=lambda given: str(given)[:30],
)
def test_the_schema_of_an_announcement_is_as_strict_as_we_are(stage, document, differs, is_valid):
    told = {
        "filename": "a.png",
        "bytes": 9,
        "sha256": "0" * 64,
        "content_type": "image/png",
    } | differs

    said = validator(document, {"$ref": "#/components/schemas/SlotIn"}).is_valid(told)
    done = stage.post("/v1/images", json=told).status_code == 201

    assert (said, done) == (is_valid, is_valid)


@pytest.mark.parametrize(
    ("key", "is_valid"),
    [
        ("once", True),
        ('"a b"~', True),
        ("x" * 255, True),
        ("x" * 256, False),
        ("é", False),
        ("", False),
    ],
    ids=lambda given: str(given)[:9],
)
def test_what_is_said_of_the_header_of_a_submission_is_what_is_done(stage, document, key, is_valid):
    submission = document["paths"]["/v1/jobs"]["post"]
    header = next(said for said in submission["parameters"] if said["name"] == "Idempotency-Key")
    parts = multipart(("image", a_png()), ("job", a_job_part()))

    answers = [stage.post("/v1/jobs", headers={header["name"]: key}, **parts) for _ in range(2)]

    assert validator(document, header["schema"]).is_valid(key) == is_valid
    assert [answer.status_code for answer in answers] == [202 if is_valid else 400] * 2
    assert (answers[1].headers.get("Idempotency-Replayed") == "true") == is_valid
    assert "Idempotency-Replayed" in submission["responses"]["202"]["headers"]


@pytest.mark.parametrize(
    ("name", "given", "is_valid"),
    [
        ("limit", 1, True),
        ("limit", 100, True),
        ("limit", 0, False),
        ("limit", 101, False),
        ("status", "partial", True),
        ("status", "done", False),
        ("created_after", "2030-01-01T12:00:00Z", True),
        ("created_after", "2030-01-01", False),
        ("created_before", "2030-01-01T12:00:00.5+01:00", True),
        ("created_before", "2030-02-30T12:00:00Z", False),
    ],
)
def test_what_is_said_of_the_list_of_jobs_is_what_is_done(stage, document, name, given, is_valid):
    parameters = document["paths"]["/v1/jobs"]["get"]["parameters"]
    [schema] = [said["schema"] for said in parameters if said["name"] == name]

    answer = stage.get("/v1/jobs", query_string={name: given})

    assert validator(document, schema).is_valid(given) == is_valid
    assert answer.status_code == (200 if is_valid else 422)


def test_every_request_schema_is_closed(document):
    multipart = document["paths"]["/v1/jobs"]["post"]["requestBody"]["content"][
        "multipart/form-data"
    ]
    names = ("JobPart", "PaletteIn", "RenderIn", "OutputIn", "ImageRef", "ImageUrl")
    names += ("RetryIn", "SlotIn")
    schemas = [document["components"]["schemas"][name] for name in names] + [multipart["schema"]]

    assert [schema["additionalProperties"] for schema in schemas] == [False] * 9
