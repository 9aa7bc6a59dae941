"""Archives that are sent while they are made, as other programs read them."""

from __future__ import annotations

import struct
import tracemalloc
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from io import BytesIO
from pathlib import Path
from zipfile import ZIP_STORED, ZipFile

import pytest

from dispatcher.zip_stream import Member, ZipStream, length_of

AT = datetime(2030, 1, 1, 12, 30, 58, tzinfo=UTC)
MB = 1_000_000
GIB = 1 << 30


def archived(contents: dict[str, bytes], *, behind: int = 0) -> bytes:
    pieces = []
    with ZipStream(behind=behind) as stream:
        for name, content in contents.items():
            pieces += stream.add(Member(name, len(content), AT), [content])
        pieces += stream.end()
    return b"".join(pieces)


def some_files(count: int) -> dict[str, bytes]:
    return {f"file-{number}.png": bytes([number % 256]) * number for number in range(count)}


def test_what_goes_in_comes_out_of_an_archive():
    files = some_files(20)

    with ZipFile(BytesIO(archived(files))) as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
        [first, *_] = archive.infolist()

    assert contents == files
    assert (first.compress_type, first.date_time) == (ZIP_STORED, (2030, 1, 1, 12, 30, 58))
    assert oct(first.external_attr >> 16) == "0o644"


def test_dates_are_utc_wherever_they_come_from():
    east = AT.astimezone(timezone(timedelta(hours=9)))

    assert Member("a.png", 1, east).header().date_time == (2030, 1, 1, 12, 30, 58)


def test_the_header_before_a_file_tells_its_size_and_checksum():
    archive = archived({"a.png": b"picture", "b.png": b"another"})

    signature, _, flags, _, _, _, checksum, stored, size = struct.unpack_from("<4s5H3L", archive)

    assert (signature, flags) == (b"PK\x03\x04", 0)
    assert (checksum, stored, size) == (zlib.crc32(b"picture"), 7, 7)


def test_a_name_may_be_in_any_script():
    with ZipFile(BytesIO(archived({"Frühling 春.png": b"x"}))) as archive:
        assert archive.namelist() == ["Frühling 春.png"]


@pytest.mark.parametrize("count", [0, 1, 300])
def test_the_length_is_known_beforehand(count):
    files = some_files(count)

    length = length_of(Member(name, len(content), AT) for name, content in files.items())

    assert length == len(archived(files))


def test_the_length_is_known_beforehand_also_of_an_archive_beyond_4_gib():
    members = [Member(f"{number:04}.png", GIB, AT) for number in range(6)]

    length = length_of(members)

    headers, records = 6 * (30 + 8), 6 * (46 + 8)
    far_away = 4 * 12  # those that begin beyond the 2 GiB where Zip64 is first used
    assert length == 6 * GIB + headers + records + far_away + 56 + 20 + 22  # APPNOTE 4.3


def test_files_that_begin_beyond_4_gib_are_found(tmp_path: Path):
    files, far = some_files(3), 5 * GIB
    archive = archived(files, behind=far)
    with (tmp_path / "large.zip").open("wb") as file:
        file.seek(far)  # a hole, which takes no space
        file.write(archive)

    with ZipFile(tmp_path / "large.zip") as large:
        contents = {name: large.read(name) for name in large.namelist()}
        begins_at = large.infolist()[0].header_offset

    assert contents == files
    assert begins_at == far


def test_nothing_of_a_file_is_handed_on_before_all_of_it_is_there():
    said = []

    def content() -> Iterator[bytes]:
        said.append("first half")
        yield b"a" * MB
        said.append("second half")
        yield b"b" * MB

    with ZipStream() as stream:
        next(stream.add(Member("a.png", 2 * MB, AT), content()))

    assert said == ["first half", "second half"]


def test_nothing_is_handed_on_of_a_file_that_cannot_be_read_to_its_end():
    def content() -> Iterator[bytes]:
        yield b"half of it"
        raise OSError("the cable was pulled")

    with ZipStream() as stream, pytest.raises(OSError, match="cable"):
        next(stream.add(Member("a.png", 20, AT), content()))


@pytest.mark.parametrize("content", [b"", b"pictur", b"pictures"])
def test_a_file_has_the_length_that_was_promised(content):
    with ZipStream() as stream, pytest.raises(ValueError, match=r"a\.png"):
        next(stream.add(Member("a.png", len("picture"), AT), [content]))


def test_a_large_file_takes_little_memory():
    piece = bytes(MB)

    tracemalloc.start()
    with ZipStream() as stream:
        sent = sum(map(len, stream.add(Member("a.png", 100 * MB, AT), [piece] * 100)))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert sent > 100 * MB
    assert peak < 8 * MB
