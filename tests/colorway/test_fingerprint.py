from __future__ import annotations

import json
from dataclasses import replace

import pytest

from colorway.fingerprint import ENGINE_VERSION, fingerprint, options_digest
from colorway.job import OutputOptions, RenderOptions
from colorway.palette import Palette

SOURCE = "a" * 64
PALETTE = Palette("Nord", ("#000", "#fff"))
OPTIONS = options_digest(RenderOptions(), OutputOptions())


def test_the_same_things_have_the_same_fingerprint():
    again = options_digest(RenderOptions(), OutputOptions())

    mark = fingerprint(SOURCE, Palette("Nord", ("#000000", "#FFFFFF")), again)

    assert mark == fingerprint(SOURCE, PALETTE, OPTIONS)
    assert len(mark) == 64


def test_a_palettes_name_decides_nothing():
    renamed = replace(PALETTE, name="Arctic")

    assert fingerprint(SOURCE, renamed, OPTIONS) == fingerprint(SOURCE, PALETTE, OPTIONS)


@pytest.mark.parametrize(
    ("source", "palette", "options"),
    [
        ("b" * 64, PALETTE, OPTIONS),
        (SOURCE, Palette("Nord", ("#fff", "#000")), OPTIONS),
        (SOURCE, Palette("Nord", ("#000", "#fff", "#fff")), OPTIONS),
        (SOURCE, PALETTE, options_digest(RenderOptions(strength=0.5), OutputOptions())),
        (SOURCE, PALETTE, options_digest(RenderOptions(preserve_luminance=False), OutputOptions())),
        (SOURCE, PALETTE, options_digest(RenderOptions(), OutputOptions(format="jpeg"))),
        (SOURCE, PALETTE, options_digest(RenderOptions(), OutputOptions(quality=80))),
        (SOURCE, PALETTE, options_digest(RenderOptions(), OutputOptions(max_edge=512))),
        (SOURCE, PALETTE, options_digest(RenderOptions(), OutputOptions(thumbnail_edge=64))),
    ],
)
def test_whatever_changes_the_picture_changes_the_fingerprint(source, palette, options):
    assert fingerprint(source, palette, options) != fingerprint(SOURCE, PALETTE, OPTIONS)


def test_a_new_engine_makes_pictures_anew():
    assert json.loads(OPTIONS)["engine"] == ENGINE_VERSION
