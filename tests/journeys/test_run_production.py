"""`make run PROD=1` as an operator rehearses it: its own Postgres, a job, the doctors, Ctrl-C."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from colorway.client import Client
from demo.machine import HOUSE, running_file
from tests.journeys.travel import SEVEN, a_photo, eventually, finished


@pytest.fixture
def temporary() -> Iterator[Path]:
    """A folder for what should not stay; not pytest's, whose path is too long for a socket."""
    with tempfile.TemporaryDirectory(prefix="colorway-") as folder:
        yield Path(folder)


def test_it_runs_is_healthy_and_leaves_neither_processes_nor_a_database(
    temporary: Path, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    given = {name: said for name, said in os.environ.items() if name != "DATABASE_URL"}
    environment = given | {"TMPDIR": str(temporary), "COLUMNS": "200"}
    demo = [sys.executable, "-m", "demo"]
    with subprocess.Popen(  # noqa: S603 - our own command
        [*demo, "serve", "--prod", "--data", str(data)],
        env=environment,
        cwd=HOUSE,
        stdout=subprocess.PIPE,
        text=True,
    ) as serving:
        assert serving.stdout is not None
        eventually(serving.stdout.readline, lambda line: line.startswith("Ctrl-C"))
        runs = json.loads(running_file(data).read_text())
        with Client(runs["dispatcher"]["DISPATCHER_URL"], _key(data)) as client:
            done = finished(client, client.submit(a_photo(tmp_path), SEVEN))
        examined = subprocess.run(  # noqa: S603 - our own command
            [*demo, "doctor", "--prod", "--data", str(data)],
            env=environment,
            cwd=HOUSE,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        serving.send_signal(signal.SIGINT)
        serving.communicate(timeout=60)

    assert done.counts.completed == len(SEVEN)
    assert (examined.returncode, examined.stderr) == (0, "")
    assert "connections: 55 may be open" in examined.stdout  # 3 x 10 + 2 x (10 + 2) + 1
    assert (runs["dispatchers"], runs["workers"]) == (3, 2)
    assert running_file(data).exists() is False
    assert serving.returncode == 0
    assert list(temporary.iterdir()) == []


def _key(data: Path) -> str:
    return (data / "api_key").read_text().strip()
