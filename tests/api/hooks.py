"""What schemathesis must be told beyond the OpenAPI document, and one check of our own."""

from __future__ import annotations

import json
from typing import Any

import schemathesis
from hypothesis import strategies as st
from schemathesis import Case, CheckContext, HookContext, Response, SerializationContext
from schemathesis.core.failures import Failure
from schemathesis.openapi.checks import (
    EnsureResourceAvailability,
    RejectedPositiveData,
    UndefinedStatusCode,
)
from schemathesis.transport.serialization import Binary

from dispatcher.api.openapi import examples
from tests.api.pictures import BROKEN, WHOLE

PROBLEM = "application/problem+json"

BEYOND_JSON_SCHEMA = {
    "duplicate-key": "two palettes have one key, or names that come to the same",
    "unknown": "the job to be retried has no colorway of this key",
    "source-blocked": "image.url is not fetched from there: no URL is, while this runs (fuzz.py)",
    "idempotency-mismatch": "the key was used before, with another body",
}
"""Why a request that is valid by its schema may be refused all the same, by code."""

TOO_LONG = {414, 431}
"""For an address and for headers: told at the door, before anybody knows which call it is.

So these are said once, in the document's introduction, and not again with every call.
"""

_slots: set[str] = set()

# a string of format `binary` is any bytes, and most are no picture
schemathesis.openapi.format("binary", st.sampled_from(WHOLE) | st.sampled_from(BROKEN))


@schemathesis.serializer("image/avif", "image/tiff")
def as_it_is(context: SerializationContext, value: Any) -> bytes:
    """Send a file as it is, as schemathesis sends the other formats by itself."""
    return value.data if isinstance(value, Binary) else str(value).encode()


@schemathesis.hook
def before_load_schema(context: HookContext, raw_schema: dict[str, Any]) -> None:
    """Take out the examples of files: JSON has only words for them, and words are no picture."""
    for calls in raw_schema["paths"].values():
        for call in calls.values():
            for content in call.get("requestBody", {}).get("content", {}).values():
                if examples.PICTURE in json.dumps(content["examples"]):
                    del content["examples"]


@schemathesis.hook
def after_call(context: HookContext, case: Case, response: Response) -> None:
    """Remember the upload slots: the same call makes them and images."""
    if case.operation.label == "POST /v1/images" and response.status_code == 201:
        made = json.loads(response.content)
        if made.get("object") == "upload_slot":
            _slots.add(made["id"])


@schemathesis.hook
def filter_failure(context: HookContext, failure: Failure, case: Case, response: Response) -> bool:
    """Let pass what no schema and no link can tell, and what no call is to blame for."""
    if isinstance(failure, UndefinedStatusCode):
        return response.status_code not in TOO_LONG
    if isinstance(failure, RejectedPositiveData):
        problem = json.loads(response.content)
        codes = {flaw["code"] for flaw in problem.get("errors", [])} or {problem["code"]}
        return not codes <= BEYOND_JSON_SCHEMA.keys()
    if isinstance(failure, EnsureResourceAvailability):
        asked = case.path_parameters
        is_slot_taken_for_image = asked.get("image") in _slots
        is_image_taken_for_slot = "slot" in asked and asked["slot"] not in _slots
        return not (is_slot_taken_for_image or is_image_taken_for_slot)
    return True


@schemathesis.check
def problem_is_documented(ctx: CheckContext, response: Response, case: Case) -> None:
    """Fail where a problem has a code that is not among the examples of this call and status."""
    if response.headers.get("content-type") != [PROBLEM]:
        return
    code = json.loads(response.content)["code"]
    said = case.operation.definition.raw["responses"].get(str(response.status_code))
    if said and code not in said["content"][PROBLEM]["examples"]:
        raise AssertionError(f"{code} is not among the problems of this call")
