"""`make check-infra` runs these; the suite leaves them out, and says so.

They take checkov and others, which `make check-infra` installs apart in .venv/infra, and Terraform,
which it can not: where that is missing, they fail.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tests.infra.terraform import ENVIRONMENTS, INFRA, STUB, Judge

IS_ASKED_FOR = "CHECK_INFRA" in os.environ
NEED_THE_STUB = [
    "test_policy.py",
    "test_planted_faults.py",
    "test_plans.py",
    "test_agrees_with_code.py",
    "test_build_graph.py",
    "test_capacity.py",
]

collect_ignore_glob = [] if IS_ASKED_FOR else ["test_*.py"]
if IS_ASKED_FOR and STUB is None:
    collect_ignore_glob = NEED_THE_STUB


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say what was not judged."""
    if not IS_ASKED_FOR:
        terminalreporter.write_line("infra/ was not judged: `make check-infra` does", yellow=True)
    elif STUB is None:
        left_out = ", ".join(NEED_THE_STUB)
        terminalreporter.write_line(f"TFCHECK is unset: not judged: {left_out}", yellow=True)


@pytest.fixture(scope="session")
def judge(tmp_path_factory: pytest.TempPathFactory) -> Judge:
    """The judge of infra/ as it is, which has applied every environment."""
    if shutil.which("terraform") is None:
        pytest.fail("TERRAFORM IS NOT INSTALLED, so nothing can judge infra/")
    judge = Judge(INFRA, tmp_path_factory.mktemp("infra"))
    if STUB:
        for environment in ENVIRONMENTS:
            done = judge.apply(environment)
            if done.returncode:
                pytest.fail(done.stdout)
    return judge


@pytest.fixture
def copy(tmp_path: Path) -> Judge:
    """The judge of a copy of infra/, to plant faults in."""
    folder = tmp_path / "infra"
    shutil.copytree(INFRA, folder, ignore=shutil.ignore_patterns(".terraform*"))
    return Judge(folder, tmp_path)
