"""`make check-image` says what it cannot do, and with Docker looks at all that Cloud Run wants."""

from __future__ import annotations

import re
import subprocess

import pytest

from tests.databases import ROOT
from tests.deploy.fake_commands import Answer, FakeCommands, failing

STARTED = Answer("^docker run .*--detach", "container-1")
ENDED_WELL = Answer("^docker inspect .*ExitCode", "0")
KILLED = Answer("^docker inspect .*ExitCode", "137")


@pytest.fixture
def commands(tmp_path):
    return FakeCommands(tmp_path, "docker", "curl")


def check_image(commands, target, *answers):
    commands.answer(*answers)
    return subprocess.run(  # noqa: S603 - our own script
        [str(ROOT / "infra" / "check_image.sh"), target],
        env=commands.environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("target", ["dispatcher", "worker"])
def test_with_docker_an_image_is_built_and_run_read_only_until_it_is_told_to_stop(commands, target):
    done = check_image(commands, target, STARTED, ENDED_WELL)

    assert done.returncode == 0, done.stderr
    landmarks = [
        f"^docker build --target {target}",
        "^docker run --read-only --tmpfs /tmp .* sh -c",
        "^docker run --read-only --tmpfs /tmp .*--detach",
        "^curl --fail .*/health$",
        "^docker stop -t 10 container-1$",
        "^docker rm --force container-1$",
    ]
    left = iter(commands.calls)
    assert [mark for mark in landmarks if not any(re.search(mark, call) for call in left)] == []


@pytest.mark.parametrize(
    "trouble",
    [failing("^docker build"), failing("^docker run .* sh -c"), failing("^curl"), KILLED],
    ids=["no image", "not as it should be inside", "not healthy", "killed"],
)
def test_an_image_with_a_flaw_fails(commands, trouble):
    done = check_image(commands, "worker", trouble, STARTED, ENDED_WELL)

    assert done.returncode != 0
    assert "as it should be" not in done.stdout


def test_where_nothing_can_build_images_it_says_so(commands):
    done = check_image(commands, "worker", failing("^docker info"))

    assert done.returncode == 1
    assert "NOTHING HERE CAN BUILD IMAGES" in done.stderr


def test_there_is_no_third_image(commands):
    assert check_image(commands, "local_tasks").returncode == 2
