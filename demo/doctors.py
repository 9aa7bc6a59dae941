"""Both doctors, one after the other, about the machine that runs here."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

DISPATCHER, WORKER = "dispatcher", "palette_worker"


def see_doctors(running: Path) -> int:
    """Let each tell its facts, then look at all and compare; return the worse of the exit codes."""
    runs = json.loads(running.read_text())
    sizes = [f"--dispatchers={runs['dispatchers']}", f"--workers={runs['workers']}"]
    with TemporaryDirectory() as folder:
        facts = {service: Path(folder) / service for service in (DISPATCHER, WORKER)}
        for service, file in facts.items():
            file.write_bytes(
                _doctor(service, runs, "--facts", stdout=subprocess.PIPE).stdout or b""
            )
        codes = [
            _doctor(service, runs, *sizes, f"--other={facts[other]}").returncode
            for service, other in ((DISPATCHER, WORKER), (WORKER, DISPATCHER))
        ]
    return max(codes)


def _doctor(
    service: str, runs: dict[str, Any], *arguments: str, stdout: int | None = None
) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "-m", f"{service}.doctor", *arguments],
        env=dict(os.environ) | runs[service],
        stdout=stdout,
        check=False,
    )
