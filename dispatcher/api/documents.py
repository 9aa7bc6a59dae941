"""What JSON requests look like. The OpenAPI document's request schemas are made from these models.

They are strict about names: a typo in `pallettes` must never cost a render.
"""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, Tag

from colorway.job import OnError, OutputFormat, Priority, Reuse
from colorway.palette import KEY_PATTERN, MAX_COLORS, MAX_NAME, MIN_COLORS
from dispatcher.remote_image.source_url import MAX_LENGTH, URL_PATTERN

MAX_METADATA = 20
MAX_METADATA_VALUE = 500
MAX_EDGE = 16_383

MOST_KEYS = 500
"""So many colorways of a job can be named in one call."""

IDEMPOTENCY_KEY_PATTERN = r"^[!-~]([ -~]{0,253}[!-~])?$"
"""HTTP takes spaces off the ends of a header, so a key has none there."""

_NO_NUL = r"^[^\x00]*$"  # Postgres takes any character in a text but this one
Color = Annotated[
    str,
    # described here, checked by Palette
    Field(examples=["#88c0d0"], json_schema_extra={"pattern": "^#([0-9a-fA-F]{3}){1,2}$"}),
]
MetadataKey = Annotated[str, Field(min_length=1, max_length=64, pattern=_NO_NUL)]
MetadataValue = Annotated[str, Field(max_length=MAX_METADATA_VALUE, pattern=_NO_NUL)]


def _whole(number: Any) -> Any:
    """Return 1 for 1.0: JSON has one kind of number, and JSON Schema takes 1.0 for an integer."""
    return int(number) if isinstance(number, float) and number.is_integer() else number


WHOLE = BeforeValidator(_whole)


class Model(BaseModel):
    """What every request body shares: no unknown fields, no numbers in quotes."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class ImageRef(Model):
    """A source that was uploaded before."""

    id: UUID = Field(description="the `id` that its upload answered")


class ImageUrl(Model):
    """A source to be fetched from the public internet, by https."""

    url: Annotated[
        str,
        # described here, checked by UrlRules
        Field(
            examples=["https://cdn.example/base.png"],
            json_schema_extra={"format": "uri", "maxLength": MAX_LENGTH, "pattern": URL_PATTERN},
        ),
    ]


BY_ID, BY_URL = "[id]", "[url]"  # in brackets, for pydantic puts them into the place of a flaw


def _named_by(image: Any) -> str | None:
    names = {"id": BY_ID, "url": BY_URL}
    given = [by for name, by in names.items() if isinstance(image, dict) and name in image]
    return given[0] if len(given) == 1 else None


Image = Annotated[
    Annotated[ImageRef, Tag(BY_ID)] | Annotated[ImageUrl, Tag(BY_URL)],
    Discriminator(
        _named_by,
        custom_error_type="one_of",
        custom_error_message='name the picture by {"id": "…"} or by {"url": "…"}, just one',
    ),
]


class PaletteIn(Model):
    """One palette: a name and its colours."""

    key: str | None = Field(
        default=None,
        pattern=KEY_PATTERN,
        description="names its colorway within the job, in addresses and files; no two palettes of"
        " a job share one. Left out, it is made of the name",
    )
    name: str = Field(min_length=1, max_length=MAX_NAME, pattern=_NO_NUL)
    colors: list[Color] = Field(
        min_length=MIN_COLORS,
        max_length=MAX_COLORS,
        description="`#rgb` or `#rrggbb`",
    )


class RenderIn(Model):
    """How to recolour."""

    strength: float = Field(
        default=1.0,
        ge=0,
        le=1,
        allow_inf_nan=False,
        description="from 0, the source as it is, to 1, the palette alone",
    )
    preserve_luminance: bool = Field(
        default=True, description="light stays light and dark stays dark"
    )


class OutputIn(Model):
    """What file to make."""

    format: OutputFormat = Field(
        default="png", description="`auto` is whichever of PNG and lossless WebP is smaller"
    )
    quality: Annotated[int, Field(ge=1, le=100), WHOLE] = Field(
        default=90, description="counts where a file is lossy"
    )
    lossless: bool = Field(default=True, description="of WebP; PNG always is, JPEG never")
    max_edge: Annotated[int, Field(ge=16, le=MAX_EDGE), WHOLE] | None = Field(
        default=None, description="pixels of the longer side; a larger picture is scaled down"
    )
    thumbnail_edge: Annotated[int, Field(ge=16, le=1024), WHOLE] = Field(
        default=320, description="pixels of the thumbnail's longer side"
    )


class _JobDocument(Model):
    image: Image | None = None
    palettes: list[PaletteIn] = Field(min_length=1)
    render: RenderIn = Field(default=RenderIn(), description="how to recolour")
    output: OutputIn = Field(default=OutputIn(), description="what files to make")
    priority: Priority = Field(
        default=Priority.NORMAL, description="which of three queues the palettes wait in"
    )
    on_error: OnError = Field(
        default="continue", description="`stop`: the first failure cancels what is still pending"
    )
    reuse: Reuse = Field(
        default="cache", description="`force`: render again even what was rendered before"
    )
    metadata: dict[MetadataKey, MetadataValue] = Field(
        default={},
        max_length=MAX_METADATA,
        description="yours: kept with the job and shown with it, never looked at",
        json_schema_extra={"additionalProperties": False},  # a name with a NUL fits no pattern
    )


class JobIn(_JobDocument):
    """A job: one image in several palettes."""

    image: Image = Field(description="which picture to recolour")


class JobPart(_JobDocument):
    """A job whose picture comes along, as the part `image` of the same request."""

    image: None = Field(default=None, description="leave this out: the part `image` is the picture")


class RetryIn(Model):
    """Which colorways to retry."""

    keys: Annotated[
        list[Annotated[str, Field(json_schema_extra={"pattern": KEY_PATTERN})]] | None,
        Field(
            min_length=1,
            max_length=MOST_KEYS,
            description="left out, all that failed or were cancelled",
            json_schema_extra={"uniqueItems": True},
        ),
    ] = None
