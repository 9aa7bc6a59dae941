"""What others know of Terraform files in general: Terraform itself, and checkov."""

from __future__ import annotations

import re

import pytest

from tests.infra.terraform import ENVIRONMENTS, INFRA, SKIPS, checkov


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_terraform_finds_format_types_and_its_own_tests_right(judge, environment):
    done = judge.validate(environment)

    assert done.returncode == 0, done.stdout
    assert re.search(r"Success! [1-9]\d* passed, 0 failed", done.stdout)


def test_checkov_finds_nothing_in_the_files(judge):
    done = checkov("--framework", "terraform", "--directory", str(INFRA))

    assert done.returncode == 0, done.stdout
    assert "Parsing errors" not in done.stdout
    assert re.search(r"Passed checks: [1-9]\d+, Failed checks: 0", done.stdout)


def test_every_skip_has_a_reason():
    skips = re.findall(r"^  - (.*)$", SKIPS.read_text(), flags=re.MULTILINE)

    assert skips
    assert [skip for skip in skips if not re.fullmatch(r"CKV2?_\w+ # .{20,}", skip)] == []


def test_no_lock_of_a_stub_is_kept():
    """Its hashes would be the stub's; the first `terraform init` writes the real one."""
    assert not (INFRA / ".terraform.lock.hcl").exists()
