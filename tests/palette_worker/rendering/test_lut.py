"""The table, and that it is exact where it must be."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from palette_worker.rendering.lut import Recoloring, color_lut, recolored
from palette_worker.rendering.oklab import lab_of, levels_of_hex

NOTHING = np.zeros((0, 3))


def swatches(*colors):
    return Image.fromarray(levels_of_hex(colors).astype(np.uint8)[None])


def a_recoloring(base, targets, *, strength=1.0, is_flat=True):
    return Recoloring(
        lab_of(levels_of_hex(base)),
        lab_of(levels_of_hex(targets)),
        strength=strength,
        is_flat=is_flat,
        preserve_luminance=True,
    )


def looked_up(base, targets, colors, *, pinned=NOTHING, strength=1.0, is_flat=True):
    lut = color_lut(
        a_recoloring(base, targets, strength=strength, is_flat=is_flat),
        pinned,
    )
    return np.asarray(recolored(swatches(*colors), lut))[0].astype(int)


@pytest.mark.parametrize("seed", range(15))
def test_main_colours_of_flat_art_are_looked_up_exactly(seed):
    random = np.random.default_rng(seed)
    base, targets = (
        tuple("#" + bytes(color).hex() for color in random.integers(0, 256, (8, 3), np.uint8))
        for _ in range(2)
    )

    found = looked_up(base, targets, base)

    assert np.array_equal(found, levels_of_hex(targets))


@pytest.mark.parametrize("seed", range(5))
def test_main_colours_of_a_photo_are_looked_up_as_they_are_mapped(seed):
    random = np.random.default_rng(seed)
    base, targets = (
        tuple("#" + bytes(color).hex() for color in random.integers(0, 256, (8, 3), np.uint8))
        for _ in range(2)
    )
    mapped = a_recoloring(base, targets, is_flat=False).levels(lab_of(levels_of_hex(base)))

    found = looked_up(base, targets, base, is_flat=False)

    assert np.abs(found - mapped).max() <= 0.6  # rounding to 8 bits, and to the 16 of the table


def test_colours_that_are_close_together_are_told_apart():
    base = ("#ff0000", "#f80800", "#ffffff", "#f5f5f5")
    targets = ("#000000", "#ffffff", "#00ff00", "#0000ff")

    found = looked_up(base, targets, base)

    assert np.abs(found - levels_of_hex(targets)).max() <= 1


@pytest.mark.parametrize(
    ("one", "other"), [("#a3957d", "#9a8e81"), ("#744f73", "#73576e"), ("#5dc71d", "#5dbe1c")]
)
@pytest.mark.parametrize("targets", [("#000000", "#ffffff"), ("#ff0000", "#00ffc8")])
def test_what_a_coarse_table_cannot_hold_gets_a_finer_one(one, other, targets):
    found = looked_up((one, other), targets, (one, other))

    assert np.array_equal(found, levels_of_hex(targets))


def test_the_own_palette_changes_no_pixel_by_more_than_a_level():
    base = ("#101820", "#7a2f20", "#3f7d5a", "#f8f8f8")
    levels = np.random.default_rng(5).integers(0, 256, (40, 40, 3), np.uint8)
    lut = color_lut(a_recoloring(base, base, is_flat=False), NOTHING)

    found = np.asarray(recolored(Image.fromarray(levels), lut))

    assert np.abs(found.astype(int) - levels).max() <= 1


def test_half_the_strength_goes_half_the_way():
    found = looked_up(("#000000", "#ffffff"), ("#000000", "#7799aa"), ("#ffffff",), strength=0.5)

    white, target = lab_of(levels_of_hex(("#ffffff", "#7799aa")))
    assert lab_of(found.astype(float))[0] == pytest.approx((white + target) / 2, abs=0.004)


def test_the_table_and_the_map_itself_agree_on_every_main_colour():
    base, targets = ("#0a2540", "#c03a2b", "#f4f1e8"), ("#2e3440", "#88c0d0", "#eceff4")
    recoloring = a_recoloring(base, targets, strength=0.6)

    found = np.asarray(recolored(swatches(*base), color_lut(recoloring, NOTHING)))[0]

    assert np.abs(found - recoloring.levels(lab_of(levels_of_hex(base)))).max() <= 0.51


def test_alpha_passes_through_the_table():
    image = Image.new("RGBA", (3, 1))
    image.putdata([(10, 20, 30, 0), (10, 20, 30, 77), (250, 240, 230, 255)])
    lut = color_lut(a_recoloring(("#000000",), ("#ffffff",)), NOTHING)

    found = recolored(image, lut)

    assert found.mode == "RGBA"
    assert found.getchannel("A").tobytes() == bytes((0, 77, 255))
