"""The calls of source pictures."""

from __future__ import annotations

from dispatcher.api.bodies import ImageBody
from dispatcher.api.openapi.calls import BYTES, GONE, Schema, call, in_path, says

_IMAGE = in_path("image", uuid=True)


def image_paths() -> Schema:
    """Return what is said of each path."""
    return {
        "/v1/images": {
            "post": call(
                "upload_image",
                "Upload a source once, to use it in many jobs",
                {
                    201: says("A new image", ImageBody),
                    200: says("These bytes were known already", ImageBody),
                },
                problems=(400, 413, 415, 422, 503),
                body={
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
