"""The trigger that Terraform makes sets just what the build asks for."""

from __future__ import annotations

import re

from tests.databases import ROOT
from tests.deploy.cloud_build import BUILD

BUILD_TF = (ROOT / "infra" / "build.tf").read_text()


def test_the_trigger_sets_every_substitution_and_no_other():
    block = re.search(r"substitutions = \{(.*?)\n  \}", BUILD_TF, flags=re.DOTALL)[1]

    assert set(re.findall(r"^\s+(_\w+)\s+=", block, flags=re.M)) == set(BUILD["substitutions"])


def test_the_trigger_names_the_service_account_which_logs_to_cloud_logging_alone():
    assert 'service_account = google_service_account.identity["deployer"].id' in BUILD_TF
    assert BUILD["options"]["logging"] == "CLOUD_LOGGING_ONLY"
