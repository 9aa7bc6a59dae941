"""`make demo` as a newcomer runs it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
from PIL import Image

from colorway.palette import CATALOGUE
from tests.journeys.travel import a_broken_photo, a_photo, eventually

SHOW = (sys.executable, "-m", "demo", "show")


def test_the_demo_leaves_seven_pictures_and_a_sheet_and_no_process(tmp_path: Path) -> None:
    out = tmp_path / "out"

    shown = _run(*SHOW, str(a_photo(tmp_path)), "--out", str(out), temporary=tmp_path)

    assert shown.returncode == 0, shown.stdout
    expected = {f"{palette.default_key()}.png" for palette in CATALOGUE} | {"contact-sheet.png"}
    assert {file.name for file in out.iterdir()} == expected
    for file in out.iterdir():
        with Image.open(file) as picture:
            picture.load()
    assert _processes_that_use(tmp_path) == []
    assert "speed-up" in shown.stdout


def test_palettes_from_a_file(tmp_path: Path) -> None:
    palettes = tmp_path / "palettes.json"
    palettes.write_text('[{"name": "Moss", "colors": ["#123", "#9a8"]}]')
    out = tmp_path / "out"

    shown = _run(
        *(*SHOW, str(a_photo(tmp_path)), "--out", str(out), "--palettes", str(palettes)),
        temporary=tmp_path,
    )

    assert shown.returncode == 0, shown.stdout
    assert {file.name for file in out.iterdir()} == {"moss.png", "contact-sheet.png"}


def test_a_file_that_is_no_picture_is_refused_in_one_line(tmp_path: Path) -> None:
    text = tmp_path / "notes.txt"
    text.write_text("not a picture")

    shown = _run(*SHOW, str(text), "--out", str(tmp_path / "out"), temporary=tmp_path)

    assert shown.returncode == 2
    assert "no picture we read" in shown.stdout
    assert "Traceback" not in shown.stdout
    assert not (tmp_path / "out").exists()


def test_palettes_that_are_not_valid_are_refused_before_anything_starts(tmp_path: Path) -> None:
    palettes = tmp_path / "palettes.json"
    palettes.write_text('[{"name": "Moss", "colors": ["#12", "#9a8"]}]')

    shown = _run(*SHOW, str(a_photo(tmp_path)), "--palettes", str(palettes), temporary=tmp_path)

    assert shown.returncode == 2
    assert "'#12' is not a colour" in shown.stdout


def test_a_picture_that_breaks_off_fails_the_demo_and_says_why(tmp_path: Path) -> None:
    out = tmp_path / "out"

    shown = _run(*SHOW, str(a_broken_photo(tmp_path)), "--out", str(out), temporary=tmp_path)

    assert shown.returncode == 1
    assert "nord: failed" in shown.stdout
    assert not out.exists()


def test_ctrl_c_leaves_no_process(tmp_path: Path) -> None:
    photo = a_photo(tmp_path, width=4000, height=3000)
    with subprocess.Popen(  # noqa: S603 - our own command
        [*SHOW, str(photo), "--out", str(tmp_path / "out")],
        env=_environment(tmp_path),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as demo:
        eventually(lambda: _processes_that_use(tmp_path), lambda found: len(found) > 5)

        demo.send_signal(signal.SIGINT)
        demo.wait(30)

    assert demo.returncode == 130
    assert _processes_that_use(tmp_path) == []
    assert not list(tmp_path.glob("colorway-demo-*"))


def _run(*command: str, temporary: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 - our own command
        command,
        env=_environment(temporary),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=120,
    )


def _environment(temporary: Path) -> dict[str, str]:
    """Let the demo keep its data where the test can see who uses it."""
    return dict(os.environ) | {"TMPDIR": str(temporary), "COLUMNS": "200"}


def _processes_that_use(folder: Path) -> list[str]:
    """Return the processes that were started with a TMPDIR of this test."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("TMPDIR") == str(folder):
                found.append(" ".join(process.cmdline()))
        except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
            continue
    return found
