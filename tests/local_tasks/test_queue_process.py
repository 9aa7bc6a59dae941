"""The real process: killed, doubled, misused, asked for help."""

import json
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import jwt
import pytest

from local_tasks.__main__ import main
from local_tasks.queue_settings import parse_declaration
from tests.local_tasks.stage import QUEUE, SOON, Target, client_at

COMMAND = [sys.executable, "-W", "error", "-m", "local_tasks"]
ANY_PORTS = ["--grpc", "127.0.0.1:0", "--http", "127.0.0.1:0"]

Serve = Callable[..., "tuple[subprocess.Popen[str], dict[str, Any]]"]


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Start the process on queue.db and read its ready line."""
    with ExitStack() as processes:

        def start(*arguments: str) -> "tuple[subprocess.Popen[str], dict[str, Any]]":
            process = processes.enter_context(
                subprocess.Popen(  # noqa: S603
                    [
                        *COMMAND,
                        "serve",
                        "--data",
                        str(tmp_path / "queue.db"),
                        *ANY_PORTS,
                        *arguments,
                    ],
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    text=True,
                )
            )
            processes.callback(stop, process)
            assert process.stdout is not None
            return process, json.loads(process.stdout.readline())

        yield start


def test_every_task_survives_kill_9(serve: Serve, target: Target):
    declared = ["--queue", f"{QUEUE},max_concurrent_dispatches=4,min_backoff=0.1,max_backoff=0.1"]
    process, ready = serve(*declared)
    target.hold()
    with client_at(ready["grpc"]) as client:
        for number in range(500):
            task = {"name": f"{QUEUE}/tasks/t{number}", "http_request": {"url": target.url}}
            client.create_task(parent=QUEUE, task=task)
    target.wait_for(4)
    process.kill()
    process.wait(SOON)
    target.release()

    serve(*declared)
    target.wait_until(lambda: len({request.task_id for request in target.received}) == 500)

    counts = [request.headers["X-CloudTasks-TaskRetryCount"] for request in target.received]
    assert counts.count("0") == 500  # each once before or after; only those in flight twice
    assert len(counts) <= 508


def test_every_task_survives_kill_9_in_the_middle_of_faults(serve: Serve, target: Target):
    declared = ["--queue", f"{QUEUE},max_concurrent_dispatches=4,min_backoff=0.1,max_backoff=0.1"]
    for fault in ("deliver_twice=0.5", "drop_answer=0.5", "delay=0.5", "max_delay=0.2"):
        declared += ["--fault", fault]
    process, ready = serve(*declared, "--fault", "reorder=0.5")
    target.hold()
    with client_at(ready["grpc"]) as client:
        for number in range(40):
            task = {"name": f"{QUEUE}/tasks/t{number}", "http_request": {"url": target.url}}
            client.create_task(parent=QUEUE, task=task)
    target.wait_for(4)
    process.kill()
    process.wait(SOON)
    target.release()

    second, _ = serve(*declared)
    target.wait_until(lambda: len({request.task_id for request in target.received}) == 40)
    second.send_signal(signal.SIGTERM)

    said = "".join(p.communicate(timeout=SOON)[1] for p in (process, second))
    for fault in ("delivered twice", "answer dropped", "delayed", "reordered"):
        assert f" WARNING fault: {fault}: task={QUEUE}/tasks/t" in said


def test_a_second_server_on_the_file_is_refused(serve: Serve, tmp_path: Path):
    serve()

    second = run("serve", "--data", str(tmp_path / "queue.db"), *ANY_PORTS)

    assert second.returncode == 2
    assert second.stderr.splitlines() == [
        f"local_tasks: {tmp_path / 'queue.db'} is in use by another local_tasks server"
    ]


def test_a_port_in_use_is_refused(serve: Serve, tmp_path: Path):
    _, ready = serve()
    http_address = ready["http"].removeprefix("http://")
    other = ["serve", "--data", str(tmp_path / "other.db")]

    same_grpc = run(*other, "--grpc", ready["grpc"], "--http", "127.0.0.1:0")
    same_http = run(*other, "--grpc", "127.0.0.1:0", "--http", http_address)

    for refused, address in ((same_grpc, ready["grpc"]), (same_http, http_address)):
        assert refused.returncode == 2
        assert refused.stderr.splitlines()[-1].startswith(
            f"local_tasks: cannot listen on {address}"
        )


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_it_at_once_even_with_an_attempt_in_flight(
    serve: Serve, target: Target, number: signal.Signals
):
    process, ready = serve("--queue", QUEUE)
    target.hold()
    with client_at(ready["grpc"]) as client:
        client.create_task(parent=QUEUE, task={"http_request": {"url": target.url}})
    target.wait_for(1)
    began_at = time.monotonic()

    process.send_signal(number)
    returned = process.wait(SOON)

    assert returned == 0
    assert time.monotonic() - began_at < 2


def test_it_says_where_it_listens_and_is_healthy(serve: Serve, tmp_path: Path):
    _, ready = serve("--ready-file", str(tmp_path / "ready.json"))

    with urllib.request.urlopen(f"{ready['http']}/health", timeout=SOON) as response:  # noqa: S310
        health = json.load(response)

    assert health == {"status": "ok"}
    assert ready["ready"] is True
    assert json.loads((tmp_path / "ready.json").read_text()) == ready


def test_a_token_is_minted_beside_the_running_server(serve: Serve, tmp_path: Path):
    _, ready = serve()

    minted = run(
        "token", "--data", str(tmp_path / "queue.db"), "--audience", "https://a", "--account", "b@c"
    )

    key = jwt.PyJWKClient(f"{ready['http']}/certs").get_signing_key_from_jwt(minted.stdout.strip())
    claims = jwt.decode(
        minted.stdout.strip(), key, algorithms=["RS256"], audience="https://a", issuer=ready["http"]
    )
    assert (minted.returncode, claims["email"]) == (0, "b@c")


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["serve"], "Missing option '--data'"),
        (["dance"], "No such command 'dance'"),
        (["serve", "--data", "q.db", "--nope"], "No such option: --nope"),
        (["serve", "--data", "q.db", "--grpc", "127.0.0.1"], "is not HOST:PORT"),
        (["serve", "--data", "q.db", "--grpc", "0.0.0.0:8123"], "is not a loopback address"),
        (["serve", "--data", "q.db", "--http", "192.168.1.2:80"], "is not a loopback address"),
        (["serve", "--data", "q.db", "--queue", "normal"], "Queue name must be formatted"),
        (
            ["serve", "--data", "q.db", "--queue", f"{QUEUE},speed=3"],
            "unknown queue setting 'speed'",
        ),
        (["serve", "--data", "q.db", "--queue", f"{QUEUE},min_backoff=x"], "must be a number"),
        (
            ["serve", "--data", "q.db", "--fault", "delay=2"],
            "--fault delay=2: delay is a probability",
        ),
        (["serve", "--data", "q.db", "--fault", "speed=1"], "there is no fault 'speed'; there are"),
        (["serve", "--data", "no/where/q.db"], "cannot be used: No such file or directory"),
        (["serve", "--data", "q.db", *ANY_PORTS, "--ready-file", "no/f"], "cannot be written"),
        (["token", "--data", "q.db", "--audience", "a", "--account", "b"], "cannot be read"),
    ],
)
def test_a_bad_argument_is_one_line_and_exit_2(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    complaint: str,
):
    monkeypatch.chdir(tmp_path)

    returned = main(arguments)

    said = capsys.readouterr()
    assert (returned, said.out) == (2, "")
    assert len(said.err.splitlines()) == 1
    assert said.err.startswith("local_tasks: ")
    assert complaint in said.err


def test_help_names_the_commands_and_every_setting():
    everything = run("--help").stdout + run("serve", "--help").stdout

    for word in (
        "serve",
        "token",
        "--data",
        "--queue",
        "max_concurrent_dispatches",
        "min_backoff",
        "--fault",
        "drop_answer",
    ):
        assert word in everything


def test_a_declaration_sets_what_it_names():
    name, settings = parse_declaration(
        f"{QUEUE},max_concurrent_dispatches=4,max_dispatches_per_second=2.5,max_attempts=-1,"
        "min_backoff=2s,max_backoff=60"
    )

    assert name == QUEUE
    assert settings.max_concurrent_dispatches == 4
    assert settings.max_dispatches_per_second == 2.5
    assert (settings.retry.max_attempts, settings.retry.max_doublings) == (-1, 16)
    assert (settings.retry.min_backoff, settings.retry.max_backoff) == (2.0, 60.0)


@pytest.mark.parametrize("setting", ["min_backoff=nan", "max_backoff=inf", "max_burst_size=1.5"])
def test_a_declaration_refuses_numbers_that_are_none(setting: str):
    with pytest.raises(ValueError, match="queue setting"):
        parse_declaration(f"{QUEUE},{setting}")


def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(  # noqa: S603
        [*COMMAND, *arguments],
        capture_output=True,
        text=True,
        timeout=SOON,
        check=False,
    )


def stop(process: "subprocess.Popen[str]") -> None:
    with suppress(ProcessLookupError):
        process.kill()
    process.wait(SOON)
