"""What checkov sees only in a plan: values that the files leave to variables."""

from __future__ import annotations

import re

import pytest

from tests.infra.terraform import ENVIRONMENTS, checkov


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_checkov_finds_nothing_in_a_plan(judge, environment):
    done = checkov("--framework", "terraform_plan", "--file", str(judge.plan_of(environment)))

    assert done.returncode == 0, done.stdout
    assert re.search(r"Passed checks: [1-9]\d+, Failed checks: 0", done.stdout)
