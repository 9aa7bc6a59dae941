"""`python -m colorway` against the whole machine, as a newcomer runs it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from colorway.client import Client
from demo.machine import Machine
from tests.journeys.travel import a_broken_photo, a_photo

PALETTES = (
    '[{"name": "Moss", "colors": ["#123", "#9a8"]}, {"name": "Ink", "colors": ["#111", "#fff"]}]'
)


@pytest.fixture
def palettes(tmp_path: Path) -> Path:
    file = tmp_path / "palettes.json"
    file.write_text(PALETTES)
    return file


def test_one_command_from_a_photo_to_its_colorways(
    machine: Machine, client: Client, palettes: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"

    ran = _colorway(machine, "submit", str(a_photo(tmp_path)), str(palettes), "--out", str(out))

    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.split() == [str(out / "moss.png"), str(out / "ink.png")]
    for file in out.iterdir():
        with Image.open(file) as picture:
            picture.load()
    assert [job.status for job in client.jobs()] == ["completed"]


def test_a_job_that_fails_says_why(machine: Machine, palettes: Path, tmp_path: Path) -> None:
    ran = _colorway(machine, "submit", str(a_broken_photo(tmp_path)), str(palettes), "--wait")

    assert ran.returncode == 1
    assert "moss: " in ran.stderr
    assert "is failed" in ran.stderr
    assert "Traceback" not in ran.stderr


def _colorway(machine: Machine, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "-m", "colorway", *arguments],
        env=dict(os.environ)
        | {"COLORWAY_URL": machine.dispatcher_url, "COLORWAY_API_KEY": machine.api_key},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
