"""The `.cube` file, read by others: pillow-lut, and a reader that goes by the specification."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pillow_lut
import pytest
from PIL import Image

from colorway.job import RenderOptions
from colorway.palette import Palette
from palette_worker.rendering.cube import cube_file
from palette_worker.rendering.rendition import lut_for
from tests.palette_worker.rendering.drawn_pictures import (
    FULLY,
    HARBOUR,
    a_logo,
    a_palette,
    a_photo,
    pixels,
    recolored_pixels,
    source_of,
)

PRIMARIES = a_palette("#ff0000", "#00ff00", "#0000ff", "#ffff00", "#000000")
Levels = np.ndarray[Any, np.dtype[np.int16]]


def test_pillow_lut_reads_our_rendering_from_it():
    photo = a_photo()

    file = cube_of(photo, HARBOUR)

    read = photo.filter(pillow_lut.load_cube_file(file.decode().splitlines()))
    assert_within(1, pixels(read), recolored_pixels(photo, HARBOUR))


def test_values_beyond_the_range_are_kept_for_what_they_do_within():
    photo = a_photo()

    file = cube_of(photo, PRIMARIES)

    nodes = rows_of(file)
    read = photo.filter(pillow_lut.load_cube_file(file.decode().splitlines()))
    assert nodes.min() < 0
    assert_within(1, pixels(read), recolored_pixels(photo, PRIMARIES))


def test_a_reader_that_interpolates_between_four_nodes_gets_our_rendering_too():
    photo = a_photo()

    file = cube_of(photo, HARBOUR)

    assert_within(2, looked_up(photo, file), recolored_pixels(photo, HARBOUR))


@pytest.mark.parametrize("palette", [HARBOUR, PRIMARIES])
def test_the_areas_of_flat_art_are_exact(palette: Palette):
    logo = a_logo()

    file = cube_of(logo, palette)

    assert_within(0, looked_up(logo, file), recolored_pixels(logo, palette))


def test_half_the_strength_is_in_the_table():
    photo, halfway = a_photo(), RenderOptions(strength=0.5)

    file = cube_of(photo, HARBOUR, halfway)

    assert_within(2, looked_up(photo, file), recolored_pixels(photo, HARBOUR, halfway))


def test_strength_0_writes_a_table_that_changes_nothing():
    photo = a_photo()

    file = cube_of(photo, HARBOUR, RenderOptions(strength=0))

    assert_within(0, looked_up(photo, file), pixels(photo))


def test_the_file_is_as_the_specification_wants_it():
    file = cube_file(None, title="Colorway #123456 #abcdef")

    lines = file.decode("ascii").split("\n")
    size = 65
    assert lines[:4] == [
        'TITLE "Colorway #123456 #abcdef"',
        "LUT_3D_SIZE 65",
        "DOMAIN_MIN 0.0 0.0 0.0",
        "DOMAIN_MAX 1.0 1.0 1.0",
    ]
    assert lines[4] == "0.00000 0.00000 0.00000"
    assert lines[5] == "0.01562 0.00000 0.00000"  # red is fastest
    assert lines[4 + size] == "0.00000 0.01562 0.00000"
    assert lines[4 + size * size] == "0.00000 0.00000 0.01562"
    assert lines[3 + size**3 :] == ["1.00000 1.00000 1.00000", ""]


def cube_of(image: Image.Image, palette: Palette, options: RenderOptions = FULLY) -> bytes:
    return cube_file(lut_for(source_of(image), palette, options), title="test")


def rows_of(file: bytes) -> np.ndarray[Any, np.dtype[np.float64]]:
    return np.loadtxt(io.BytesIO(file), skiprows=4)


def looked_up(image: Image.Image, file: bytes) -> Levels:
    """Read the file on our own and interpolate within tetrahedra, as ffmpeg does."""
    nodes = rows_of(file)
    size = round(len(nodes) ** (1 / 3))
    nodes = nodes.reshape(size, size, size, 3)  # blue, green, red
    place = np.asarray(image).reshape(-1, 3) / 255 * (size - 1)
    low = np.minimum(place.astype(int), size - 2)
    share = place - low
    order = np.argsort(-share, axis=1, kind="stable")  # the way from the low corner to the high
    at = low.copy()
    value = nodes[at[:, 2], at[:, 1], at[:, 0]]
    for step in range(3):
        before = nodes[at[:, 2], at[:, 1], at[:, 0]]
        axis = order[:, step]
        at[np.arange(len(at)), axis] += 1
        after = nodes[at[:, 2], at[:, 1], at[:, 0]]
        value = value + (after - before) * share[np.arange(len(at)), axis][:, None]
    levels = np.rint(value.clip(0, 1) * 255).astype(np.int16)
    return levels.reshape(*reversed(image.size), 3)


def assert_within(most: int, one: Levels, other: Levels) -> None:
    assert int(np.abs(one - other).max()) <= most
