"""`python -m palette_worker.rendering` where something is wrong: one line, and no file."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest
from PIL import Image

from palette_worker.rendering.__main__ import main
from tests.palette_worker.rendering.commands import DUSK, NORD, SOON, command, names_in, running
from tests.palette_worker.rendering.drawn_pictures import a_photo, file_of

REFUSED = {
    "": "the following arguments are required: IN",
    "photo.png": "OUT: missing",
    "photo.png o.png": "--colors: missing",
    "photo.png o.png --colors": "--colors: expected one argument",
    "photo.png o.png --colors #123": "--colors: 1 colours; a palette has 2 to 16",
    "photo.png o.png --colors #123,blue": "--colors: 'blue' is not a colour: write #rgb or #rrggbb",
    f"photo.png o.png --colors {','.join(['#123'] * 17)}": "--colors: 17 colours",
    "photo.png o.png --palette mauve": "--palette: there is no 'mauve' among nord, terracotta",
    "photo.png o.png --palette ink --strength 1.5": "--strength: '1.5' is not a number from 0 to 1",
    "photo.png o.png --palette ink --strength nan": "--strength: 'nan' is not a number",
    "photo.png o.jpg --palette ink --quality 0": "--quality: '0' is not a whole number from 1 to 1",
    "photo.png o.png --palette ink --max-edge 9.5": "--max-edge: '9.5' is not a whole number",
    "photo.png o.png --palette ink --format gif": "--format: invalid choice: 'gif'",
    "photo.png o.png --color #123,#456": "unrecognized arguments: --color #123,#456",
    "photo.png o.gif --palette ink": "o.gif: no format is called .gif",
    "photo.png o.png --palette ink --format jpeg": "o.png: the ending says png, --format says jpeg",
    "photo.png gone/o.png --palette ink": "gone/o.png: there is no folder gone",
    "photo.png o.png --palette ink --palette nord": "o.png: several palettes are written to a fold",
    "photo.png o/ --palette ink --palette INK": "--colors: the same palette twice",
    "photo.png logo.png/o --palette ink --palette nord": "logo.png/o: Not a directory",
    "photo.png - --palette ink --palette nord": "OUT: standard output takes one palette",
    "photo.png o.png --palette ink --lut o.txt": "o.txt: a table is written to a .cube file",
    "photo.png o.png --palette ink --lut gone/o.cube": "gone/o.cube: there is no folder gone",
    "photo.png photo.png --palette ink": "photo.png: this is the picture itself",
    "photo.png --extract 0": "--extract: '0' is not a whole number from 1 to 16",
    "photo.png --extract 17": "--extract: '17' is not a whole number from 1 to 16",
    "photo.png o.png --extract 3": "--extract: it prints the colours of IN and takes nothing else",
    "gone.png o.png --palette ink": "gone.png: No such file or directory",
    ". o.png --palette ink": ".: Is a directory",
    f"photo.png {'o' * 300}.png --palette ink": f"{'o' * 300}.png: File name too long",
}


@pytest.mark.parametrize("arguments", REFUSED)
def test_what_cannot_be_done_is_one_line_and_leaves_no_file(
    folder: Path, capsys: pytest.CaptureFixture[str], arguments: str
):
    code = main(arguments.split())

    told = capsys.readouterr()
    assert code == 2
    assert told.out == ""
    assert told.err.startswith(REFUSED[arguments])
    assert told.err.count("\n") == 1
    assert names_in(folder) == ["logo.png", "photo.png"]


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"", "the file is empty"),
        (b"a letter", "not a PNG, JPEG, WebP, GIF, AVIF or TIFF image"),
        (file_of(a_photo(), "JPEG")[:-900], "the JPEG file is damaged or cut short"),
        (file_of(Image.new("1", (8_000, 5_001))), "the image has 40,008,000 pixels; at most 40"),
        (bytes(50_000_001), "more than the 50,000,000 bytes that are decoded"),
    ],
    ids=["empty", "letter", "half a photo", "too many pixels", "too many bytes"],
)
def test_a_bad_picture_is_one_line_that_names_it(
    folder: Path, capsys: pytest.CaptureFixture[str], body: bytes, why: str
):
    (folder / "bad").write_bytes(body)

    code = main(["bad", "new/", "--colors", NORD])

    said = capsys.readouterr().err
    assert code == 2
    assert said.startswith("bad: ")
    assert why in said
    assert said.count("\n") == 1
    assert not (folder / "new").exists()


def test_the_source_is_not_overwritten_under_another_name(
    folder: Path, capsys: pytest.CaptureFixture[str]
):
    before = (folder / "photo.png").read_bytes()
    (folder / "photo-ink.png").hardlink_to(folder / "photo.png")

    code = main(["photo.png", "./", "--palette", "ink", "--format", "png"])

    assert (code, capsys.readouterr().err) == (
        2,
        "photo-ink.png: this is the picture itself, which is not overwritten\n",
    )
    assert (folder / "photo.png").read_bytes() == before


def test_the_command_says_one_line_and_exits_with_2(folder: Path):
    done = command("photo.png out.png --colors #123,#12g")

    assert done.returncode == 2
    assert done.stdout == b""
    assert done.stderr == b"--colors: '#12g' is not a colour: write #rgb or #rrggbb\n"


def test_a_full_disk_leaves_the_older_file_and_no_other(folder: Path):
    (folder / "out.png").write_bytes(b"older")

    done = command(f"photo.png out.png --colors {NORD}", within="ulimit -f 1")

    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr == b"out.png: File too large\n"
    assert (folder / "out.png").read_bytes() == b"older"
    assert names_in(folder) == ["logo.png", "out.png", "photo.png"]


def test_a_reader_that_leaves_ends_the_command_quietly(folder: Path):
    with running(f"- out/ --colors {NORD} --colors {DUSK}") as process:
        process.stdout.close()
        process.stdin.write(file_of(a_photo()))
        process.stdin.close()

        assert process.wait(SOON) == 141
        assert process.stderr.read() == b""


def test_a_full_standard_output_is_one_line(folder: Path):
    done = command(f"photo.png out.png --colors {NORD}", within="exec >/dev/full")

    assert done.returncode == 2
    assert done.stderr == b"standard output: No space left on device\n"


def test_ctrl_c_ends_the_command_quietly(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    class Interrupted(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            raise KeyboardInterrupt

    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(Interrupted()))

    code = main(["-", "out.png", "--colors", NORD])

    assert (code, capsys.readouterr()) == (130, ("", ""))
    assert names_in(folder) == ["logo.png", "photo.png"]
