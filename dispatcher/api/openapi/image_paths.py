"""The calls of source pictures."""

from __future__ import annotations

from dispatcher.api.image_bodies import ImageBody
from dispatcher.api.openapi import examples
from dispatcher.api.openapi.calls import (
    BYTES,
    answer,
    call,
    in_path,
    link,
    says,
    schema_of,
    takes,
)
from dispatcher.api.openapi.headers import Schema, header
from dispatcher.api.upload_slots import SlotBody, SlotIn
from dispatcher.picture_header import FORMATS

_IMAGE = in_path(
    "image", "The image's `id`", {"type": "string", "format": "uuid"}, example=examples.IMAGE_ID
)
_ID = {"image": "$response.body#/id"}
_OF_THIS_IMAGE = {
    "look": link("show_image", "The same image again", _ID),
    "delete": link("delete_image", "Forget it, if no job refers to it", _ID),
    "submit": link(
        "submit",
        "A job of this image",
        requestBody=examples.SUBMISSION | {"image": {"id": "{$response.body#/id}"}},
    ),
}
_NEW: Schema = {
    "schema": {"oneOf": [schema_of(ImageBody), schema_of(SlotBody)]},
    "examples": {
        "Never seen before": {"value": examples.NEW_IMAGE},
        "An upload slot": {"value": examples.SLOT},
    },
}
_FILE = {"schema": BYTES, "examples": {"A file": {"value": examples.PICTURE}}}


def image_paths() -> Schema:
    """Return what is said of each path."""
    return {
        "/v1/images": {"post": _upload_image()},
        "/v1/images/{image}": {"get": _show_image(), "delete": _delete_image()},
        "/v1/images/{slot}/confirm": {"post": _confirm_image()},
    }


def _upload_image() -> Schema:
    location = header("Location", always=True, example=f"/v1/images/{examples.IMAGE_ID}")
    return call(
        "upload_image",
        "Upload a source once, to use it in many jobs",
        {
            201: answer(
                "A new image; or, for JSON, an upload slot to put it into",
                {"application/json": _NEW},
                headers=header("Location", example=f"/v1/images/{examples.IMAGE_ID}"),
                links=_OF_THIS_IMAGE,
            ),
            200: says(
                "These bytes were known already",
                ImageBody,
                examples={"Used before": examples.IMAGE},
                headers=location,
                links=_OF_THIS_IMAGE,
            ),
        },
        description=(
            "Send the file as the body, or as the part `image` of `multipart/form-data`. The same"
            " bytes are the same image, however often they come, so this is safe to repeat.\n\n"
            "Or announce in JSON a file that is too large for one request: put it to `upload.url`"
            " with just these `upload.headers`, and confirm it. Where its bytes are known already,"
            " the answer is the image, and there is nothing to put."
        ),
        scope="submit",
        problems=(
            *("request-timeout", "too-large", "quota-exceeded"),
            *("validation", "image-undecodable", "image-too-many-pixels"),
        ),
        body={
            "application/json": takes(SlotIn, {"An announcement": examples.ANNOUNCEMENT}),
            **{f"image/{name}": _FILE for name in FORMATS},
            "application/octet-stream": _FILE,
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["image"],
                    "properties": {"image": BYTES | {"description": "the picture"}},
                    "additionalProperties": False,
                },
                "examples": {"A file": {"value": {"image": examples.PICTURE}}},
            },
        },
    )


def _show_image() -> Schema:
    return call(
        "show_image",
        "Look at a source",
        {
            200: says(
                "The image",
                ImageBody,
                examples={"Used before": examples.IMAGE},
                links=_OF_THIS_IMAGE,
            )
        },
        description=(
            "Its size and format, as its bytes have them, and which of your other images look like"
            " it. That is a hint: nothing is refused for it."
        ),
        scope="read",
        problems=("not-found", "validation"),
        parameters=[_IMAGE],
    )


def _delete_image() -> Schema:
    return call(
        "delete_image",
        "Delete a source that no job refers to",
        {204: answer("It is gone")},
        description="Its file goes with it. Jobs keep their source; delete them first.",
        scope="submit",
        problems=("not-found", "in-use", "request-timeout", "too-large", "validation"),
        parameters=[_IMAGE],
    )


def _confirm_image() -> Schema:
    slot = in_path(
        "slot",
        "The upload slot's `id`",
        {"type": "string", "format": "uuid"},
        example=examples.IMAGE_ID,
    )
    return call(
        "confirm_image",
        "Make an image of what was put into an upload slot",
        {
            200: says(
                "The image; an earlier one where these bytes were known",
                ImageBody,
                examples={"As it was announced": examples.NEW_IMAGE},
                headers=header("Location", always=True, example=f"/v1/images/{examples.IMAGE_ID}"),
                links=_OF_THIS_IMAGE,
            )
        },
        description=(
            "The file is read once, and must be what was announced: its size, its SHA-256, a"
            " picture within the limits. What is never confirmed is forgotten. To confirm a slot"
            " again is no error."
        ),
        scope="submit",
        problems=(
            *(
                "not-found",
                "not-ready",
                "expired",
                "request-timeout",
                "too-large",
                "quota-exceeded",
            ),
            *("validation", "image-undecodable", "image-too-many-pixels"),
        ),
        parameters=[slot],
    )
