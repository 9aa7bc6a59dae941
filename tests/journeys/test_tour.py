"""docs/api.md is true: its commands are run in a shell, and answers have the shape that it shows.

A block of ```sh is run; a block of ```json, ```http or ```text right behind it is what it prints.
`"…": "…"` in an object stands for more fields, null for whatever may come there. Of a text, numbers
and ids may differ.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from demo.machine import HOUSE, Machine

PAGE = HOUSE / "docs" / "api.md"
PICTURE = HOUSE / "demo" / "pictures" / "coffee.jpg"
MORE = "…"

_BLOCK = re.compile(r"```sh\n(.*?)```\n(?:```(json|http|text)\n(.*?)```\n)?", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Step:
    """Commands of the page, and what it says that they print."""

    commands: str
    kind: str
    shown: str


def steps() -> list[Step]:
    return [Step(*(part or "" for part in found)) for found in _BLOCK.findall(PAGE.read_text())]


def run(machine: Machine, folder: Path) -> list[str]:
    """Run every command of the page in one shell; return what each step printed."""
    script = "set -euo pipefail\n" + "\n".join(
        f"exec >{number}.out\n{step.commands}" for number, step in enumerate(steps())
    )
    done = subprocess.run(  # noqa: S603
        ["bash", "-c", script],  # noqa: S607
        cwd=folder,
        env={
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "URL": machine.dispatcher_url,
            "KEY": machine.api_key,
            "PICTURE": str(PICTURE),
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    printed = [(folder / f"{number}.out") for number in range(len(steps()))]
    texts = [file.read_text() for file in printed if file.exists()]
    assert (done.returncode, done.stderr) == (0, ""), f"after {texts[-1:]}"
    return texts


def differences(shown: Any, real: Any, place: str = "$") -> list[str]:
    """Return where the answer has another shape than what is shown."""
    if shown is None or real is None:
        return []
    if isinstance(shown, dict) and isinstance(real, dict):
        missing = shown.keys() - real.keys() - {MORE}
        unsaid = set() if MORE in shown else real.keys() - shown.keys()
        found = [f"{place}: {name} is not there" for name in missing]
        found += [f"{place}: {name} is not shown" for name in unsaid]
        for name in shown.keys() & real.keys():
            found += differences(shown[name], real[name], f"{place}.{name}")
        return found
    if isinstance(shown, list) and isinstance(real, list):
        return [
            difference
            for index, each in enumerate(real)
            for difference in differences(shown[0] if shown else None, each, f"{place}[{index}]")
        ]
    is_alike = isinstance(real, type(shown)) or {type(real), type(shown)} == {int, float}
    return [] if is_alike else [f"{place}: {real!r} where {shown!r} is shown"]


def differences_of_http(shown: str, real: str) -> list[str]:
    """Compare status, names of headers, and the body if one is shown."""
    said_head, _, said_body = shown.partition("\n\n")
    head, _, body = real.replace("\r\n", "\n").partition("\n\n")
    status, *headers = said_head.splitlines()
    names = {line.partition(":")[0].lower() for line in head.splitlines()}
    found = [] if head.startswith(status) else [f"{head.splitlines()[0]} where {status} is shown"]
    found += [
        f"{line} is not there" for line in headers if line.partition(":")[0].lower() not in names
    ]
    return found + (differences(json.loads(said_body), json.loads(body)) if said_body else [])


def without_numbers(text: str) -> str:
    """Return the text with its numbers, times and ids made alike."""
    return re.sub(r"[ \t]+", " ", re.sub(r"[0-9a-f]*\d[0-9a-f…:-]*", "0", text)).strip()


@pytest.mark.skipif(shutil.which("curl") is None, reason="the tour is made with curl")
def test_the_tour_of_the_api_is_as_its_page_says(machine: Machine, tmp_path: Path) -> None:
    folder = tmp_path / "tour"
    folder.mkdir()

    printed = run(machine, folder)

    found = []
    for step, real in zip(steps(), printed, strict=True):
        if step.kind == "http":
            found += differences_of_http(step.shown, real)
        elif step.kind == "json":
            found += differences(json.loads(step.shown), json.loads(real))
        elif step.kind == "text" and without_numbers(step.shown) != without_numbers(real):
            found.append(f"{real!r} where {step.shown!r} is shown")
    assert found == []
