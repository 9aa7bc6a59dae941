"""The calls of source pictures."""

from __future__ import annotations

from dispatcher.api.bodies import ImageBody
from dispatcher.api.openapi.calls import BYTES, GONE, Schema, call, in_path, says, schema_of
from dispatcher.api.upload_slots import SlotBody, SlotIn

_NEW: Schema = {
    "description": "A new image; or, for JSON, an upload slot to put it into",
    "content": {
        "application/json": {"schema": {"oneOf": [schema_of(ImageBody), schema_of(SlotBody)]}}
    },
}
_IMAGE = in_path("image", uuid=True)


def image_paths() -> Schema:
    """Return what is said of each path."""
    return {
        "/v1/images": {
            "post": call(
                "upload_image",
                "Upload a source once, to use it in many jobs; or announce by JSON what is then put"
                " straight into the store",
                {
                    201: _NEW,
                    200: says("These bytes were known already", ImageBody),
                },
                problems=(400, 413, 415, 422, 503),
                body={
                    "application/json": {"schema": schema_of(SlotIn)},
                    "image/*": {"schema": BYTES},
                    "application/octet-stream": {"schema": BYTES},
                    "multipart/form-data": {
                        "schema": {
                            "type": "object",
                            "required": ["image"],
                            "properties": {"image": BYTES},
                            "additionalProperties": False,
                        }
                    },
                },
            )
        },
        "/v1/images/{slot}/confirm": {
            "post": call(
                "confirm_image",
                "Make an image of what was put into an upload slot",
                {200: says("The image; an earlier one where these bytes were known", ImageBody)},
                problems=(404, 409, 410, 413, 422, 503),
                parameters=[in_path("slot", uuid=True)],
            )
        },
        "/v1/images/{image}": {
            "get": call(
                "show_image",
                "A source",
                {200: says("The image", ImageBody)},
                parameters=[_IMAGE],
            ),
            "delete": call(
                "delete_image",
                "Delete a source that no job refers to",
                {204: GONE},
                problems=(404, 409, 413, 422, 503),
                parameters=[_IMAGE],
            ),
        },
    }
