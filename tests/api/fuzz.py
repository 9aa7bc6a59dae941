"""Calls the API as its OpenAPI document says, and as it does not: schemathesis on real processes.

    make fuzz-api SECONDS=600        for ten minutes, from a seed that is printed
    make fuzz-api SEED=7             from that seed

schemathesis.toml says what is checked, hooks.py what it must be told beyond the document.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import requests

from colorway.ledger.accounts import issue_key, open_account
from colorway.ledger.connection import Ledger
from demo.machine import HOUSE, Machine
from tests.api.pictures import broken
from tests.dispatcher.stage import a_job_part, a_picture, palettes

CONFIG = HOUSE / "tests/api/schemathesis.toml"
ACCOUNTS = ("studio", "agency")
JOBS, SLOTS = 16, 9
SECONDS = 60

SETTINGS = {
    "SOURCE_PORTS": "1",  # no image.url has it, so each is refused before its host is looked up
    "RATE_LIMIT": "1000000 per minute",  # it is counted and told, and does not stop the fuzzer
}


class Fuzzer:
    """schemathesis, and a machine with two accounts; the first has jobs and upload slots."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.document = f"{machine.dispatcher_url}/openapi.json"
        self._folder = machine.data
        keys = _two_accounts(machine.database_url)
        with requests.Session() as calls:
            calls.headers["Authorization"] = f"Bearer {keys[ACCOUNTS[0]]}"
            jobs = [_a_job(machine, calls, number) for number in range(JOBS)]
            slots = [_a_slot(machine, calls, number) for number in range(SLOTS)]
        self._write("keys.json", json.dumps({"auth": [_user(*each) for each in keys.items()]}))
        self._write("jobs.dict", _words(job["id"] for job in jobs))
        self._write("images.dict", _words(job["image"]["id"] for job in jobs))
        self._write("slots.dict", _words(slots))
        shutil.copy(CONFIG, self._folder)

    def run(
        self, *options: str, output: int | None = subprocess.PIPE
    ) -> subprocess.CompletedProcess[str]:
        """Call everything; the exit code is 0 if nothing was found, else the output says what."""
        return subprocess.run(  # noqa: S603 - our own command
            [
                *(sys.executable, "-W", "error", "-m", "schemathesis.cli", "--no-color"),
                *("--config-file", CONFIG.name, "run", self.document, *options),
            ],
            cwd=self._folder,
            env=dict(os.environ) | {"PYTHONPATH": str(HOUSE)},
            stdout=output,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )

    def answered(self) -> set[tuple[str, str, int]]:
        """Return method, path and status of everything that was answered, as the log has it."""
        log = (self.machine.logs / "dispatcher.log").read_text()
        lines = [json.loads(line) for line in log.splitlines() if line.startswith("{")]
        return {
            (line["method"].lower(), line["route"], line["status"])
            for line in lines
            if line["message"] == "request answered" and "method" in line  # else it was no HTTP
        }

    def _write(self, name: str, text: str) -> None:
        file = self._folder / name
        file.touch(mode=0o600)
        file.write_text(text)


@contextmanager
def a_fuzzer(folder: Path) -> Iterator[Fuzzer]:
    """Yield a fuzzer of a machine that runs in this folder."""
    machine = Machine(folder, settings=SETTINGS)
    with machine.running():
        yield Fuzzer(machine)


def _two_accounts(database_url: str) -> dict[str, str]:
    """Open two accounts and return a key of each."""
    ledger, now = Ledger(database_url), datetime.now(UTC)
    with ledger.transaction() as session:
        keys = {
            name: issue_key(session, open_account(session, name, now=now), now=now)
            for name in ACCOUNTS
        }
    ledger.dispose()
    return keys


def _user(name: str, key: str) -> dict[str, object]:
    """Return an account in the words of Web Fuzzing Commons."""
    header = {"name": "Authorization", "value": f"Bearer {key}"}
    return {"name": name, "fixedHeaders": [header]}


def _a_job(machine: Machine, calls: requests.Session, number: int) -> dict[str, Any]:
    """Submit a job and return it; most fail, for their picture is broken, and can be retried."""
    picture = broken(100 + number) if number % 3 else a_picture(color=100 + number)
    answer = calls.post(
        f"{machine.dispatcher_url}/v1/jobs",
        files={"image": picture, "job": a_job_part(palettes=palettes("nord", "spring"))},
        headers={"Prefer": "wait=20"},
    )
    answer.raise_for_status()
    job: dict[str, Any] = answer.json()
    return job


def _a_slot(machine: Machine, calls: requests.Session, number: int) -> str:
    """Return the id of an upload slot; every third one stays empty."""
    picture = a_picture(color=200 + number)
    announced = {
        "filename": "a.png",
        "bytes": len(picture),
        "sha256": hashlib.sha256(picture).hexdigest(),
        "content_type": "image/png",
    }
    slot = calls.post(f"{machine.dispatcher_url}/v1/images", json=announced).json()
    if number % 3:
        upload = slot["upload"]
        requests.put(
            upload["url"], picture, headers=upload["headers"], timeout=20
        ).raise_for_status()
    return str(slot["id"])


def _words(ids: Iterable[str]) -> str:
    return "".join(f'"{id}"\n' for id in ids)


def main() -> int:
    """Fuzz for as long as the command line says; return 1 if anything was found."""
    parser = argparse.ArgumentParser(prog="make fuzz-api")
    parser.add_argument("--seconds", type=int, default=SECONDS)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 31))  # noqa: S311
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, a_fuzzer(Path(folder)) as fuzzer:
        bounds = ("--max-time", str(asked.seconds), "--seed", str(asked.seed))
        return fuzzer.run(*bounds, output=None).returncode


if __name__ == "__main__":
    sys.exit(main())
