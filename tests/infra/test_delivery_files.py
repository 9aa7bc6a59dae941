"""What others know of builds, images and shell scripts in general."""

from __future__ import annotations

import pytest

from tests.databases import ROOT
from tests.infra.terraform import TOOLS, run

SCRIPTS = sorted((ROOT / "infra").rglob("*.sh"))


@pytest.mark.parametrize(
    "command",
    [
        ["check-jsonschema", "--builtin-schema", "vendor.cloudbuild", "cloudbuild.yaml"],
        ["hadolint", "Dockerfile"],
        ["shellcheck", *map(str, SCRIPTS)],
    ],
    ids=lambda command: command[0],
)
def test_there_is_nothing_to_complain_about(command):
    done = run([str(TOOLS / command[0]), *command[1:]])

    assert done.returncode == 0, done.stdout


def test_there_are_scripts():
    assert len(SCRIPTS) > 5
