"""What tests of a delivery may ask for."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.deploy.cloud_build import CloudBuild


@pytest.fixture
def cloud_build(tmp_path: Path) -> CloudBuild:
    return CloudBuild(tmp_path)
