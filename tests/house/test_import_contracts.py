"""The import contracts hold, and each of them is able to break."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib

import pytest

from tests.databases import ROOT

PACKAGES = ("colorway", "dispatcher", "palette_worker", "local_tasks", "chaos")

# where · what · the contract that must break · what it must say
PLANTED = [
    (
        "palette_worker/__init__.py",
        "import dispatcher",
        "Services share colorway and never each other",
        "palette_worker -> dispatcher",
    ),
    (
        "colorway/__init__.py",
        "import palette_worker",
        "Services share colorway and never each other",
        "colorway -> palette_worker",
    ),
    (
        "local_tasks/__init__.py",
        "import colorway",
        "local_tasks imports nothing of ours",
        "local_tasks -> colorway",
    ),
    (
        "colorway/palette.py",
        "import colorway.job",
        "Inside colorway, imports point down",
        "colorway.palette -> colorway.job",
    ),
    (
        "colorway/doctor/finding.py",
        "import colorway.doctor.visit",
        "Inside the doctor, imports point down",
        "colorway.doctor.finding -> colorway.doctor.visit",
    ),
    (
        "colorway/client/bodies.py",
        "import colorway.client.calls",
        "Inside the client, imports point down",
        "colorway.client.bodies -> colorway.client.calls",
    ),
    (
        "colorway/client/wire.py",
        "import colorway.ledger.connection",
        "The client knows the service by HTTP alone",
        "colorway.client.wire -> colorway.ledger.connection",
    ),
    ("colorway/utils.py", "", "Inside colorway, imports point down", "- colorway.utils"),
    (
        "dispatcher/settings.py",
        "import dispatcher.app",
        "Inside dispatcher, imports point down",
        "dispatcher.settings -> dispatcher.app",
    ),
    ("dispatcher/helpers.py", "", "Inside dispatcher, imports point down", "- dispatcher.helpers"),
    (
        "palette_worker/settings.py",
        "import palette_worker.app",
        "Inside palette_worker, imports point down",
        "palette_worker.settings -> palette_worker.app",
    ),
    (
        "palette_worker/common.py",
        "",
        "Inside palette_worker, imports point down",
        "- palette_worker.common",
    ),
    (
        "palette_worker/rendering/oklab.py",
        "import palette_worker.rendering.lut",
        "Inside rendering, imports point down",
        "palette_worker.rendering.oklab -> palette_worker.rendering.lut",
    ),
    (
        "colorway/errors.py",
        "import sqlalchemy",
        "Rules and pixels touch no network, database or framework",
        "colorway.errors -> sqlalchemy",
    ),
    (
        "palette_worker/rendering/__init__.py",
        "import requests",
        "Rules and pixels touch no network, database or framework",
        "palette_worker.rendering -> requests",
    ),
    (
        "dispatcher/intake.py",
        "import google.cloud.tasks_v2",
        "Google's SDKs come in through one door each",
        "dispatcher.intake -> google",
    ),
    (
        "palette_worker/routes.py",
        "import jwt",
        "Tokens are read in one place",
        "palette_worker.routes -> jwt",
    ),
    (
        "dispatcher/task_queue.py",
        "import opentelemetry.trace",
        "OpenTelemetry is known in one place, which nothing imports at start",
        "dispatcher.task_queue -> opentelemetry",
    ),
    (
        "colorway/telemetry/traces.py",
        "import colorway.telemetry.logs",
        "Inside telemetry, imports point down",
        "colorway.telemetry.traces -> colorway.telemetry.logs",
    ),
    (
        "colorway/settings.py",
        "import flask",
        "colorway knows no web framework",
        "colorway.settings -> flask",
    ),
    (
        "dispatcher/app.py",
        "import PIL.Image",
        "The dispatcher never decodes a picture",
        "dispatcher.app -> PIL",
    ),
    (
        "chaos/auditor/evidence.py",
        "import colorway.lifecycle",
        "The auditor of chaos knows none of our code",
        "chaos.auditor.evidence -> colorway.lifecycle",
    ),
    (
        "chaos/auditor/history.py",
        "import chaos.observer",
        "Inside chaos, imports point down",
        "chaos.auditor.history -> chaos.observer",
    ),
    ("chaos/misc.py", "", "Inside chaos, imports point down", "- chaos.misc"),
    (
        "dispatcher/delivery.py",
        "import chaos",
        "Nothing that runs for real knows chaos",
        "dispatcher.delivery -> chaos",
    ),
]


def lint_imports(folder):
    """Run lint-imports there; return its exit code and what it says."""
    code = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    ran = subprocess.run(  # noqa: S603
        [sys.executable, "-c", code, "--no-cache"],
        cwd=folder,
        env={"PYTHONPATH": str(folder), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )
    return ran.returncode, ran.stdout + ran.stderr


@pytest.fixture(scope="module")
def verdict(tmp_path_factory):
    """What lint-imports says, by contract, of a house in which every contract is broken."""
    house = tmp_path_factory.mktemp("house")
    for package in PACKAGES:
        shutil.copytree(ROOT / package, house / package)
    shutil.copy(ROOT / "pyproject.toml", house)
    for file, line, _, _ in PLANTED:
        with (house / file).open("a") as module:
            module.write(f"\n{line}\n")

    code, said = lint_imports(house)

    assert code == 1, said
    titles_and_texts = re.split(r"^(.+)\n-{5,}\n", said, flags=re.MULTILINE)[1:]
    return dict(zip(titles_and_texts[::2], titles_and_texts[1::2], strict=True))


def test_the_contracts_hold():
    code, said = lint_imports(ROOT)

    assert code == 0, said


@pytest.mark.parametrize(("file", "line", "contract", "says"), PLANTED)
def test_what_a_contract_forbids_breaks_it(verdict, file, line, contract, says):
    assert re.search(rf"{re.escape(says)}( \(l\.\d+\))?$", verdict[contract], re.MULTILINE)


def test_every_contract_can_break(verdict):
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text())

    for contract in pyproject["tool"]["importlinter"]["contracts"]:
        assert contract["name"] in verdict
