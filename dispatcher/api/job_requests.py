"""Untrusted JSON → JobRequest, or the keys to retry. All that is wrong is told, with pointers."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, TypeVar
from urllib.parse import quote
from uuid import UUID

from pydantic import ValidationError

from colorway.errors import Flaw, InvalidRequest, Malformed
from colorway.job import JobRequest, OutputOptions, PaletteOrder, RenderOptions
from colorway.palette import Palette, is_key
from dispatcher.api.documents import (
    BY_ID,
    BY_URL,
    ImageRef,
    ImageUrl,
    JobIn,
    JobPart,
    Model,
    RetryIn,
)

UPLOADED = UUID(int=0)
"""Stands for the picture in the request's own `image` part, or at a URL, until it is recorded."""

MOST_FLAWS = 10_000
"""So many are listed; 500 palettes of 16 colours have room for no more."""

_IN_FRAGMENT = "~!$&'()*+,;=:@"


AnyModel = TypeVar("AnyModel", bound=Model)


def parse_job_request(
    body: bytes, *, with_upload: bool, max_palettes: int, check_url: Callable[[str], None]
) -> JobRequest:
    """Return the job in this JSON, or raise Malformed or InvalidRequest with every flaw.

    `check_url` raises InvalidRequest for a URL that would never be fetched. Where that is all that
    is wrong, whoever fetches says so.
    """
    document = _read_json(body)
    flaws = _flaws_of_image(document, with_upload=with_upload)
    flaws += _flaws_of_count(document, max_palettes)
    wanted: JobIn | JobPart | None = None
    try:
        wanted = (JobPart if with_upload else JobIn).model_validate_json(body)
        orders, more = _orders([(p.key, p.name, p.colors) for p in wanted.palettes])
    except ValidationError as error:
        flaws += _not_told(flaws, _flaws_of_fields(error))
        # what is whole is still looked at, so that all that is wrong is told at once
        orders, more = _orders(_readable_palettes(document))
    if flaws or more:
        more += _flaws_of_url(document, check_url)
    flaws += _not_told(flaws, more)
    if flaws or wanted is None:
        raise InvalidRequest(_summary(flaws), flaws=tuple(flaws[:MOST_FLAWS]))
    return JobRequest(
        image_id=wanted.image.id if isinstance(wanted.image, ImageRef) else UPLOADED,
        image_url=wanted.image.url if isinstance(wanted.image, ImageUrl) else None,
        palettes=tuple(orders),
        render=RenderOptions(**wanted.render.model_dump()),
        output=OutputOptions(**wanted.output.model_dump()),
        priority=wanted.priority,
        on_error=wanted.on_error,
        reuse=wanted.reuse,
        metadata=wanted.metadata,
    )


def parse_retry_request(body: bytes) -> list[str] | None:
    """Return the keys in this JSON, or None for all; raise Malformed or InvalidRequest."""
    keys = read_model(RetryIn, body).keys
    listed = keys or []
    flaws = [
        Flaw(f"#/keys/{index}", "duplicate-key", f"the key {key!r} is listed twice")
        for index, key in enumerate(listed)
        if key in listed[:index]
    ]
    if flaws:
        raise InvalidRequest(_summary(flaws), flaws=tuple(flaws))
    return keys


def read_model(model: type[AnyModel], body: bytes) -> AnyModel:
    """Return what this JSON says, or raise Malformed, or InvalidRequest with every flaw."""
    _read_json(body)
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        flaws = _flaws_of_fields(error)
        raise InvalidRequest(_summary(flaws), flaws=tuple(flaws[:MOST_FLAWS])) from None


def _orders(
    palettes: Sequence[tuple[str | None, str, list[str]] | None],
) -> tuple[list[PaletteOrder], list[Flaw]]:
    """Return what is ordered, and what is wrong with single palettes and across them."""
    orders: list[PaletteOrder] = []
    flaws: list[Flaw] = []
    seen: set[str] = set()
    for index, given in enumerate(palettes):
        if given is None:
            continue
        key, name, colors = given
        place = f"#/palettes/{index}"
        try:
            palette = Palette(name, tuple(colors))
        except InvalidRequest as error:
            flaws += [Flaw(place + flaw.pointer, flaw.code, flaw.detail) for flaw in error.flaws]
            continue
        order = PaletteOrder(key or palette.default_key(), palette)
        if order.key in seen:
            advice = "" if key else f", which comes from its name {name!r}; give it a `key`"
            detail = f"another palette of this job has the key {order.key!r} too{advice}"
            flaws.append(Flaw(f"{place}/key", "duplicate-key", detail))
        seen.add(order.key)
        orders.append(order)
    return orders, flaws


def _readable_palettes(document: Any) -> list[tuple[str | None, str, list[str]] | None]:
    """Return key, name and colours of the palettes that have them; None for the others."""
    palettes = document.get("palettes") if isinstance(document, dict) else None
    if not isinstance(palettes, list):
        return []
    return [_readable(palette) for palette in palettes]


def _readable(palette: Any) -> tuple[str | None, str, list[str]] | None:
    if not isinstance(palette, dict):
        return None
    key, name, colors = (palette.get(field) for field in ("key", "name", "colors"))
    if not isinstance(name, str) or not isinstance(colors, list):
        return None
    if not all(isinstance(color, str) for color in colors):
        return None
    if key is not None and not (isinstance(key, str) and is_key(key)):
        return None
    return key, name, colors


def _not_told(told: Sequence[Flaw], flaws: Sequence[Flaw]) -> list[Flaw]:
    """Return those of the flaws that are in places of which nothing was told yet."""
    places = {flaw.pointer for flaw in told}
    return [flaw for flaw in flaws if flaw.pointer not in places]


def _flaws_of_image(document: Any, *, with_upload: bool) -> list[Flaw]:
    given = document.get("image") if isinstance(document, dict) else None
    if with_upload and given is not None:
        return [Flaw("#/image", "image-twice", "the picture came as a part; leave this out")]
    if not with_upload and given is None:
        return [
            Flaw(
                "#/image",
                "missing",
                'say which picture: {"id": "…"} or {"url": "…"}, or send a part',
            )
        ]
    return []


def _flaws_of_url(document: Any, check: Callable[[str], None]) -> tuple[Flaw, ...]:
    image = document.get("image") if isinstance(document, dict) else None
    url = image.get("url") if isinstance(image, dict) else None
    try:
        if isinstance(url, str):
            check(url)
    except InvalidRequest as error:
        return error.flaws
    return ()


def _flaws_of_count(document: Any, most: int) -> list[Flaw]:
    palettes = document.get("palettes") if isinstance(document, dict) else None
    if not isinstance(palettes, list) or len(palettes) <= most:
        return []
    flaw = Flaw(
        "#/palettes", "too-many", f"{len(palettes)} palettes; a job takes {most} at the most"
    )
    if len(palettes) > MOST_FLAWS:  # to look into them all would take long
        raise InvalidRequest(_summary([flaw]), flaws=(flaw,))
    return [flaw]


def _flaws_of_fields(error: ValidationError) -> list[Flaw]:
    problems = error.errors(include_url=False, include_context=False, include_input=False)
    if problems[0]["type"] == "json_invalid":  # what Python's reader lets pass: half surrogates
        raise Malformed(f"this is not JSON: {problems[0]['msg']}")
    return [
        Flaw(_pointer(problem["loc"]), problem["type"].replace("_", "-"), problem["msg"])
        for problem in problems
    ]


_NO_PLACE = {"[key]", BY_ID, BY_URL}
"""What pydantic adds to a place: its word for a dict's key, and ours for one kind of image."""


def _pointer(place: tuple[int | str, ...]) -> str:
    """Return the place as a URI fragment, RFC 6901 section 6."""
    parts = [str(part) for part in place if part not in _NO_PLACE]
    escaped = [part.replace("~", "~0").replace("/", "~1") for part in parts]
    return "#" + "".join(f"/{quote(part, safe=_IN_FRAGMENT)}" for part in escaped)


def _summary(flaws: Sequence[Flaw]) -> str:
    return "1 thing is not valid" if len(flaws) == 1 else f"{len(flaws)} things are not valid"


def _read_json(body: bytes) -> Any:
    """Return the document, or raise Malformed; a repeated name would silently lose a value.

    Numbers stay text: they are the models' business, and Python's own limit on them is not.
    """
    try:
        return json.loads(
            body,
            object_pairs_hook=_unique,
            parse_constant=_refuse_constant,
            parse_int=str,
            parse_float=str,
        )
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
