"""A service that is started with a wrong setting says what is wrong, and ends."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from demo.machine import Machine
from demo.supervisor import Service


@pytest.fixture(params=["dispatcher", "worker"])
def service(request: pytest.FixtureRequest, tmp_path: Path) -> Service:
    """Return one of both services, not yet started."""
    service: Service = getattr(Machine(tmp_path), request.param)
    return service


def started(service: Service, **settings: str) -> subprocess.CompletedProcess[str]:
    """Start the service with these settings and wait for its end, which must come soon."""
    return subprocess.run(  # noqa: S603 - our own command
        service.command,
        env=dict(service.environment) | settings,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def test_all_that_is_wrong_with_the_settings_is_told_once(service):
    ended = started(service, IMAGE_STORE="ftp://pictures", OIDC_CALLERS="")

    told = [line.partition(":")[0] for line in ended.stderr.splitlines()]
    assert told[:-1] == ["setting IMAGE_STORE", "setting OIDC_CALLERS"]
    assert told[-1] == "docs/settings.md describes every setting"
    assert ended.returncode == 2


def test_a_store_that_cannot_be_opened_is_told(service, tmp_path):
    (tmp_path / "file").touch()

    ended = started(service, IMAGE_STORE=(tmp_path / "file" / "pictures").as_uri())

    assert "the image folder is in trouble: Not a directory" in ended.stderr.splitlines()
    assert ended.returncode != 0
