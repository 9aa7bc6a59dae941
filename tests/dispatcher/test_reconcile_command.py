"""`python -m dispatcher.reconciler`, as an operator runs it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from demo.supervisor import free_port
from tests.dispatcher.stage import QUEUES, Stage

HOUSE = Path(__file__).parents[2]


def run(
    stage: Stage, *arguments: str, module: str = "dispatcher.reconciler", **settings: str
) -> subprocess.CompletedProcess[str]:
    """Run the command with the settings of this dispatcher."""
    given = stage.settings
    environment = {
        "DATABASE_URL": given.database_url,
        "IMAGE_STORE": given.image_store,
        "LINK_SIGNING_KEY": given.link_signing_key.get_secret_value(),
        "OIDC_CALLERS": given.task_caller,
        "TASK_CALLER": given.task_caller,
        "TASK_QUEUES": QUEUES,
        "CLOUD_TASKS_EMULATOR_HOST": given.cloud_tasks_emulator_host or "",
        "WORKER_URL": given.worker_url,
        "DISPATCHER_URL": given.dispatcher_url,
        "OUTBOX_SILENT_FOR": "0",
    }
    return subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "-m", module, *arguments],
        env=dict(os.environ) | environment | settings,
        cwd=HOUSE,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_one_call_mends_what_it_finds_and_prints_it_as_one_line(stage: Stage) -> None:
    away = f"127.0.0.1:{free_port()}"
    stage.a_job("nord")

    nothing = run(stage)
    gone = run(stage, CLOUD_TASKS_EMULATOR_HOST=away, TASK_UNSEEN_FOR="0")

    assert (nothing.returncode, nothing.stderr) == (0, "")
    assert set(json.loads(nothing.stdout).values()) == {0}
    assert gone.returncode == 1
    assert "not all could be done" in gone.stderr
    assert "Traceback" not in gone.stderr


@pytest.mark.parametrize("module", ["dispatcher.reconciler", "dispatcher.cleanup"])
@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"IMAGE_STORE": "file:///dev/null/pictures"}, "the image folder is in trouble"),
        ({"SUPABASE_KEY": "sb_publishable_hunter2"}, "SUPABASE_KEY is neither a secret key nor"),
    ],
)
def test_a_store_that_cannot_be_opened_is_told_in_a_line(
    stage: Stage, module: str, settings: dict[str, str], told: str
) -> None:
    supabase = {"IMAGE_STORE": "supabase://pictures", "SUPABASE_URL": "http://127.0.0.1:1"}

    refused = run(stage, module=module, **supabase | settings)

    [line] = refused.stderr.splitlines()
    assert f"not all could be done: {told}" in line
    assert refused.returncode == 1


def test_everything_there_is_can_be_proven(stage: Stage) -> None:
    stage.a_job("nord")

    proven = run(stage, "--all")

    assert proven.returncode == 0, proven.stderr
    assert json.loads(proven.stdout)["wrong_counters"] == 0


def test_settings_that_are_missing_are_named(stage: Stage) -> None:
    refused = run(stage, DATABASE_URL="", WORKER_URL="nowhere")

    assert refused.returncode == 2
    assert "setting WORKER_URL" in refused.stderr
