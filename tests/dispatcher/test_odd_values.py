"""Any value may stand anywhere: it is taken, or refused with a reason; it is never our fault."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import pytest

from tests.dispatcher.stage import Stage, palettes

ODD: tuple[Any, ...] = (
    *(None, True, False, 0, -1, -0.0, 1e308, 2**31, 2**63, 2**64, 10**400),
    *("", " ", "\0", "a\0b", "\ud800", "\udfff", "\u2028", "\ufeff", "🎨" * 300, "ä" * 70_000),
    *(
        "a\r\nSet-Cookie: b",
        "../../etc/passwd",
        "%00",
        "';--",
        "<script>",
        "{{7*7}}",
        "NaN",
        "null",
    ),
    *([], [[]], [None], {}, {"": None}, {"\0": "\0"}, {"__proto__": {}}, [[[[[[[[[[]]]]]]]]]]),
)
"""What JSON can say and somebody did not think of."""

Document = dict[str, Any]


def places_in(value: Any, place: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Yield the way to every value of a document, its containers included."""
    if place:
        yield place
    if isinstance(value, dict | list):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from places_in(inner, (*place, key))


def with_value(document: Document, place: tuple[str | int, ...], value: Any) -> Document:
    changed: Any = copy.deepcopy(document)
    *way, last = place
    inner = changed
    for step in way:
        inner = inner[step]
    inner[last] = value
    return changed


def a_job(stage: Stage) -> Document:
    return {
        "image": {"id": stage.an_image()},
        "palettes": [{"key": "nord", "name": "Nord", "colors": ["#000", "#fff"]}, *palettes("b")],
        "render": {"strength": 0.5, "preserve_luminance": True},
        "output": {"format": "png", "quality": 90, "max_edge": 100, "thumbnail_edge": 100},
        "priority": "low",
        "on_error": "continue",
        "reuse": "cache",
        "metadata": {"who": "somebody"},
    }


def a_slot(_: Stage) -> Document:
    return {"filename": "a.png", "bytes": 100, "content_type": "image/png", "sha256": "0" * 64}


def retried(_: Stage) -> Document:
    return {"keys": ["nord"]}


@pytest.mark.parametrize(
    ("path", "document_of", "success"),
    [
        ("/v1/jobs", a_job, {202}),
        ("/v1/jobs?dry_run=true", a_job, {200}),
        ("/v1/images", a_slot, {201, 413}),  # so many bytes may be too many
        ("{job}/retry", retried, {409}),  # nothing has failed
    ],
)
def test_an_odd_value_is_taken_or_refused(stage_on_each, path, document_of, success):
    stage = stage_on_each
    path = path.format(job=stage.a_job("nord")["links"]["self"])
    document = document_of(stage)
    assert stage.post(path, json=document).status_code in success

    answers = [
        (place, value, stage.post(path, json=with_value(document, place, value)))
        for place in places_in(document)
        for value in ODD
    ]

    unexpected = [
        (place, value, answer.status_code, answer.json["code"])
        for place, value, answer in answers
        if answer.status_code not in {*success, 400, 422}
    ]
    assert unexpected == []
    assert any(answer.status_code == 422 for _, _, answer in answers)
