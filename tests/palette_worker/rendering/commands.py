"""Ways to run the command as a process of its own, and what to run it with."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.databases import ROOT

NORD, DUSK = "#2e3440,#88c0d0,#eceff4", "#1d1135,#8e5bb5,#fbeffa"
COMMAND = (sys.executable, "-m", "palette_worker.rendering")
SOON = 60  # seconds


def command(
    arguments: str, *, stdin: bytes = b"", within: str = ":"
) -> subprocess.CompletedProcess[bytes]:
    """Run it as a process of its own; `within` is what a shell does first."""
    return subprocess.run(  # noqa: S603
        ["/bin/sh", "-c", f'{within}; exec "$@"', "sh", *COMMAND, *arguments.split()],
        input=stdin,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        timeout=SOON,
        check=False,
    )


def running(arguments: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(  # noqa: S603
        [*COMMAND, *arguments.split()],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


def names_in(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())
