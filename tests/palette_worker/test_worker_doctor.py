"""`python -m palette_worker.doctor` beside the machine that runs, and its own checks."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from colorway.doctor.agreement import Sides
from demo.doctors import see_doctors
from demo.machine import HOUSE, TASK_CALLER, Machine
from palette_worker.doctor import check_lease, facts_of
from palette_worker.settings import Settings
from tests.colorway.doctor.verdicts import the_wrong_one, verdicts


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    machine = Machine(tmp_path_factory.mktemp("machine") / "data")
    with machine.running():
        yield machine


def doctor(
    machine: Machine, service: str, *arguments: str, **differs: str
) -> subprocess.CompletedProcess[str]:
    """Run a service's doctor in the environment of that service."""
    runs = json.loads(machine.running_file.read_text())
    return subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "-m", f"{service}.doctor", *arguments],
        env=dict(os.environ) | runs[service] | differs,
        cwd=HOUSE,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.fixture
def the_dispatchers(machine: Machine, tmp_path: Path) -> str:
    """What the dispatcher's doctor tells, as --other."""
    file = tmp_path / "dispatcher.json"
    file.write_text(doctor(machine, "dispatcher", "--facts").stdout)
    return f"--other={file}"


def wrong_lines(ran: subprocess.CompletedProcess[str]) -> list[str]:
    return [line for line in ran.stdout.splitlines() if line.startswith("✗")]


def test_both_find_nothing_wrong_with_a_healthy_machine(machine, capfd):
    assert see_doctors(machine.running_file) == 0

    said = capfd.readouterr().out
    assert "dispatcher: nothing is wrong" in said
    assert "palette_worker: nothing is wrong" in said
    assert {file.name for file in (machine.data / "pictures").rglob("*")} == {".unfinished"}


def test_a_healthy_worker_agrees_with_the_dispatcher(machine, the_dispatchers):
    ran = doctor(machine, "palette_worker", the_dispatchers, "--request-timeout=540")

    assert (ran.returncode, ran.stderr) == (0, "")
    assert {line[0] for line in ran.stdout.splitlines()[:-1]} == {"✓"}
    assert f"✓ task caller: {TASK_CALLER} is on the worker's list" in ran.stdout


@pytest.mark.parametrize(
    ("differs", "says"),
    [
        ({"WORKER_URL": "http://127.0.0.1:9"}, "WORKER_URL is http://127.0.0.1:"),
        ({"OIDC_CALLERS": "other@example.com"}, "is not on the worker's list: other@example.com"),
        ({"TIME_BUDGET": "600"}, "TIME_BUDGET 600 s is not below DISPATCH_DEADLINE 600 s"),
    ],
)
def test_what_does_not_fit_the_dispatcher_is_told(machine, the_dispatchers, differs, says):
    ran = doctor(machine, "palette_worker", the_dispatchers, **differs)

    assert ran.returncode == 1
    [line] = wrong_lines(ran)
    assert says in line
    assert "→" in line


def test_bad_settings_are_all_named(machine):
    ran = doctor(machine, "palette_worker", THREADS="0", OIDC_CALLERS="", IMAGE_STORE="pictures")

    assert ran.returncode == 1
    assert len(wrong_lines(ran)) == 3


def test_the_command_says_what_runs_nowhere(tmp_path):
    ran = subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "-m", "demo", "doctor", "--data", str(tmp_path)],
        cwd=HOUSE,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert ran.returncode == 2
    assert "nothing runs from" in ran.stdout


@pytest.mark.parametrize(
    "differs",
    [
        {"heartbeat_every": 31, "lease_for": 60},
        {"lease_for": 481, "time_budget": 480},
        {"slot_wait": 480, "time_budget": 480},
    ],
)
def test_leases_that_would_be_lost(differs):
    flaw = the_wrong_one(check_lease(*settings(**differs)))

    assert flaw.what == "lease"


def test_leases_as_they_should_be():
    assert verdicts(check_lease(*settings())) == {"lease": "right"}


def settings(**differs: float) -> tuple[Settings, Sides]:
    read = Settings.model_validate(
        {
            "database_url": "sqlite:///ledger.db",
            "image_store": "file:///pictures",
            "link_signing_key": "k" * 32,
            "oidc_callers": TASK_CALLER,
            "worker_url": "http://127.0.0.1:9",
            **differs,
        }
    )
    return read, Sides.of(facts_of(read), None, dispatchers=1, workers=1, request_timeout=None)
