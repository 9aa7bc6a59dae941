"""Format and size from a header alone; hostile headers end soon, and end in a refusal."""

from __future__ import annotations

import random
import struct
from io import BytesIO

import pytest
from PIL import Image

from colorway.errors import InvalidRequest
from dispatcher.picture_header import picture_header
from tests.dispatcher.stage import a_picture

KINDS = ("png", "jpeg", "webp", "gif", "avif", "tiff")
MANY = 10_000_000


def header_of(data: bytes, max_pixels: int = MANY) -> tuple[str, int, int]:
    return picture_header(BytesIO(data), max_pixels=max_pixels)


def box(kind: bytes, payload: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(payload), kind) + payload


def an_avif(*boxes: bytes) -> bytes:
    """Return an AVIF's beginning with these boxes in its `meta`."""
    return box(b"ftyp", b"avif\0\0\0\0avifmif1") + box(b"meta", b"\0\0\0\0" + b"".join(boxes))


@pytest.mark.parametrize("kind", KINDS)
def test_each_format_tells_its_size(kind):
    assert header_of(a_picture(kind, (40, 30))) == (kind, 40, 30)


@pytest.mark.parametrize("how", [{"lossless": True}, {"quality": 50}, {"exif": b"Exif\0\0II*\0"}])
def test_each_kind_of_webp_tells_its_size(how):
    assert header_of(a_picture("webp", (40, 30), **how)) == ("webp", 40, 30)


@pytest.mark.parametrize("kind", ["jpeg", "avif", "tiff"])
def test_a_turned_picture_tells_the_size_that_a_viewer_shows(kind):
    turned = Image.Exif()
    turned[0x0112] = 6

    assert header_of(a_picture(kind, (40, 30), exif=turned)) == (kind, 30, 40)


@pytest.mark.parametrize("kind", KINDS)
def test_a_picture_cut_off_in_its_header_is_damaged(kind):
    data = a_picture(kind)

    for length in range(10):
        with pytest.raises(InvalidRequest) as refusal:
            header_of(data[:length])
        assert refusal.value.code == "image-undecodable"


@pytest.mark.parametrize("kind", KINDS)
def test_noise_in_a_header_is_refused_or_read_but_never_an_error(kind):
    chance = random.Random(kind)  # noqa: S311 - noise, not a secret
    whole = a_picture(kind, (40, 30))
    for _ in range(300):
        data = bytearray(whole)
        for _ in range(chance.randrange(1, 12)):
            data[chance.randrange(4, min(len(data), 400))] = chance.randrange(256)
        try:
            _, width, height = header_of(bytes(data))
        except InvalidRequest:
            continue
        assert 0 < width * height <= MANY


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"\xff\xd8\xff" + b"\xff" * 30_000_000, id="jpeg of filling"),
        pytest.param(b"\xff\xd8\xff\x01" + b"\0" * 30_000_000, id="jpeg of nothing"),
        pytest.param(b"\xff\xd8" + b"\xff\xe2\0\2" * 5_000_000, id="jpeg of empty segments"),
        pytest.param(b"\xff\xd8" + b"\xff\xd0" * 10_000_000, id="jpeg of restarts"),
        pytest.param(b"II*\0\x08\0\0\0\xff\xff" + b"\0" * 1_000_000, id="tiff of empty tags"),
        pytest.param(b"II*\0\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", id="tiff far away"),
        pytest.param(an_avif(*[box(b"free", b"")] * 2_000_000), id="avif of empty boxes"),
        pytest.param(
            an_avif(box(b"iprp", box(b"ipco", box(b"ispe", b"\0" * 12) * 1_000_000))),
            id="avif of properties",
        ),
        pytest.param(
            an_avif(
                box(b"iloc", b"\2\0\0\0\0\0" + b"\0\xff\0\0" + b"\0\0\0\1\0\0\0\0\xff\xff" * 50000)
            ),
            id="avif of billions of extents",
        ),
        pytest.param(b"RIFF\0\0\0\0WEBPVP8 ", id="webp of nothing"),
        pytest.param(b"RIFF\0\0\0\0WEBPXXXX" + b"\0" * 50, id="webp of another kind"),
        pytest.param(b"GIF89a", id="gif of nothing"),
        pytest.param(b"GIF89a\0\0\0\0" + b"\0" * 50, id="gif of no size"),
        pytest.param(b"\x89PNG\r\n\x1a\n\0\0\0\rJHDR" + b"\0" * 50, id="png without header"),
    ],
)
def test_a_hostile_header_is_refused_before_it_costs(data):
    with pytest.raises(InvalidRequest) as refusal:
        header_of(data)

    assert refusal.value.code == "image-undecodable"


@pytest.mark.parametrize(
    "data",
    [
        b"<svg xmlns='x' width='1' height='1'/>",
        b"BM" + b"\0" * 60,
        b"P6 10 10 255 " + b"\0" * 300,
        b"II+\0\x08\0\0\0" + b"\0" * 60,
        b"http://127.0.0.1/a.png",
        b"/etc/passwd",
        b"%PDF-1.7",
        b"",
    ],
)
def test_what_we_do_not_read_is_named_with_what_we_do(data):
    with pytest.raises(InvalidRequest, match="png, jpeg, webp, gif, avif, tiff"):
        header_of(data)


def test_a_picture_may_have_just_so_many_pixels():
    assert header_of(a_picture(size=(40, 30)), max_pixels=1200) == ("png", 40, 30)

    with pytest.raises(InvalidRequest) as refusal:
        header_of(a_picture(size=(40, 30)), max_pixels=1199)
    assert refusal.value.code == "image-too-many-pixels"


def test_a_picture_may_claim_no_edge_beyond_reason():
    huge = bytearray(a_picture())
    huge[16:24] = struct.pack(">II", 2**31 - 1, 1)

    with pytest.raises(InvalidRequest):
        header_of(bytes(huge), max_pixels=2**40)
