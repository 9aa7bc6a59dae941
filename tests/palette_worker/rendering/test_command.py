"""`python -m palette_worker.rendering`: what it writes and what it says."""

from __future__ import annotations

import io
import json
import os
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from colorway.errors import InvalidRequest
from colorway.job import RenderOptions
from dispatcher.api.documents import OutputIn, RenderIn
from palette_worker.rendering.__main__ import main
from palette_worker.rendering.arguments import wanted
from tests.databases import ROOT
from tests.palette_worker.rendering.commands import DUSK, NORD, command, names_in
from tests.palette_worker.rendering.drawn_pictures import (
    LOGO_COLORS,
    a_palette,
    a_photo,
    file_of,
    opened,
    pixels,
    recolored_pixels,
)

Said = list[dict[str, Any]]
Run = Callable[..., Said]


@pytest.fixture
def run(folder: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    def said(*arguments: str) -> Said:
        code = main(arguments)
        told = capsys.readouterr()
        assert (code, told.err) == (0, "")
        return [json.loads(line) for line in told.out.splitlines()]

    return said


def test_one_line_tells_what_was_rendered(folder: Path, run: Run):
    (line,) = run("logo.png", "out.png", "--colors", "#001,#334455,#667788,#9ab")

    assert line["source"] == {
        "path": "logo.png",
        "width": 96,
        "height": 96,
        "format": "png",
        "frames": 1,
        "bytes": (folder / "logo.png").stat().st_size,
    }
    assert line["result"] == {
        "path": "out.png",
        "width": 96,
        "height": 96,
        "format": "png",
        "bytes": (folder / "out.png").stat().st_size,
    }
    assert line["palette"] == ["#000011", "#334455", "#667788", "#99aabb"]
    assert (line["flat"], line["flatness"]) == (True, 1.0)
    assert sorted(line["base_palette"]) == sorted(LOGO_COLORS)
    assert {(pair["from"], pair["to"]) for pair in line["matching"]} == {
        ("#1f3a93", "#000011"),
        ("#e74c3c", "#334455"),
        ("#f1c40f", "#667788"),
        ("#ffffff", "#99aabb"),
    }
    assert set(line["seconds"]) == {"decode", "render", "encode"}
    assert min(line["seconds"].values()) >= 0
    assert line["peak_memory_mb"] > 10
    assert "report" not in line
    assert "lut" not in line


def test_the_file_is_the_picture_in_its_palette(folder: Path, run: Run):
    (line,) = run("logo.png", "out.png", "--palette", "Harbour")

    became = {pair["from"]: pair["to"] for pair in line["matching"]}
    there = {"#{:02x}{:02x}{:02x}".format(*color) for color in colors_of(folder / "out.png")}
    assert there == set(became.values())


def test_several_palettes_are_written_to_a_folder_that_is_made(folder: Path, run: Run):
    lines = run("photo.png", "new/colorways", "--colors", NORD, "--palette", "ink", "--format=png")

    names = ["photo-2e3440-88c0d0-eceff4.png", "photo-ink.png"]
    assert [line["result"]["path"] for line in lines] == [f"new/colorways/{n}" for n in names]
    assert names_in(folder / "new/colorways") == sorted(names)
    assert lines[0]["palette"] == NORD.split(",")
    assert lines[0]["seconds"]["decode"] == lines[1]["seconds"]["decode"]  # decoded once


@pytest.mark.parametrize("out", ["there", "made/"])
def test_one_palette_goes_to_a_folder_that_exists_or_is_written_as_one(
    folder: Path, run: Run, out: str
):
    (folder / "there").mkdir()

    run("photo.png", out, "--palette", "nord", "--format", "jpeg")

    assert names_in(folder / out) == ["photo-nord.jpg"]


@pytest.mark.parametrize(
    ("out", "format"), [("o.png", "PNG"), ("o.webp", "WEBP"), ("o.jpg", "JPEG"), ("o.JPEG", "JPEG")]
)
def test_the_ending_says_the_format(folder: Path, run: Run, out: str, format: str):
    run("photo.png", out, "--colors", NORD)

    assert format_of((folder / out).read_bytes()) == format


def test_without_an_ending_the_engine_or_the_option_says_the_format(folder: Path, run: Run):
    run("photo.png", "small", "--colors", NORD)
    run("photo.png", "asked.bin", "--colors", NORD, "--format", "jpeg")

    assert format_of((folder / "small").read_bytes()) == "WEBP"
    assert format_of((folder / "asked.bin").read_bytes()) == "JPEG"


def test_webp_is_lossless_unless_a_quality_is_given(folder: Path, run: Run):
    run("photo.png", "a.png", "--colors", NORD)
    run("photo.png", "a.webp", "--colors", NORD)
    run("photo.png", "b.webp", "--colors", NORD, "--quality", "50")

    assert np.array_equal(levels(folder / "a.webp"), levels(folder / "a.png"))
    assert not np.array_equal(levels(folder / "b.webp"), levels(folder / "a.png"))


def test_quality_and_max_edge_reach_the_file(folder: Path, run: Run):
    (large,) = run("photo.png", "a.jpg", "--colors", NORD, "--quality", "95")
    (small,) = run("photo.png", "b.jpg", "--colors", NORD, "--quality", "20")
    (short,) = run("photo.png", "c.jpg", "--colors", NORD, "--max-edge", "60")

    assert small["result"]["bytes"] < large["result"]["bytes"] / 2
    assert opened((folder / "c.jpg").read_bytes()).size == (60, 45)
    assert (short["result"]["width"], short["result"]["height"]) == (60, 45)


def test_strength_and_luminance_reach_the_pixels(folder: Path, run: Run):
    palette = a_palette("#000044", "#ff8844", "#88ff88", "#111111")
    colors = ",".join(palette.colors)

    run("photo.png", "none.png", "--colors", colors, "--strength", "0")
    run("photo.png", "half.png", "--colors", colors, "--strength", "0.5")
    run("photo.png", "hue.png", "--colors", colors, "--no-preserve-luminance")

    half, hue = RenderOptions(strength=0.5), RenderOptions(preserve_luminance=False)
    assert np.array_equal(levels(folder / "none.png"), levels(folder / "photo.png"))
    assert np.array_equal(levels(folder / "half.png"), recolored_pixels(a_photo(), palette, half))
    assert np.array_equal(levels(folder / "hue.png"), recolored_pixels(a_photo(), palette, hue))


def test_the_report_says_how_near_the_result_is(run: Run):
    (line,) = run("logo.png", "out.png", "--colors", "#001,#334455,#667788,#9ab", "--report")

    report = line["report"]
    assert report["adherence"] < 0.5
    assert report["coverage"] < 0.5
    assert [row["color"] for row in report["palette"]] == line["palette"]
    assert sum(row["share"] for row in report["palette"]) == pytest.approx(1, abs=0.001)


def test_the_recoloring_is_written_as_a_table_too(folder: Path, run: Run):
    (line,) = run("photo.png", "out.png", "--colors", NORD, "--lut", "nord.cube")
    lines = run("photo.png", "out/", "--palette", "ink", "--colors", DUSK, "--lut", "tables")

    assert line["lut"] == "nord.cube"
    assert (
        (folder / "nord.cube").read_text().startswith('TITLE "Colorway #2e3440 #88c0d0 #eceff4"\n')
    )
    assert [line["lut"] for line in lines] == [
        "tables/photo-ink.cube",
        "tables/photo-1d1135-8e5bb5-fbeffa.cube",
    ]
    assert all((folder / line["lut"]).stat().st_size > 1_000_000 for line in lines)


def test_extract_prints_the_pictures_own_palette_and_writes_nothing(folder: Path, run: Run):
    before = names_in(folder)

    (line,) = run("logo.png", "--extract", "4")

    assert sorted(line["colors"]) == sorted(LOGO_COLORS)
    assert sum(line["shares"]) == pytest.approx(1, abs=0.001)
    assert names_in(folder) == before


def test_the_own_palette_gives_the_picture_back(folder: Path, run: Run):
    (own,) = run("logo.png", "--extract", "4")

    run("logo.png", "same.png", "--colors", ",".join(own["colors"]))

    assert np.array_equal(levels(folder / "same.png"), levels(folder / "logo.png"))


def test_an_older_file_is_replaced_and_a_link_stays_one(folder: Path, run: Run):
    (folder / "out.png").write_bytes(b"older")
    (folder / "link.png").symlink_to("out.png")

    run("photo.png", "link.png", "--colors", NORD)

    assert (folder / "link.png").is_symlink()
    assert format_of((folder / "out.png").read_bytes()) == "PNG"
    assert names_in(folder) == ["link.png", "logo.png", "out.png", "photo.png"]


def test_a_pipe_is_written_to_and_stays_one(folder: Path, run: Run):
    os.mkfifo(folder / "pipe")
    reader = os.open(folder / "pipe", os.O_RDONLY | os.O_NONBLOCK)

    run("logo.png", "pipe", "--colors", NORD, "--format", "png")

    assert format_of(os.read(reader, 1 << 20)) == "PNG"
    assert (folder / "pipe").is_fifo()
    os.close(reader)


@pytest.mark.parametrize(
    ("option", "rules"),
    [
        ("--strength", RenderIn.model_json_schema()["properties"]["strength"]),
        ("--quality", OutputIn.model_json_schema()["properties"]["quality"]),
        ("--max-edge", OutputIn.model_json_schema()["properties"]["max_edge"]["anyOf"][0]),
    ],
)
def test_the_command_allows_what_the_api_allows(folder: Path, option: str, rules: dict[str, Any]):
    least, most = rules["minimum"], rules["maximum"]

    def read(value: float) -> None:
        wanted(["photo.png", "out.jpg", "--palette", "ink", option, f"{value}"])

    read(least)
    read(most)
    for beyond in (least - 1, most + 1):
        with pytest.raises(InvalidRequest, match=f"from {least} to {most}"):
            read(beyond)


def test_every_command_in_help_and_docs_is_understood(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    with pytest.raises(SystemExit, match="0"):
        main(["--help"])
    examples = capsys.readouterr().out.partition("examples:\n")[2].splitlines()
    start = "python -m palette_worker.rendering "
    for page in ("README.md", "docs/rendering.md"):
        text = (ROOT / page).read_text().replace("\\\n", "").splitlines()
        commands = [
            line.partition(start)[2].partition(" < ")[0]
            for line in text
            if line.startswith(f".venv/bin/{start}")
        ]
        assert commands, page
        examples += commands
    monkeypatch.chdir(ROOT)

    for example in examples:
        wanted(shlex.split(example, comments=True))


def test_the_command_reads_and_writes_streams(folder: Path):
    done = command(f"- - --colors {NORD}", stdin=file_of(a_photo()))

    assert done.returncode == 0
    assert format_of(done.stdout) == "WEBP"
    assert json.loads(done.stderr)["result"]["path"] == "-"


def test_a_photo_of_12_megapixels_takes_less_than_250_mb(folder: Path):
    a_photo(400, 300).resize((4000, 3000)).save(folder / "large.jpg", quality=90)

    done = command(f"large.jpg out.png --colors {NORD} --report --lut out.cube")

    assert json.loads(done.stdout)["peak_memory_mb"] < 250


def format_of(body: bytes) -> str | None:
    with Image.open(io.BytesIO(body)) as image:
        return image.format


def levels(file: Path) -> np.ndarray[Any, np.dtype[np.int16]]:
    return pixels(opened(file.read_bytes()).convert("RGB"))


def colors_of(file: Path) -> set[tuple[int, ...]]:
    return {tuple(color) for color in levels(file).reshape(-1, 3).tolist()}
