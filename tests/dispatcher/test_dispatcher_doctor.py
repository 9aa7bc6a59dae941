"""`python -m dispatcher.doctor`: the real command, and its checks on real queues."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import pytest

from colorway.doctor.agreement import Sides
from colorway.doctor.finding import Finding
from demo.supervisor import free_port
from dispatcher.doctor import check_queues, facts_of, own_checks
from local_tasks.queue_settings import QueueSettings
from local_tasks.retry import RetryRules
from palette_worker.doctor import facts_of as facts_of_worker
from palette_worker.settings import Settings as WorkerSettings
from tests.colorway.doctor.verdicts import the_wrong_one, verdicts
from tests.dispatcher.stage import CALLER, Stage, local_queue, on_stage

HOUSE = Path(__file__).parents[2]
NEVER_GIVES_UP = RetryRules(max_attempts=-1, min_backoff=2, max_backoff=60)
QUEUES = ["queue high", "queue normal", "queue low"]


@pytest.fixture
def sound(sqlite_ledger, tmp_path) -> Iterator[Stage]:
    """A dispatcher whose queues are as they should be: together they send 9 tasks at once."""
    settings = QueueSettings(max_concurrent_dispatches=3, retry=NEVER_GIVES_UP)
    with (
        local_queue(tmp_path, settings) as queue,
        on_stage(
            sqlite_ledger,
            tmp_path,
            queue.grpc_address,
            oidc_issuer=queue.http_url,
            oidc_certs_url=f"{queue.http_url}/certs",
        ) as stage,
    ):
        yield stage


def alone(stage: Stage) -> Sides:
    return Sides.of(facts_of(stage.settings), None, dispatchers=1, workers=1, request_timeout=None)


def queues(stage: Stage, sides: Sides | None = None) -> list[Finding]:
    return list(check_queues(stage.settings, sides or alone(stage)))


def run(stage: Stage, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """Run the command with the settings of this dispatcher."""
    given = stage.settings
    environment = {
        "DATABASE_URL": given.database_url,
        "IMAGE_STORE": given.image_store,
        "LINK_SIGNING_KEY": given.link_signing_key.get_secret_value(),
        "OIDC_ISSUER": given.oidc_issuer,
        "OIDC_CERTS_URL": given.oidc_certs_url,
        "OIDC_CALLERS": CALLER,
        "TASK_CALLER": CALLER,
        "TASK_QUEUES": given.task_queues,
        "CLOUD_TASKS_EMULATOR_HOST": given.cloud_tasks_emulator_host or "",
        "WORKER_URL": given.worker_url,
        "DISPATCHER_URL": given.dispatcher_url,
    }
    return subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "-m", "dispatcher.doctor", *arguments],
        env=dict(os.environ) | environment | settings,
        cwd=HOUSE,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_sound_queues(sound):
    assert verdicts(queues(sound)) == dict.fromkeys(QUEUES, "right") | {
        "queues and slots": "unseen"
    }


@pytest.mark.parametrize(
    ("retry", "says"),
    [
        (RetryRules(max_attempts=3, min_backoff=2, max_backoff=60), "gives up after 3 attempts"),
        (
            RetryRules(max_attempts=-1, max_retry_duration=3600, min_backoff=2, max_backoff=60),
            "gives up after 1:00:00",
        ),
        (RetryRules(max_attempts=-1, min_backoff=0.1, max_backoff=60), "waits 0.1 to 60 s"),
        (RetryRules(max_attempts=-1, min_backoff=2, max_backoff=3600), "waits 2 to 3600 s"),
    ],
)
def test_queues_that_lose_tasks_or_hurry(sqlite_ledger, tmp_path, retry, says):
    with (
        local_queue(tmp_path, QueueSettings(retry=retry)) as queue,
        on_stage(sqlite_ledger, tmp_path, queue.grpc_address) as stage,
    ):
        found = queues(stage)

    flaws = [finding for finding in found if finding.verdict == "wrong"]
    assert [flaw.what for flaw in flaws] == QUEUES
    assert all(says in flaw.detail for flaw in flaws)
    assert all("max_attempts=-1" in flaw.fix for flaw in flaws)


def test_queues_that_are_not_there(sqlite_ledger, tmp_path, idle_queue):
    elsewhere = "projects/test/locations/here/queues/other-{priority}"
    with on_stage(sqlite_ledger, tmp_path, idle_queue.grpc_address, task_queues=elsewhere) as stage:
        flaw = the_wrong_one(queues(stage))

    assert "there is no projects/test/locations/here/queues/other-high" in flaw.detail
    assert "TASK_QUEUES" in flaw.fix


def test_queues_that_cannot_be_asked(sqlite_ledger, tmp_path):
    with on_stage(sqlite_ledger, tmp_path, f"127.0.0.1:{free_port()}") as stage:
        flaw = the_wrong_one(queues(stage))

    assert "CLOUD_TASKS_EMULATOR_HOST" in flaw.fix


def test_queues_that_may_not_be_looked_at(sqlite_ledger, tmp_path):
    def refuse(_request: bytes, context: grpc.ServicerContext) -> None:
        context.abort(grpc.StatusCode.PERMISSION_DENIED, "cloudtasks.queues.get is denied")

    class Refusing(grpc.GenericRpcHandler):
        def service(self, _call: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler:
            return grpc.unary_unary_rpc_method_handler(refuse)

    server = grpc.server(ThreadPoolExecutor(1), handlers=(Refusing(),))
    address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    try:
        with on_stage(sqlite_ledger, tmp_path, address) as stage:
            flaw = the_wrong_one(queues(stage))
    finally:
        server.stop(grace=None).wait()

    assert "roles/cloudtasks.viewer" in flaw.fix


@pytest.mark.parametrize(("threads", "verdict"), [(9, "right"), (8, "wrong")])
def test_no_more_is_sent_than_the_workers_have_slots(sound, threads, verdict):
    shared = sound.settings.model_dump(exclude={"threads"}) | {"threads": threads}
    worker = facts_of_worker(WorkerSettings.model_validate(shared))
    ours = facts_of(sound.settings)
    sides = Sides.of(ours, worker, dispatchers=1, workers=1, request_timeout=None)

    assert verdicts(queues(sound, sides))["queues and slots"] == verdict


def test_a_caller_of_its_own_tasks_whom_it_would_turn_away(sqlite_ledger, tmp_path, idle_queue):
    with on_stage(
        sqlite_ledger, tmp_path, idle_queue.grpc_address, oidc_callers=["other@example.com"]
    ) as stage:
        found = verdicts(own_checks(stage.settings, alone(stage)))

    assert found["caller of our own tasks"] == "wrong"


def test_pictures_that_a_cleanup_would_take_before_they_are_recorded(sqlite_ledger, tmp_path):
    with (
        local_queue(tmp_path) as queue,
        on_stage(sqlite_ledger, tmp_path, queue.grpc_address, keep_orphans_for=60) as stage,
    ):
        [orphans] = [it for it in own_checks(stage.settings, alone(stage)) if it.what == "orphans"]

    assert orphans.verdict == "wrong"
    assert "removed after 0:01:00" in orphans.detail


def test_a_sound_dispatcher_is_told_so(sound, tmp_path):
    before = {file: file.read_bytes() for file in tmp_path.rglob("*.db")}

    ran = run(sound)

    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout.endswith("dispatcher: nothing is wrong\n")
    assert "✗" not in ran.stdout
    assert sound.stored_keys() == []
    assert before.keys() == dict.fromkeys(tmp_path.rglob("*.db")).keys()


def test_what_is_wrong_comes_with_its_fix_and_all_the_rest_is_looked_at(sound):
    ran = run(sound, OIDC_CERTS_URL=f"{sound.settings.oidc_issuer}/nothing", OIDC_CALLERS="a@b.c")

    assert ran.returncode == 1
    wrong = [line for line in ran.stdout.splitlines() if line.startswith("✗")]
    assert [line.partition(":")[0] for line in wrong] == [
        "✗ issuer's keys",
        "✗ issuer",
        "✗ caller of our own tasks",
    ]
    assert all("→" in line for line in wrong)


def test_bad_settings_are_all_named_with_what_would_be_right(sound):
    ran = run(
        sound, LINK_SIGNING_KEY="hunter2", THREADS="0", DATABASE_URL="mysql://me:hunter2@db/it"
    )

    assert ran.returncode == 1
    wrong = [line for line in ran.stdout.splitlines() if line.startswith("✗")]
    assert [line.partition(":")[0].removeprefix("✗ setting ") for line in wrong] == [
        "DATABASE_URL",
        "LINK_SIGNING_KEY",
        "THREADS",
    ]
    assert "set it: SQLAlchemy URL of the ledger" in wrong[0]
    assert "hunter2" not in ran.stdout + ran.stderr


@pytest.mark.parametrize(
    ("variable", "value"), [("GRACE_S", "30"), ("WORKERS", "many"), ("PORT", "0")]
)
def test_what_gunicorn_reads_is_looked_at(sound, variable, value):
    ran = run(sound, **{variable: value})

    assert ran.returncode == 1
    assert f"✗ process: {variable} is {value!r}" in ran.stdout


def test_machines_get_one_document_without_secrets(sound):
    ran = run(sound, "--json")

    told = json.loads(ran.stdout)
    assert (ran.returncode, told["service"], told["healthy"]) == (0, "dispatcher", True)
    assert {finding["verdict"] for finding in told["findings"]} == {"right", "unseen"}
    assert told["facts"]["callers"] == [CALLER]
    assert sound.settings.link_signing_key.get_secret_value() not in ran.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ["--workers", "none"],
        ["--workers", "0"],
        ["--request-timeout", "soon"],
        ["--other", "nowhere.json"],
        ["--other", "pyproject.toml"],
        ["more"],
    ],
)
def test_bad_arguments_are_refused(sound, arguments):
    ran = run(sound, *arguments)

    assert (ran.returncode, ran.stdout) == (2, "")
    assert "usage: python -m dispatcher.doctor" in ran.stderr
    assert "Traceback" not in ran.stderr


def test_its_own_facts_are_no_other_side(sound, tmp_path):
    facts = tmp_path / "facts.json"
    facts.write_text(run(sound, "--facts").stdout)

    ran = run(sound, "--other", str(facts))

    assert ran.returncode == 2
    assert "the same service's doctor" in ran.stderr
