"""What the schema of a build cannot say: its graph, its substitutions, its shell."""

from __future__ import annotations

from pathlib import Path

from tests.databases import ROOT
from tests.infra.terraform import STUB, TOOLS, run


def test_the_builds_graph_and_substitutions_are_right():
    judge = Path(STUB).with_name("cbcheck.py")

    done = run([str(TOOLS / "python"), str(judge), str(ROOT / "cloudbuild.yaml")])

    assert done.returncode == 0, done.stdout
