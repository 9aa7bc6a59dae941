"""The OpenAPI document leaves nothing unsaid: words, examples, closed answers, every problem."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema import Draft202012Validator, FormatChecker

from colorway import errors
from colorway.errors import Refused
from dispatcher.api.openapi import openapi_document
from dispatcher.api.problem_kinds import COLORWAY_ERRORS, KINDS
from tests.databases import ROOT
from tests.dispatcher.stage import Stage
from tests.dispatcher.test_openapi import resolved

Json = dict[str, Any]

A_MAP = {"metadata", "headers"}
"""Their fields are named by the client, and by the store."""

OPENAPI_SAYS = {"info", "paths", "components"}
"""What may be in there is for the OpenAPI Specification to say."""

REFUSALS = {
    name: kind
    for name, kind in inspect.getmembers(errors, inspect.isclass)
    if issubclass(kind, Refused)
}
ONLY_OF_FLAWS = {"color-syntax"}
NOWHERE = "01980000-0000-7000-8000-000000000000"


@pytest.fixture
def document(stage: Stage) -> Json:
    return openapi_document("1", stage.settings)


def operations_of(document: Json) -> Iterator[tuple[str, str, Json]]:
    for path, calls in document["paths"].items():
        for method, said in calls.items():
            yield path, method, said


def bodies_of(document: Json) -> Iterator[tuple[str, Json]]:
    """Return every place where a body is described: what it is, and its media type object."""
    for _, _, said in operations_of(document):
        name = said["operationId"]
        for kind, content in said.get("requestBody", {}).get("content", {}).items():
            yield f"{name} takes {kind}", content
        for status, answer in said["responses"].items():
            for kind, content in answer.get("content", {}).items():
                yield f"{name} answers {status} {kind}", content


def objects_within(
    document: Json, node: Any, place: str, seen: set[str]
) -> Iterator[tuple[str, Json]]:
    """Return every schema of an object that can be reached from this one."""
    if isinstance(node, list):
        for each in node:
            yield from objects_within(document, each, place, seen)
    elif isinstance(node, dict):
        if (reference := node.get("$ref")) is not None:
            if reference not in seen:
                seen.add(reference)
                yield from objects_within(document, resolved(document, node), reference, seen)
            return
        if node.get("type") == "object":
            yield place, node
        for name, each in node.items():
            if name != "examples":
                yield from objects_within(document, each, f"{place}/{name}", seen)


def errors_in(document: Json, schema: Json, value: Any) -> list[str]:
    whole = schema | {"components": document["components"]}
    validator = Draft202012Validator(whole, format_checker=FormatChecker())
    return [error.message for error in validator.iter_errors(value)]


def codes_given(package: str, calls: set[str]) -> Iterator[str]:
    """Return the codes given to calls of these names, in a package's source."""
    for file in (ROOT / package).rglob("*.py"):
        tree = ast.parse(file.read_text())
        constants = {
            node.targets[0].id: node.value
            for node in tree.body
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in calls:
                for keyword in node.keywords:
                    value = keyword.value
                    value = constants.get(value.id, value) if isinstance(value, ast.Name) else value
                    if keyword.arg == "code" and isinstance(value, ast.Constant):
                        yield value.value


def codes_written(package: str) -> Iterator[str]:
    """Return the codes of the errors that a package's source writes out as dicts."""
    for file in (ROOT / package).rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Dict) and "code" in [
                getattr(k, "value", "") for k in node.keys
            ]:
                code = node.values[[getattr(k, "value", "") for k in node.keys].index("code")]
                if isinstance(code, ast.Constant):
                    yield code.value


def test_every_call_is_described_and_has_a_tag(document):
    tags = {tag["name"] for tag in document["tags"]}

    for _, _, said in operations_of(document):
        assert said["summary"]
        assert said["description"]
        assert set(said["tags"]) <= tags


def test_every_parameter_is_described_and_its_example_is_valid(document):
    for _, _, said in operations_of(document):
        for parameter in said.get("parameters", ()):
            assert parameter["description"]
            [example] = parameter["schema"]["examples"]
            assert errors_in(document, parameter["schema"], example) == []


def test_every_header_is_described_and_its_example_is_valid(document):
    for _, _, said in operations_of(document):
        for answer in said["responses"].values():
            headers = {name: resolved(document, said) for name, said in answer["headers"].items()}
            assert headers["X-Request-Id"]["required"]
            for header in headers.values():
                assert header["description"]
                assert errors_in(document, header["schema"], header["example"]) == []


def test_every_body_has_examples_and_they_are_valid(document):
    bodies = dict(bodies_of(document))

    without = [place for place, content in bodies.items() if not content.get("examples")]
    wrong = {
        (place, name): found
        for place, content in bodies.items()
        for name, example in content["examples"].items()
        if (found := errors_in(document, content["schema"], resolved(document, example)["value"]))
    }
    assert without == []
    assert wrong == {}


def test_every_object_says_what_may_be_in_it(document):
    described = {
        name: schema["description"] for name, schema in document["components"]["schemas"].items()
    }

    assert all(described.values())


def test_every_schema_is_closed(document):
    seen: set[str] = set()
    objects = [
        found
        for place, content in bodies_of(document)
        for found in objects_within(document, content["schema"], place, seen)
    ]

    more = {place: schema.get("additionalProperties", True) for place, schema in objects}
    names = {place: place.rpartition("/")[2] for place in more}
    assert len(objects) > 20
    assert {names[place] for place in more if more[place] is True} == OPENAPI_SAYS
    assert {names[place] for place in more if isinstance(more[place], dict)} == A_MAP


def test_every_object_that_is_described_can_be_reached(document):
    seen: set[str] = set()
    for place, content in bodies_of(document):
        list(objects_within(document, content["schema"], place, seen))

    names = {reference.rpartition("/")[2] for reference in seen}
    assert {
        name
        for name, schema in document["components"]["schemas"].items()
        if schema.get("type") == "object"
    } <= names


def test_every_code_that_is_raised_is_explained():
    raised = {
        code
        for package in ("colorway", "dispatcher")
        for code in codes_given(package, set(REFUSALS))
    }
    usual = {kind.default_code for kind in REFUSALS.values()}

    assert {"in-use", "idempotency-mismatch"} <= raised
    assert (raised | usual) - ONLY_OF_FLAWS <= KINDS.keys()


def test_every_kind_of_problem_is_shown_where_it_may_happen(document):
    shown = {
        code
        for place, content in bodies_of(document)
        if "problem+json" in place
        for code in content["examples"]
    }

    # any path may be called by a method it does not know, nobody plans for a bug, and the links of
    # the local folder are not documented
    assert KINDS.keys() - shown == {"method", "internal", "slot-filled"}
    assert document["components"]["examples"].keys() == KINDS.keys()


def test_a_problem_is_shown_under_its_own_status(document):
    for _, _, said in operations_of(document):
        for status, answer in said["responses"].items():
            for code in (
                answer.get("content", {}).get("application/problem+json", {}).get("examples", ())
            ):
                assert KINDS[code].status == int(status)


def test_every_error_of_a_colorway_is_explained():
    told = {code for room in ("colorway/ledger", "palette_worker") for code in codes_written(room)}
    raised = set(codes_given("palette_worker", {"Hopeless", "TryLater"}))

    assert {"timed-out", "object-missing", "worker-stopped"} <= told
    assert {"too-slow", "store-unavailable", "source-missing"} <= raised
    assert told | raised <= COLORWAY_ERRORS.keys()


def test_every_link_leads_to_a_call_and_fills_its_path(document):
    calls = {said["operationId"]: said for _, _, said in operations_of(document)}
    links = [
        link
        for said in calls.values()
        for answer in said["responses"].values()
        for link in answer.get("links", {}).values()
    ]

    assert len(links) > 10
    for link in links:
        needed = {
            parameter["name"]
            for parameter in calls[link["operationId"]].get("parameters", ())
            if parameter["in"] == "path"
        }
        assert needed == link["parameters"].keys()


def test_a_key_needs_just_the_scope_that_is_said(stage, document):
    scopes = {"read", "submit", "admin"}
    for path, method, said in operations_of(document):
        if not said["security"]:
            continue
        [needed] = said["security"][0]["api_key"]
        address = re.sub(r"{(job|image|slot)}", NOWHERE, path).replace("{key}", "nord")

        statuses = [
            stage.client.open(address, method=method, headers=headers).status_code
            for headers in ({}, stage.a_key(*(scopes - {needed})), stage.a_key(needed))
        ]

        assert statuses[:2] == [401, 403], (method, path)
        assert statuses[2] not in {401, 403}, (method, path)
