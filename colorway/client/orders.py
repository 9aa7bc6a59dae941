"""What is submitted: a job document, alone or with its picture."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, BinaryIO, Literal, TypedDict
from uuid import uuid4

from colorway.client.files import Picture, Stream, opened
from colorway.palette import Palette

JSON, BYTES = "application/json", "application/octet-stream"


class ImageId(TypedDict):
    """A source that was uploaded before."""

    id: str


class ImageUrl(TypedDict):
    """A source that the service shall fetch."""

    url: str


class JobOptions(TypedDict, total=False):
    """The other members of a job document; what is left out has the service's default."""

    render: Mapping[str, Any]
    output: Mapping[str, Any]
    priority: Literal["high", "normal", "low"]
    on_error: Literal["continue", "stop"]
    reuse: Literal["cache", "force"]
    metadata: Mapping[str, str]


@contextmanager
def order(
    image: Picture | ImageId | ImageUrl,
    palettes: Iterable[Palette | Mapping[str, Any]],
    options: JobOptions,
) -> Iterator[tuple[Stream | bytes, str]]:
    """Yield the body of a submission and its media type.

    A picture comes along in the same request: of a job that is refused, nothing stays behind.
    """
    document: dict[str, Any] = {"palettes": [_palette(palette) for palette in palettes], **options}
    if isinstance(image, dict):
        yield json_bytes(document | {"image": image}), JSON
    else:
        with opened(image) as file:
            yield _in_parts(file, json_bytes(document))


def json_bytes(document: Mapping[str, Any]) -> bytes:
    """Return the document as JSON; raise ValueError for NaN, which is none."""
    return json.dumps(document, allow_nan=False).encode()


def _in_parts(picture: BinaryIO, document: bytes) -> tuple[Stream, str]:
    limit = uuid4().hex
    job = f'--{limit}\r\nContent-Disposition: form-data; name="job"\r\nContent-Type: {JSON}\r\n\r\n'
    image = (
        f'\r\n--{limit}\r\nContent-Disposition: form-data; name="image"; filename="image"\r\n'
        f"Content-Type: {BYTES}\r\n\r\n"
    )
    before, after = job.encode() + document + image.encode(), f"\r\n--{limit}--\r\n".encode()
    return Stream(picture, before, after), f"multipart/form-data; boundary={limit}"


def _palette(palette: Palette | Mapping[str, Any]) -> Mapping[str, Any]:
    if isinstance(palette, Palette):
        return {"name": palette.name, "colors": palette.colors}
    return palette
