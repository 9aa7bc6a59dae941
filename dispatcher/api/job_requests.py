"""Untrusted JSON → JobRequest. Everything wrong is told at once, each with its pointer.

The models are strict about names (a typo in `pallettes` must never cost a render) and are the
source of the OpenAPI document's request schemas.
"""

from __future__ import annotations

import json
from collections import Counter
from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_core import PydanticCustomError

from colorway.errors import Flaw, InvalidRequest, Malformed
from colorway.job import (
    JobRequest,
    OnError,
    OutputFormat,
    OutputOptions,
    PaletteOrder,
    Priority,
    RenderOptions,
    Reuse,
)
from colorway.palette import (
    KEY_PATTERN,
    MAX_COLORS,
    MAX_NAME,
    MIN_COLORS,
    Palette,
    canonical_color,
)

UPLOADED = UUID(int=0)
"""Stands for the picture in the request's own `image` part until it is recorded."""

MAX_METADATA = 20
MAX_METADATA_VALUE = 500
MAX_EDGE = 16_383


def _color(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return canonical_color(value)
    except InvalidRequest as error:
        raise PydanticCustomError("color-syntax", "{detail}", {"detail": error.detail}) from None


Color = Annotated[
    str,
    BeforeValidator(_color),
    Field(examples=["#88c0d0"], json_schema_extra={"pattern": "^#([0-9a-fA-F]{3}){1,2}$"}),
]
MetadataKey = Annotated[str, Field(min_length=1, max_length=64)]
MetadataValue = Annotated[str, Field(max_length=MAX_METADATA_VALUE)]


class Model(BaseModel):
    """What every request body shares: no unknown fields, no numbers in quotes."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class ImageRef(Model):
    """A source that was uploaded before."""

    id: UUID


class PaletteIn(Model):
    """One palette; `key` names its colorway within the job and defaults to a slug of `name`."""

    key: str | None = Field(default=None, pattern=KEY_PATTERN)
    name: str = Field(min_length=1, max_length=MAX_NAME)
    colors: list[Color] = Field(min_length=MIN_COLORS, max_length=MAX_COLORS)


class RenderIn(Model):
    """How to recolour; `strength` 0 leaves the source as it is."""

    strength: float = Field(default=1.0, ge=0, le=1, allow_inf_nan=False)
    preserve_luminance: bool = True


class OutputIn(Model):
    """What file to make; `quality` counts where it is lossy, edges are pixels."""

    format: OutputFormat = "png"
    quality: int = Field(default=90, ge=1, le=100)
    lossless: bool = True
    max_edge: int | None = Field(default=None, ge=16, le=MAX_EDGE)
    thumbnail_edge: int = Field(default=320, ge=16, le=1024)


class JobIn(Model):
    """A job: one image in several palettes. `image` is left out where it is a part of its own."""

    image: ImageRef | None = None
    palettes: list[PaletteIn] = Field(min_length=1)
    render: RenderIn = RenderIn()
    output: OutputIn = OutputIn()
    priority: Priority = Priority.NORMAL
    on_error: OnError = "continue"
    reuse: Reuse = "cache"
    metadata: dict[MetadataKey, MetadataValue] = Field(default={}, max_length=MAX_METADATA)


def parse_job_request(body: bytes, *, with_upload: bool, max_palettes: int) -> JobRequest:
    """Return the job in this JSON, or raise Malformed or InvalidRequest with every flaw."""
    document = _read_json(body)
    flaws: list[Flaw] = []
    wanted = None
    try:
        wanted = JobIn.model_validate_json(body)
    except ValidationError as error:
        flaws += [_flaw(problem) for problem in error.errors(include_url=False)]
    flaws += _flaws_across(document, with_upload=with_upload, max_palettes=max_palettes)
    if flaws or wanted is None:
        things = "1 thing is" if len(flaws) == 1 else f"{len(flaws)} things are"
        raise InvalidRequest(f"{things} not valid", flaws=tuple(flaws))
    return _job_request(wanted)


def _job_request(wanted: JobIn) -> JobRequest:
    palettes = [(given, Palette(given.name, tuple(given.colors))) for given in wanted.palettes]
    return JobRequest(
        image_id=wanted.image.id if wanted.image else UPLOADED,
        palettes=tuple(
            PaletteOrder(given.key or palette.default_key(), palette) for given, palette in palettes
        ),
        render=RenderOptions(**wanted.render.model_dump()),
        output=OutputOptions(**wanted.output.model_dump()),
        priority=wanted.priority,
        on_error=wanted.on_error,
        reuse=wanted.reuse,
        metadata=wanted.metadata,
    )


def _flaws_across(document: Any, *, with_upload: bool, max_palettes: int) -> list[Flaw]:
    """Find what no single field shows; pydantic skips such rules once any field is wrong."""
    if not isinstance(document, dict):
        return []
    flaws = []
    if with_upload and document.get("image") is not None:
        flaws.append(Flaw("#/image", "image-twice", "the picture came as a part; leave this out"))
    if not with_upload and "image" not in document:
        flaws.append(Flaw("#/image", "missing", 'say which picture: {"id": "…"}, or send a part'))
    palettes = document.get("palettes")
    if not isinstance(palettes, list):
        return flaws
    if len(palettes) > max_palettes:
        detail = f"{len(palettes)} palettes; a job takes {max_palettes} at the most"
        flaws.append(Flaw("#/palettes", "too-many", detail))
    keys = [_key_of(palette) for palette in palettes]
    counts = Counter(key for key in keys if key is not None)
    seen: set[str] = set()
    for index, key in enumerate(keys):
        if key is not None and counts[key] > 1:
            if key in seen:
                detail = f"another palette of this job has the key {key!r} too"
                flaws.append(Flaw(f"#/palettes/{index}/key", "duplicate-key", detail))
            seen.add(key)
    return flaws


def _key_of(palette: Any) -> str | None:
    """Return the key this palette will have, where it is valid enough to have one."""
    if not isinstance(palette, dict):
        return None
    key = palette.get("key")
    if isinstance(key, str):
        return key
    try:
        return Palette(palette["name"], tuple(palette["colors"])).default_key()
    except (KeyError, TypeError, InvalidRequest):
        return None


def _flaw(problem: Any) -> Flaw:
    place = "".join(
        f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in problem["loc"]
    )
    return Flaw(f"#{place}", problem["type"].replace("_", "-"), problem["msg"])


def _read_json(body: bytes) -> Any:
    """Return the document, or raise Malformed; a repeated name would silently lose a value."""
    try:
        return json.loads(body, object_pairs_hook=_unique, parse_constant=_refuse_constant)
    except RecursionError:
        raise Malformed("the JSON is nested too deeply") from None
    except ValueError as error:
        raise Malformed(f"this is not JSON: {error}") from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) < len(pairs):
        name = next(name for name, count in Counter(n for n, _ in pairs).items() if count > 1)
        raise Malformed(f"the name {name!r} stands twice in one object")
    return document


def _refuse_constant(name: str) -> None:
    raise Malformed(f"{name} is not JSON")
