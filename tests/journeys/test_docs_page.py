"""The four commands on /docs do what they say, typed as they stand there."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from pathlib import Path

import requests
from PIL import Image

from demo.machine import HOUSE, Machine


def test_from_a_picture_to_its_colorways_by_what_the_page_says(
    machine: Machine, tmp_path: Path
) -> None:
    page = requests.get(f"{machine.dispatcher_url}/docs", timeout=5).text
    key, submit, look, fetch = _commands_in(page)
    shutil.copy(HOUSE / "demo/pictures/coffee.jpg", tmp_path / "photo.jpg")
    key = key.replace("https://colorway.example", machine.dispatcher_url)  # as docs.js does
    key = key.replace("cw_…", machine.api_key)

    job = json.loads(_typed(f"{key}\n{submit}", tmp_path))
    look = look.replace("01a2…", job["id"])
    seen = json.loads(_typed(f"{key}\n{look}", tmp_path))
    _typed(f"{key}\nJOB={job['id']}\n{fetch}", tmp_path)

    assert (seen["id"], seen["status"]) == (job["id"], "completed")
    with Image.open(tmp_path / "nord.png") as nord:
        assert nord.size == (seen["image"]["width"], seen["image"]["height"])


def _commands_in(page: str) -> list[str]:
    blocks = re.findall(r"<pre><code>(.*?)</code></pre>", page, flags=re.DOTALL)
    return [html.unescape(re.sub(r"<[^>]+>", "", block)) for block in blocks]


def _typed(commands: str, folder: Path) -> str:
    """Return what a shell in this folder prints."""
    shell = ["bash", "-euc", commands]
    ran = subprocess.run(  # noqa: S603 - what our own page tells people to type
        shell, cwd=folder, capture_output=True, text=True, check=True, timeout=60
    )
    return ran.stdout
