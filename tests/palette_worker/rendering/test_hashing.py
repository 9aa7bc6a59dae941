"""Perceptual hashes are those of the ImageHash library, and see what people see."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import combinations
from pathlib import Path
from threading import Event

import imagehash
import numpy as np
import pytest
from PIL import Image
from PIL.ExifTags import Base

from colorway.perceptual_hashes import NEAR, PerceptualHashes, distance
from palette_worker.rendering import Limits, decode
from palette_worker.rendering.hashing import grey_of, hashes_of
from palette_worker.rendering.picture import open_picture
from tests.databases import ROOT
from tests.palette_worker.rendering.drawn_pictures import (
    LOGO_COLORS,
    a_badge,
    a_logo,
    a_photo,
    a_see_through_logo,
    a_soft_logo,
    cover_of,
    file_of,
    in_colors,
    rgb,
    source_of,
)
from tests.palette_worker.workplace import SOON

FILES = sorted(
    file for file in (Path(__file__).parent / "files").iterdir() if file.suffix not in ("", ".md")
)
SIZES = [
    (1, 1),
    (1, 40),
    (40, 1),
    (2, 3),
    (7, 9),
    (8, 8),
    (16, 15),
    (33, 31),
    (100, 257),
    (260, 258),
]
COFFEE = ROOT / "demo" / "pictures" / "coffee.jpg"
CHANCE = np.random.default_rng(5)


def picture_in(body: bytes) -> Image.Image:
    """Return a file's picture as it is hashed, without the analysis that rendering needs."""
    return open_picture(body, Limits()).image


PICTURES = {
    "coffee": picture_in(COFFEE.read_bytes()),
    "photo": a_photo(900, 700),
    "logo": a_logo(edge=512),
    "soft logo": a_soft_logo(edge=512),
    "see-through logo": a_see_through_logo(),
    "badge": in_colors(
        cover_of(a_badge, 5),
        [rgb(color) for color in (*LOGO_COLORS[3:], *LOGO_COLORS[:3], "#27ae60")],
    ),
}


def judged(image: Image.Image) -> PerceptualHashes:
    """Return what ImageHash says of the same grey picture."""
    grey = grey_of(image)
    return PerceptualHashes(
        phash=signed(imagehash.phash(grey)),
        ahash=signed(imagehash.average_hash(grey)),
        dhash=signed(imagehash.dhash(grey)),
        whash=signed(imagehash.whash(grey)),
    )


def signed(found: imagehash.ImageHash) -> int:
    return int.from_bytes(bytes.fromhex(str(found)), "big", signed=True)


def of_levels(levels: object) -> Image.Image:
    return Image.fromarray(np.asarray(levels).astype(np.uint8)).convert("RGB")


def drawn(kind: str, width: int, height: int) -> Image.Image:
    y, x = np.mgrid[0:height, 0:width]
    match kind:
        case "noise":
            return of_levels(CHANCE.integers(0, 256, (height, width, 3)))
        case "black and white noise":
            return of_levels(CHANCE.integers(0, 2, (height, width)) * 255)
        case "chequered":
            return of_levels((x // 8 + y // 8) % 2 * 255)
        case "stripes":
            return of_levels(x // max(1, width // 16) % 2 * 255)
        case "lighter to the right":
            return of_levels(255 * x / max(1, width - 1))
        case "lighter downwards":
            return of_levels(255 * y / max(1, height - 1))
        case "a box in the middle":
            return of_levels((abs(x - width / 2) > width / 4) | (abs(y - height / 2) > height / 4))
    levels = {"black": 0, "grey": 119, "white": 255}
    return of_levels(np.full((height, width), levels[kind]))


KINDS = [
    *("noise", "black and white noise", "chequered", "stripes"),
    *("lighter to the right", "lighter downwards", "a box in the middle"),
    *("black", "grey", "white"),
]


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("kind", KINDS)
def test_the_hashes_of_any_drawing_are_those_of_imagehash(kind, size):
    image = drawn(kind, *size)

    assert hashes_of(image) == judged(image)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_the_hashes_of_any_file_are_those_of_imagehash(file):
    image = picture_in(file.read_bytes())

    assert hashes_of(image) == judged(image)


@pytest.mark.parametrize("name", ["coffee", "photo", "logo", "soft logo", "see-through logo"])
def test_the_hashes_of_pictures_are_those_of_imagehash(name):
    image = PICTURES[name]

    assert hashes_of(image) == judged(image)


def test_the_whole_picture_is_hashed_upright():
    photo = a_photo(300, 200)
    exif = Image.Exif()
    exif[Base.Orientation] = 6  # the camera was held upright
    turned = photo.transpose(Image.Transpose.ROTATE_90)

    found = decode(file_of(turned, "PNG", exif=exif)).hashes()

    assert found == hashes_of(photo)


def test_what_hides_beneath_transparency_does_not_count():
    hole = a_photo().convert("RGBA")
    hole.paste((0, 0, 0, 0), (20, 20, 90, 60))
    white = a_photo()
    white.paste("white", (20, 20, 90, 60))

    assert hashes_of(hole) == hashes_of(white)


def test_what_has_no_light_and_dark_has_no_ahash():
    red, fog = Image.new("RGB", (90, 60), "red"), Image.new("RGBA", (90, 60), (9, 9, 9, 0))

    assert hashes_of(red).ahash == hashes_of(fog).ahash == 0
    assert hashes_of(a_photo()).ahash != 0


@pytest.mark.parametrize("name", ["coffee", "photo", "logo", "badge", "see-through logo"])
def test_a_picture_that_was_written_again_is_near(name):
    image = PICTURES[name]
    width, height = image.size
    flat = grey_of(image).convert("RGB") if image.mode == "RGBA" else image

    half = flat.resize((width // 2, height // 2), Image.Resampling.BICUBIC)

    again = [
        picture_in(file_of(flat, "JPEG", quality=60)),
        picture_in(file_of(half, "JPEG", quality=75)),
        picture_in(file_of(half, "WEBP", quality=60)),
        half.quantize(64).convert("RGB"),
        half,
        flat.resize((width * 2, height * 2), Image.Resampling.BICUBIC),
    ]

    assert all(are_near(image, other) for other in again)


def test_different_pictures_are_not_near():
    different = [PICTURES[name] for name in ("coffee", "photo", "logo", "badge")]

    assert not any(are_near(*pair) for pair in combinations(different, 2))


def test_drawings_that_differ_in_their_edges_alone_are_near():
    assert are_near(PICTURES["logo"], PICTURES["soft logo"])


def are_near(one: Image.Image, other: Image.Image) -> bool:
    return distance(hashes_of(one), hashes_of(other)) <= NEAR


def test_hashes_are_found_once():
    source = source_of(a_photo())

    assert source.hashes() is source.hashes()


def test_nobody_waits_for_hashes_that_another_thread_is_finding():
    source = source_of(a_photo())
    held = HeldImage(source.image)
    source.image = held

    with ThreadPoolExecutor(1) as other:
        found = other.submit(source.hashes)
        assert held.asked.wait(SOON)
        meanwhile = source.hashes()
        held.go.set()

    assert meanwhile is None
    assert found.result() == source.hashes() == hashes_of(a_photo())


class HeldImage:
    """A picture that tells when it is asked for its greys, and gives them once it may."""

    mode = "RGB"

    def __init__(self, image: Image.Image) -> None:
        self._image = image
        self.asked, self.go = Event(), Event()

    def convert(self, mode: str) -> Image.Image:
        self.asked.set()
        assert self.go.wait(SOON)
        return self._image.convert(mode)
