"""Antialiased edges of flat art, held against the same drawing made in the colours it becomes."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageFont

from colorway.job import OutputOptions, RenderOptions
from colorway.palette import CATALOGUE
from palette_worker.rendering import decode, render
from palette_worker.rendering.difference import ciede2000, cielab_of
from palette_worker.rendering.edges import edges_of
from palette_worker.rendering.oklab import levels_of, levels_of_hex
from palette_worker.rendering.rendition import matching
from tests.palette_worker.rendering.drawn_pictures import (
    FULLY,
    HARBOUR,
    a_badge,
    a_palette,
    a_photo,
    a_soft_logo,
    cover_of,
    file_of,
    in_colors,
    opened,
    pixels,
    rgb,
)

FAIRGROUND = a_palette("#e63946", "#f4d35e", "#2a9d4b", "#3a5bd9", "#f8f4f0")
SORBET = a_palette("#ffd6e0", "#ffefcf", "#d8f3dc", "#cfe8ff", "#e6dcff")
PALETTES = pytest.mark.parametrize(
    "palette", [*CATALOGUE, FAIRGROUND, SORBET], ids=lambda palette: "".join(palette.colors)
)


def levels(*colors):
    return levels_of_hex(colors)


BADGE = cover_of(a_badge, 5)
BADGE_COLORS = levels("#ffffff", "#1f3a93", "#e74c3c", "#f1c40f", "#27ae60")
LARGE_BADGE = cover_of(lambda pen, s: a_badge(pen, 2.5 * s), 5, (320, 320))
GREYS = levels("#ffffff", "#000000", "#808080")


def a_grey_badge():
    return np.concatenate((BADGE[..., :2], BADGE[..., 2:].sum(axis=-1, keepdims=True)), axis=-1)


def draw_seal(pen, s):  # areas 0 to 2 on nothing
    pen.rectangle((0, 0, 128 * s, 128 * s), fill=9)
    pen.ellipse((10 * s, 10 * s, 118 * s, 118 * s), fill=0)
    pen.ellipse((30 * s, 30 * s, 98 * s, 98 * s), fill=1)
    pen.regular_polygon((64 * s, 64 * s, 26 * s), 5, fill=2)
    pen.ellipse((58 * s, 58 * s, 70 * s, 70 * s), fill=9)


def draw_fine_print(pen, s):  # on white: navy, red and a grey that is nearly their edges' colour
    pen.rectangle((0, 0, 24 * s, 128 * s), fill=1)
    pen.rectangle((104 * s, 0, 128 * s, 40 * s), fill=2)
    pen.rectangle((104 * s, 90 * s, 128 * s, 128 * s), fill=3)
    for i in range(5):
        wide = round((0.6 + 0.4 * i) * s)
        pen.line(((30 + i * 12) * s, 6 * s, (36 + i * 14) * s, 50 * s), fill=1, width=wide)
        pen.line((4 * s, (8 + i * 18) * s, 20 * s, (12 + i * 19) * s), fill=0, width=wide)
        dot = (0.6 + 0.5 * i) * s
        at = ((34 + i * 12) * s, 120 * s)
        pen.ellipse((*at, at[0] + dot, at[1] + dot), fill=2)
    font = ImageFont.load_default(10 * s)
    pen.text((30 * s, 60 * s), "fine navy print", fill=1, font=font)
    pen.text((30 * s, 80 * s), "and some red", fill=2, font=font)


def draw_meetings(pen, s):
    for stripe in range(12):
        left = (stripe * 16 - 40) * s
        right = left + 16 * s
        corners = [(left, 0), (right, 0), (right + 30 * s, 128 * s), (left + 30 * s, 128 * s)]
        pen.polygon(corners, fill=stripe % 3)
    for line in range(6):
        pen.rectangle(
            (0, (8 + line * 20.4) * s, 128 * s, (17 + line * 20.4) * s), fill=3 + line % 2
        )


def draw_icon(pen, s):
    pen.ellipse((1 * s, 1 * s, 15 * s, 15 * s), fill=1)
    pen.polygon([(8 * s, 3.2 * s), (12.8 * s, 12 * s), (3.2 * s, 12 * s)], fill=2)


class Judged:
    """A drawing rendered in a palette, beside the drawing made in the colours it became.

    Which those are is asked of `matching`; an area that is no main colour may become anything, and
    is judged by what most of it became.
    """

    def __init__(self, cover, colors, palette, *, options=FULLY, file=file_of):
        source = decode(file(in_colors(cover, colors)))
        assert source.analysis.is_flat
        found = pixels(opened(render(source, palette, options, OutputOptions()).body))
        self.found = found[..., :3]
        self.cover = cover
        self.areas = [self.found[cover[..., area] == 1] for area in range(len(colors))]
        self.colors = np.array([most_frequent(area) for area in self.areas], dtype=float)
        if options == FULLY:
            base, targets = (levels_of(lab) for lab in matching(source, palette, options))
            for area, color in enumerate(colors):
                near = np.abs(base - color).max(axis=1)
                if near.min() < 4:
                    self.colors[area] = targets[near.argmin()].round()
        self.wanted = pixels(in_colors(cover, self.colors))[..., :3]
        self.is_edge = (cover.max(axis=-1) < 1) & (cover.sum(axis=-1) > 0.02)

    @property
    def flat_error(self):
        """The largest error within an area, in levels."""
        return max(
            np.abs(area - color).max() for area, color in zip(self.areas, self.colors, strict=True)
        )

    @property
    def edge_error(self):
        """The mean ΔE2000 of edge pixels."""
        return difference(self.found[self.is_edge], self.wanted[self.is_edge]).mean()

    @property
    def halo(self):
        """The share of edges of two areas that look like none of their mixtures (ΔE2000 > 5)."""
        is_asked = self.is_edge & ((self.cover > 0).sum(axis=-1) == 2)
        ends = np.argsort(-self.cover[is_asked], axis=-1)[:, :2]
        p, q = self.colors[ends[:, 0]], self.colors[ends[:, 1]]
        mixtures = [
            difference(self.found[is_asked], p + s * (q - p)) for s in np.linspace(0, 1, 33)
        ]
        return (np.min(mixtures, axis=0) > 5).mean() if is_asked.any() else 0.0


def most_frequent(found):
    colors, counts = np.unique(found, axis=0, return_counts=True)
    return colors[counts.argmax()]


def difference(one, other):
    return ciede2000(cielab_of(one.astype(float)), cielab_of(other.astype(float)))


def as_jpeg(image):
    return file_of(image, "JPEG", quality=85)


@PALETTES
def test_a_logo_of_five_colours_looks_drawn_in_the_palette(palette):
    found = Judged(BADGE, BADGE_COLORS, palette)

    assert found.flat_error == 0
    assert found.edge_error <= 0.4
    assert found.halo == 0


@PALETTES
def test_a_logo_on_nothing_looks_drawn_in_the_palette(palette):
    cover = cover_of(draw_seal, 3)

    found = Judged(cover, levels("#14213d", "#fca311", "#f7f7f2"), palette)

    assert found.flat_error == 0
    assert found.edge_error <= 0.3
    assert found.halo == 0


@PALETTES
def test_a_grey_between_black_and_white_is_not_taken_for_their_edge(palette):
    found = Judged(a_grey_badge(), GREYS, palette)

    assert found.flat_error == 0
    assert found.edge_error <= 1
    assert found.halo <= 0.02  # next to a grey corner, one cannot tell


@PALETTES
def test_a_jpeg_of_a_logo_loses_its_noise_along_the_edges(palette):
    found = Judged(LARGE_BADGE, BADGE_COLORS, palette, file=as_jpeg)

    assert found.edge_error <= 4.5
    assert found.halo <= 0.08


@PALETTES
def test_hairlines_dots_and_small_print_have_the_colour_they_are_drawn_in(palette):
    cover = cover_of(draw_fine_print, 4)

    found = Judged(cover, levels("#ffffff", "#14213d", "#d62828", "#8d99ae"), palette)

    assert found.flat_error == 0
    assert found.edge_error <= 0.5
    assert found.halo <= 0.005


@PALETTES
def test_lines_so_close_that_no_ground_is_left_between_them_have_their_colour(palette):
    def draw_hatching(pen, s):
        pen.rectangle((0, 0, 20 * s, 128 * s), fill=1)
        pen.rectangle((20 * s, 0, 40 * s, 128 * s), fill=2)
        for line in range(20):
            x = (60 + 1.7 * line) * s
            pen.line((x, 10 * s, x + 6 * s, 118 * s), fill=1, width=round(0.7 * s))

    cover = cover_of(draw_hatching, 3)

    found = Judged(cover, levels("#ffffff", "#14213d", "#8d99ae"), palette)

    assert found.edge_error <= 0.5
    assert found.halo == 0


@PALETTES
def test_where_three_areas_meet_all_three_are_mixed(palette):
    cover = cover_of(draw_meetings, 5)
    is_meeting = (cover > 0.1).sum(axis=-1) >= 3

    found = Judged(cover, BADGE_COLORS, palette)

    assert is_meeting.sum() > 20
    assert difference(found.found[is_meeting], found.wanted[is_meeting]).mean() <= 2.5
    assert found.edge_error <= 0.5


@pytest.mark.parametrize("edge", [16, 24, 32])
def test_an_icon_that_is_mostly_edges_is_no_exception(edge):
    cover = cover_of(lambda pen, s: draw_icon(pen, s * edge / 16), 3, (edge, edge))

    found = Judged(cover, levels("#ffffff", "#1f3a93", "#f1c40f"), HARBOUR)

    assert found.flat_error == 0
    assert found.edge_error <= 0.5
    assert found.halo == 0


@PALETTES
def test_dark_areas_on_dark_keep_clean_edges_however_far_apart_they_move(palette):
    found = Judged(a_grey_badge(), levels("#0a0a0f", "#1a1a24", "#30303c"), palette)

    assert found.flat_error == 0
    assert found.edge_error <= 3  # 16 levels of base apart: one is told as a sixteenth


@pytest.mark.parametrize("strength", [0.25, 0.6])
def test_part_of_the_strength_mixes_what_the_areas_became(strength):
    found = Judged(BADGE, BADGE_COLORS, HARBOUR, options=RenderOptions(strength=strength))

    assert found.edge_error <= 0.5
    assert found.halo == 0


def test_a_palette_with_fewer_colours_than_the_art_leaves_no_halo():
    found = Judged(BADGE, BADGE_COLORS, a_palette("#0b4f6c", "#fbf3e4"))

    assert found.edge_error <= 0.5
    assert found.halo == 0


@pytest.mark.parametrize("method", [Image.Resampling.LANCZOS, Image.Resampling.BICUBIC])
@pytest.mark.parametrize("edge", [90, 200])
def test_art_that_was_scaled_with_ringing_looks_drawn_in_the_palette(method, edge):
    drawn, palette = in_colors(BADGE, BADGE_COLORS), HARBOUR
    wanted = in_colors(BADGE, Judged(BADGE, BADGE_COLORS, palette).colors)

    source = decode(file_of(drawn.resize((edge, edge), method)))
    found = pixels(render(source, palette, FULLY, OutputOptions()).body)

    assert source.analysis.is_flat
    assert difference(found, pixels(wanted.resize((edge, edge), method))).mean() <= 0.8


@pytest.mark.parametrize("file", [file_of, as_jpeg])
@pytest.mark.parametrize("options", [FULLY, RenderOptions(preserve_luminance=False)])
def test_the_own_palette_gives_the_edges_back(file, options):
    source = decode(file(in_colors(LARGE_BADGE, BADGE_COLORS)))
    own = levels_of(source.base_palette(5)).round().astype(np.uint8)
    palette = a_palette(*("#" + color.tobytes().hex() for color in own))

    found = pixels(render(source, palette, options, OutputOptions()).body)

    assert difference(found, pixels(source.image)).mean() <= 0.05


def test_what_alpha_hides_has_no_part_in_any_edge():
    cover = cover_of(draw_seal, 3)
    plain = in_colors(cover, levels("#14213d", "#fca311", "#f7f7f2"))
    hidden = pixels(plain)
    nothing = hidden[..., 3] == 0
    hidden[nothing, :3] = rgb("#d62828")

    found, other = (
        pixels(render(decode(file_of(image)), HARBOUR, FULLY, OutputOptions()).body)
        for image in (plain, Image.fromarray(hidden.astype(np.uint8)))
    )

    assert np.array_equal(found[..., 3], hidden[..., 3])
    assert np.array_equal(found[~nothing], other[~nothing])


@pytest.mark.parametrize("size", [(1, 1), (3, 2), (1, 50), (16, 16), (2000, 3), (3, 2000)])
@pytest.mark.parametrize("format", ["png", "webp"])
def test_every_size_of_flat_art_can_be_rendered(size, format):
    drawn = a_soft_logo(edge=64).resize(size)
    drawn.putalpha(drawn.getchannel("R"))

    for image in (drawn, drawn.convert("RGB"), Image.new("RGB", size, "#336699")):
        found = render(decode(file_of(image)), HARBOUR, FULLY, OutputOptions(format=format))
        assert opened(found.body).size == size


def test_the_thumbnail_has_clean_edges_too():
    cover = cover_of(a_badge, 5)
    large = in_colors(cover, BADGE_COLORS)
    judged = Judged(cover, BADGE_COLORS, HARBOUR)
    source, output = decode(file_of(large)), OutputOptions(thumbnail_edge=80)
    wanted = in_colors(cover, judged.colors).resize((80, 80), Image.Resampling.HAMMING)

    found = pixels(render(source, HARBOUR, FULLY, output).thumbnail)

    assert difference(found, pixels(wanted)).mean() <= 0.3


def test_edges_count_in_the_memory_of_a_source():
    logo = decode(as_jpeg(in_colors(LARGE_BADGE, BADGE_COLORS)))

    assert logo.nbytes > 4 * 320 * 320 + logo.analysis.nbytes + 5 * logo.drawing.edges.at.size


def test_a_photo_has_no_edges_to_take_apart():
    assert decode(file_of(a_photo())).drawing.edges is None


def test_gentle_shading_between_two_areas_is_no_edge_and_a_step_is():
    shaded, stepped = (
        Image.fromarray(np.tile(row, (20, 1)).astype(np.uint8)).convert("RGB")
        for row in (np.linspace(170, 260, 90).clip(200, 230), [200] * 45 + [215] + [230] * 44)
    )
    modes = np.array([[200] * 3, [230] * 3], dtype=np.uint8)

    assert len(edges_of(shaded, modes).at) == 0
    assert len(edges_of(stepped, modes).at) == 20
