"""Every file that cannot be read is refused with one clear sentence, soon, and without much memory.

The rows of the list of hostile input that the service was built against, and what was found since.
"""

from __future__ import annotations

import io
import struct
import threading
import warnings
import zlib

import pytest
from PIL import Image

from colorway.errors import Hopeless
from palette_worker.rendering import Limits, decode
from tests.palette_worker.rendering.damaged_files import FILES
from tests.palette_worker.rendering.drawn_pictures import a_logo, a_photo, file_of
from tests.palette_worker.rendering.hand_made_files import chunk, gif_of, png_of
from tests.palette_worker.rendering.refusals import refusal, soon, why

FORMATS = ["PNG", "JPEG", "WEBP", "GIF", "TIFF", "AVIF"]
RED, BLUE = (200, 30, 40), (20, 40, 210)


# Too large


@pytest.mark.parametrize(
    ("limits", "word"),
    [
        (Limits(max_pixels=10_799), "10,800 pixels; at most 10,799"),
        (Limits(max_side=119), "120 x 90 pixels; a side may have at most 119"),
    ],
)
def test_too_many_pixels_are_refused_and_the_limit_named(limits, word):
    error = refusal(file_of(a_photo()), limits)

    assert error.code == "image-too-many-pixels"
    assert word in str(error)


def test_exactly_as_much_as_allowed_is_fine():
    body = file_of(a_photo())

    limits = Limits(max_pixels=10_800, max_side=120, max_bytes=len(body))

    assert decode(body, limits).height == 90


def test_too_many_bytes_are_refused_and_the_limit_named():
    assert "at most 1,000" in why(file_of(a_photo()), Limits(max_bytes=1_000))


@pytest.mark.parametrize("side", [9_400, 13_000, 29_999])
def test_a_bomb_is_refused_before_it_is_unpacked(side):
    # Pillow lets the first pass silently, the second with a warning, and the third not at all
    body = png_of(side, side, data=zlib.compress(bytes(10)))

    assert refusal(body).code == "image-too-many-pixels"


def test_a_real_bomb_takes_no_memory():
    packer = zlib.compressobj(9)
    lines = b"".join(packer.compress(bytes(9_400 * 300)) for _ in range(94)) + packer.flush()
    header = struct.pack(">IIBBBBB", 9_399, 9_400, 8, 2, 0, 0, 0)
    body = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", lines) + chunk(b"IEND")
    before = resident_peak()

    with soon():
        error = refusal(body)

    assert len(body) < 300_000
    assert error.code == "image-too-many-pixels"
    assert resident_peak() - before < 20_000_000


def resident_peak():
    with open("/proc/self/status") as status:  # noqa: PTH123
        return 1024 * int(status.read().partition("VmHWM:")[2].split(maxsplit=1)[0])


@pytest.mark.parametrize("side", [20_000, 16_000_000])
def test_a_webp_canvas_is_measured_before_it_is_made(side):
    frames = {"save_all": True, "append_images": [a_logo().rotate(90)]}
    body = bytearray(file_of(a_logo(), "WEBP", **frames))
    body[24:27] = body[27:30] = (side - 1).to_bytes(3, "little")

    assert refusal(bytes(body)).code in ("image-too-many-pixels", "image-undecodable")


def test_the_screen_of_a_gif_counts_as_its_first_frame_enlarges_it():
    body = gif_of((2, 2), colors=(RED, BLUE), frames=[((20_000, 20_000, 1, 1), None, (0,))])

    assert refusal(body).code == "image-too-many-pixels"


# None of ours


@pytest.mark.parametrize(
    ("body", "looks"),
    [
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "an SVG"),
        (b"<?xml version='1.0'?>\n<!-- drawn by hand -->\n<svg viewBox='0 0 1 1'/>", "an SVG"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n", "an EPS"),
        (b"\xc5\xd0\xd3\xc6" + bytes(28), "an EPS"),
        (b"8BPS\0\1" + bytes(40), "a Photoshop file"),
        (b"%PDF-1.7\n", "a PDF"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "a HEIC"),
        (b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic", "a HEIC"),
        (b"\n<!DOCTYPE html><html>", "a web page"),
        (file_of(a_logo(), "BMP"), "a BMP"),
        ((FILES / "refused/picture.jp2").read_bytes(), "a JPEG 2000"),
        ((FILES / "refused/picture.jxl").read_bytes(), "a JPEG XL"),
        ((FILES / "refused/bigtiff.tiff").read_bytes(), "a BigTIFF"),
    ],
)
def test_what_is_no_picture_of_ours_is_named(body, looks):
    assert (
        why(body)
        == f"this looks like {looks}, which is not a PNG, JPEG, WebP, GIF, AVIF or TIFF image"
    )


@pytest.mark.parametrize(
    "body",
    [
        b"no picture at all",
        b"\0",
        b"<" * 100_000,
        b"SIMPLE  =                    T" + bytes(2_880),
        b"\xd7\xcd\xc6\x9a" + bytes(40),
        file_of(a_logo(), "PPM"),
        file_of(a_logo(), "ICO"),
        file_of(a_logo(), "TGA"),
    ],
    ids=["text", "one byte", "many brackets", "FITS", "WMF", "PPM", "ICO", "TGA"],
)
def test_what_nobody_knows_is_refused(body):
    assert why(body) == "this is not a PNG, JPEG, WebP, GIF, AVIF or TIFF image"


def test_nothing_is_refused_as_such():
    assert why(b"") == "the file is empty"


def test_another_format_in_a_known_wrapping_is_not_tried():
    # libtiff and Pillow could read some of these by other doors
    icon_of_png = b"\0\0\1\0\1\0" + bytes(12) + struct.pack("<I", 22) + file_of(a_logo())

    assert "not a PNG" in why(icon_of_png)


# Damaged


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("share", [0.3, 0.6, 0.95])
def test_a_file_cut_short_is_refused(format, share):
    body = file_of(a_photo(), format)
    name = {"WEBP": "WebP"}.get(format, format)

    assert f"the {name} file is damaged" in why(body[: int(len(body) * share)])


@pytest.mark.parametrize("format", FORMATS)
def test_a_file_of_its_first_bytes_alone_is_refused_by_its_name(format):
    body = file_of(a_photo(), format)
    name = {"WEBP": "WebP"}.get(format, format)

    for length in (12, 16, 24):
        assert f"the {name} file is damaged" in why(body[:length])


@pytest.mark.parametrize("format", FORMATS)
def test_a_file_cut_anywhere_in_its_header_is_refused(format):
    body = file_of(a_photo(40, 30), format)

    for length in range(1, min(len(body) - 10, 150)):
        assert why(body[:length])


def test_a_gif_cut_anywhere_is_refused():
    body = gif_of((1, 1), colors=(RED, BLUE), frames=[((0, 0, 1, 1), (RED, BLUE), (0,))])

    for length in range(1, body.index(b",") + 19):
        assert why(body[:length])


def test_half_a_jpeg_is_refused_though_it_verifies():
    body = file_of(a_photo(), "JPEG")
    half = body[: len(body) // 2]

    Image.open(io.BytesIO(half)).verify()

    assert why(half) == "the JPEG file is damaged or cut short"


@pytest.mark.parametrize("name", [b"IHDR", b"IDAT"])
def test_a_png_with_a_wrong_checksum_is_refused(name):
    body = bytearray(file_of(a_photo()))
    body[body.index(name) + 9] ^= 0xFF

    assert "the PNG file is damaged" in why(bytes(body))


@pytest.mark.parametrize(
    "bomb",
    [
        chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(3_000_000))),
        chunk(b"iCCP", b"a\0\0" + zlib.compress(bytes(3_000_000))),
        chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(1_000_000))) * 70,
    ],
    ids=["zTXt", "iCCP", "many zTXt"],
)
def test_metadata_that_unpack_to_much_are_refused(bomb):
    assert (
        why(png_of(1, 1, data=bytes(4), before=bomb))
        == "the PNG file's metadata unpack to too much"
    )


@pytest.mark.parametrize("name", ["float.tiff", "signed-16-bit.tiff"])
def test_a_picture_of_measurements_is_refused(name):
    assert "32 bits per channel" in why((FILES / "refused" / name).read_bytes())


@pytest.mark.parametrize("name", ["half-float.tiff", "12-bit.jpeg"])
def test_pixels_of_an_unknown_kind_are_refused(name):
    assert "of a kind that is not read here" in why((FILES / "refused" / name).read_bytes())


def test_a_tiff_packed_in_a_rare_way_is_refused():
    assert "compressed in a way that is not read" in why((FILES / "refused/zstd.tiff").read_bytes())


# Around it


def test_warnings_are_heard_again_after_threads_decoded_side_by_side():
    before = list(warnings.filters)
    bodies = [file_of(a_photo(), "JPEG"), png_of(9_500, 9_500), b"rubbish"] * 8

    def decoded(body):
        try:
            decode(body)
        except Hopeless:
            return

    threads = [threading.Thread(target=decoded, args=(body,)) for body in bodies]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert warnings.filters == before
