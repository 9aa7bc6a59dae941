from __future__ import annotations

import pytest

from colorway.errors import InvalidRequest
from colorway.palette import CATALOGUE, Palette, canonical_color, is_key
from tests.builders import a_palette


@pytest.mark.parametrize(
    ("written", "meant"),
    [("#abc", "#aabbcc"), ("#ABC", "#aabbcc"), ("#A1b2C3", "#a1b2c3"), ("#000000", "#000000")],
)
def test_a_color_has_one_way_to_be_written(written, meant):
    assert canonical_color(written) == meant


@pytest.mark.parametrize(
    "text",
    [
        "",
        "#",
        "abc",
        "#ab",
        "#abcd",
        "#abcde",
        "#abcdef0",
        "#ggg",
        " #abc",
        "#abc\n",
        "#١٢٣",
        "red",
    ],
)
def test_what_is_no_color_is_refused(text):
    with pytest.raises(InvalidRequest) as refused:
        canonical_color(text)

    assert refused.value.code == "color-syntax"


def test_a_palette_keeps_its_colors_in_order_and_in_their_one_writing():
    palette = Palette("Nord", ("#FFF", "#2E3440", "#fff"))

    assert palette.colors == ("#ffffff", "#2e3440", "#ffffff")


@pytest.mark.parametrize("count", [2, 16])
def test_a_palette_has_two_to_sixteen_colors(count):
    assert len(Palette("Nord", ("#abc",) * count).colors) == count


@pytest.mark.parametrize("count", [0, 1, 17])
def test_too_few_or_too_many_colors_are_refused(count):
    with pytest.raises(InvalidRequest) as refused:
        Palette("Nord", ("#abc",) * count)

    [flaw] = refused.value.flaws
    assert (flaw.pointer, flaw.code) == ("/colors", "color-count")


def test_everything_wrong_with_a_palette_is_said_at_once():
    with pytest.raises(InvalidRequest) as refused:
        Palette("Nord", ("#12", *["#abc"] * 16, "red"))

    assert [(flaw.pointer, flaw.code) for flaw in refused.value.flaws] == [
        ("/colors", "color-count"),
        ("/colors/0", "color-syntax"),
        ("/colors/17", "color-syntax"),
    ]


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("Nord", "nord"),
        ("Spring / Summer 26", "spring-summer-26"),
        ("Crème brûlée", "creme-brulee"),
        ("  -- edges _ ", "edges"),
        ("snake_case", "snake_case"),
        ("ﬁne", "fine"),
        ("x" * 99, "x" * 63),
    ],
)
def test_a_key_is_made_from_the_name(name, key):
    assert a_palette(name).default_key() == key


@pytest.mark.parametrize("name", ["雪", "!?", "---"])
def test_where_a_name_makes_no_key_the_colors_do(name):
    key = Palette(name, ("#000", "#fff")).default_key()

    assert is_key(key)
    assert key == Palette("?", ("#000000", "#ffffff")).default_key()
    assert key != Palette("?", ("#000", "#ffe")).default_key()


@pytest.mark.parametrize("name", ["-a", "_a", "a" * 62 + " b", "A-", "9 lives", "İstanbul"])
def test_every_key_that_is_made_is_a_key(name):
    assert is_key(a_palette(name).default_key())


@pytest.mark.parametrize("text", ["a", "0", "nord", "a_b-c", "x" * 63])
def test_keys(text):
    assert is_key(text)


@pytest.mark.parametrize(
    "text", ["", "-a", "_a", "Nord", "a b", "a/b", "a.b", "x" * 64, "a\n", "é"]
)
def test_what_is_no_key(text):
    assert not is_key(text)


def test_the_catalogue_has_seven_palettes_with_keys_of_their_own():
    assert len({palette.default_key() for palette in CATALOGUE}) == 7


@pytest.mark.parametrize("name", ["", "n" * 101])
def test_a_name_has_one_to_a_hundred_characters(name):
    with pytest.raises(InvalidRequest) as refused:
        Palette(name, ("#000", "#fff"))

    assert [flaw.pointer for flaw in refused.value.flaws] == ["/name"]
