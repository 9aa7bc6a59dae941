"""The figures about a picture's colours."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from palette_worker.rendering.difference import ciede2000, cielab_of
from palette_worker.rendering.oklab import levels_of_hex
from palette_worker.rendering.report import difference_report, dominant_colors, own_palette
from tests.palette_worker.rendering.drawn_pictures import (
    LOGO_COLORS,
    a_logo,
    a_photo,
    pixels,
    source_of,
)

INK, RED, SKY = "#101418", "#c8323c", "#88c0d0"


def test_the_own_palette_of_a_logo_is_what_it_was_drawn_with():
    colors, shares = own_palette(source_of(a_logo()).analysis, 4)

    assert set(colors) == set(LOGO_COLORS)
    assert shares == sorted(shares, reverse=True)
    assert sum(shares) == pytest.approx(1)


def test_shares_of_the_own_palette_are_those_of_the_pixels():
    _, shares = own_palette(source_of(stripes({INK: 50, RED: 30, SKY: 20})).analysis, 3)

    assert shares == pytest.approx([0.5, 0.3, 0.2])


def test_the_own_palette_has_as_many_colors_as_asked_for_or_fewer():
    photo, plain = source_of(a_photo()).analysis, source_of(stripes({INK: 60})).analysis

    assert len(own_palette(photo, 6)[0]) == 6
    assert own_palette(plain, 6) == ([INK], [1.0])


def test_a_picture_without_anything_visible_has_no_palette():
    nothing = source_of(Image.new("RGBA", (20, 20), (200, 0, 0, 0))).analysis

    assert own_palette(nothing, 3) == ([], [])


def test_a_picture_made_of_the_palette_differs_by_nothing():
    report = difference_report(stripes({INK: 50, RED: 30, SKY: 20}), (SKY, INK, RED))

    assert (report["adherence"], report["coverage"]) == (0.0, 0.0)
    assert report["palette"] == [
        {"color": SKY, "share": 0.2, "difference": 0.0},
        {"color": INK, "share": 0.5, "difference": 0.0},
        {"color": RED, "share": 0.3, "difference": 0.0},
    ]
    assert [row["color"] for row in report["dominant"]] == [INK, RED, SKY]


def test_a_color_of_the_palette_that_is_not_seen_counts_for_coverage_alone():
    report = difference_report(stripes({INK: 50, RED: 50}), (INK, RED, SKY))

    missing = difference(SKY, RED)
    assert difference(SKY, INK) > missing
    assert report["adherence"] == 0.0
    assert report["coverage"] == pytest.approx(missing / 3, abs=0.01)
    assert report["palette"][2] == {"color": SKY, "share": 0.0, "difference": round(missing, 2)}


def test_a_color_beside_the_palette_counts_by_its_share():
    foreign = "#7a3b24"

    report = difference_report(stripes({INK: 75, foreign: 25}), (INK, RED))

    away = difference(foreign, RED)
    assert report["adherence"] == pytest.approx(away / 4, abs=0.01)
    assert report["dominant"][1] == {
        "color": foreign,
        "share": 0.25,
        "nearest": RED,
        "difference": round(away, 2),
    }


def test_a_color_that_stands_twice_in_the_palette_counts_once():
    report = difference_report(stripes({INK: 50, RED: 50}), (INK, RED, INK))

    assert [row["color"] for row in report["palette"]] == [INK, RED]


def test_what_is_transparent_is_not_looked_at():
    picture = stripes({INK: 50, SKY: 50}).convert("RGBA")
    hidden = Image.new("L", picture.size, 255)
    hidden.paste(0, (50, 0, 100, hidden.height))  # the sky
    picture.putalpha(hidden)

    report = difference_report(picture, (INK, RED))

    assert report["adherence"] == 0.0
    assert report["palette"][0]["share"] == 1.0


def test_nothing_visible_is_no_difference_at_all():
    report = difference_report(Image.new("RGBA", (9, 9)), (INK, RED))

    assert report == {"adherence": None, "coverage": None, "dominant": [], "palette": []}


def test_an_indexed_picture_is_read_by_its_colors():
    indexed = stripes({INK: 50, RED: 50}).convert("P", palette=Image.Palette.ADAPTIVE, colors=2)

    report = difference_report(indexed, (INK, RED))

    assert report["adherence"] == 0.0


def test_dominant_colors_are_means_and_shares_of_their_pixels():
    photo = pixels(a_photo()).reshape(-1, 3).astype(np.uint8)

    centres, shares = dominant_colors(photo, 5)

    assert len(centres) == 5
    assert shares.sum() == pytest.approx(1)
    lab = cielab_of(photo.astype(float))
    assert (centres * shares[:, None]).sum(axis=0) == pytest.approx(lab.mean(axis=0), abs=0.3)


def stripes(widths: dict[str, int]) -> Image.Image:
    picture = Image.new("RGB", (sum(widths.values()), 40))
    left = 0
    for color, width in widths.items():
        picture.paste(color, (left, 0, left + width, 40))
        left += width
    return picture


def difference(one: str, other: str) -> float:
    lab = cielab_of(levels_of_hex((one, other)))
    return float(ciede2000(lab[0], lab[1]))
