"""A trial measures what there is to measure about a picture of its kind."""

import numpy as np
import pytest
from PIL import Image

from benchmarks import rivals
from benchmarks.bars import BARS
from benchmarks.quality_set import PALETTES, flat_art, picture_file
from benchmarks.trials import OURS, promised, trials
from colorway.palette import Palette
from palette_worker.rendering import decode

NORD = PALETTES[0]
OF_PHOTOGRAPHS = {"adherence", "coverage", "structure", "gradients", "lost edges"}
OF_RAMPS = {"banding", "colours kept"}
OF_THE_ALPHA_LOGO = {"flat error", "distinct areas", "edges of alpha logo", "halo", "alpha"}


def measured(method, picture, palette=NORD.name, keep_in=None):
    found = trials(method, picture, (NORD,), keep_in)
    return next(trial.values for trial in found if trial.palette == palette)


@pytest.mark.parametrize(
    ("picture", "measures"),
    [("snow", OF_PHOTOGRAPHS), ("dusk", OF_RAMPS), ("alpha logo", OF_THE_ALPHA_LOGO)],
)
def test_ours_is_measured_by_the_kind_of_picture(picture, measures):
    found = measured(OURS, picture)

    assert set(found) == measures
    assert measures <= set(BARS)


def test_every_area_is_promised_a_colour_of_a_palette_that_has_enough():
    source, art = decode(picture_file("alpha logo")), flat_art()["alpha logo"]

    wanted = promised(source, art, NORD, np.zeros((4, 3)))

    levels = {tuple(color) for color in wanted}
    assert len(levels) == 4
    assert levels <= {tuple(bytes.fromhex(color[1:])) for color in NORD.colors}


def test_areas_beyond_the_palette_s_colours_are_free():
    source, art = decode(picture_file("alpha logo")), flat_art()["alpha logo"]
    two = Palette("two", NORD.colors[:2])

    wanted = promised(source, art, two, np.full((4, 3), 7.0))

    assert (wanted == 7).all(axis=1).sum() == 2


def test_a_rival_is_measured_by_the_same_measures():
    assert set(measured("nearest colour", "alpha logo")) == OF_THE_ALPHA_LOGO


def test_a_rival_that_drops_alpha_is_found_out():
    assert measured("k-means masks 0.75", "alpha logo")["alpha"] > 0.1
    assert measured("gradient map", "alpha logo")["alpha"] == 0


def test_a_rival_that_takes_every_pixel_from_the_palette_adheres_and_posterises():
    pixels = measured("nearest colour", "snow")
    ramp = measured("nearest colour", "black to white")

    assert pixels["adherence"] < 0.01
    assert ramp["banding"] > BARS["banding"].limit


def test_what_is_kept_is_what_was_measured(tmp_path):
    (tmp_path / "renditions").mkdir()

    measured(OURS, "dusk", keep_in=tmp_path)

    assert [file.name for file in (tmp_path / "renditions").iterdir()] == ["dusk, Nord, ours.png"]


def test_every_rival_gives_a_picture_of_the_same_size():
    picture = Image.fromarray(np.arange(600, dtype=np.uint8).reshape(10, 20, 3))

    sizes = {name: recolor(picture, NORD).size for name, recolor in rivals.available().items()}

    assert set(sizes.values()) == {(20, 10)}
