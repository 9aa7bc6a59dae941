"""SIGTERM: nothing new is begun, what is under way is given back, and the process ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import Event

import pytest
import requests

from colorway.errors import TryLater
from colorway.image_store.local_folder import LocalFolderStore
from colorway.ledger.connection import Ledger
from colorway.lifecycle import Status
from demo.supervisor import free_port
from local_tasks.clock import SystemClock
from local_tasks.oidc import TokenMint, new_key_pem
from local_tasks.web import Web
from palette_worker.attempt import Outcome, attempt
from tests.palette_worker.workplace import (
    SOON,
    a_bench,
    a_placed_job,
    colorway_of,
    job_of,
    results_in,
    until,
)

HOUSE = Path(__file__).parents[2]
CALLER = "tasks@colorway.local"


def test_a_task_that_comes_while_stopping_is_not_begun(bench):
    _, [task] = a_placed_job(bench)
    bench.draining.set()

    with pytest.raises(TryLater, match="stopping"):
        attempt(task, bench)

    row = colorway_of(bench, task)
    assert (row.status, row.attempts, row.error) == (Status.PENDING, 0, None)


def test_an_attempt_gives_back_between_its_steps(bench, store):
    job, [task] = a_placed_job(bench)
    store.before["open"] = lambda key: bench.draining.set()

    with pytest.raises(TryLater, match="stopping"):
        attempt(task, bench)

    row = colorway_of(bench, task)
    assert (row.status, row.tries, row.attempts) == (Status.PENDING, 0, 1)
    assert job_of(bench, job).processing == 0
    assert results_in(store) == set()


def test_a_picture_that_is_stored_is_still_finished(bench, store):
    _, [task] = a_placed_job(bench)
    store.after["put"] = lambda key: key.endswith(".thumb.webp") and bench.draining.set()

    assert attempt(task, bench) is Outcome.COMPLETED


def test_what_was_given_back_under_an_upload_comes_again(shared_bench, store):
    bench = shared_bench
    _, [task] = a_placed_job(bench)
    is_uploading, may_go_on = Event(), Event()

    def stall(key):
        is_uploading.set()
        assert may_go_on.wait(SOON)

    store.before["put"] = stall
    with ThreadPoolExecutor(1) as pool:
        stuck = pool.submit(attempt, task, bench)
        assert is_uploading.wait(SOON)
        bench.draining.set()
        bench.heartbeat.give_back_all()
        assert colorway_of(bench, task).status is Status.PENDING
        may_go_on.set()
        with pytest.raises(TryLater):  # the queue must keep the task
            stuck.result(SOON)

    row = colorway_of(bench, task)
    assert (row.status, row.tries) == (Status.PENDING, 0)
    assert results_in(store) == set()


# The real process


@contextmanager
def a_worker_process(ledger, folder):
    """Run gunicorn with a grace of two seconds; yield it, its URL and a token for it."""
    web, port = Web("127.0.0.1", 0), free_port()
    url = f"http://127.0.0.1:{port}"
    mint = TokenMint(new_key_pem(), issuer=web.url, clock=SystemClock())
    web.start(mint.certificates(), issuer=web.url)
    environment = os.environ | {
        "PORT": str(port),
        "GRACE_S": "2",
        "DATABASE_URL": str(ledger.engine.url),
        "IMAGE_STORE": (folder / "pictures").as_uri(),
        "LINK_SIGNING_KEY": "k" * 32,
        "OIDC_ISSUER": web.url,
        "OIDC_CERTS_URL": f"{web.url}/certs",
        "OIDC_CALLERS": CALLER,
        "WORKER_URL": url,
    }
    configuration = str(HOUSE / "palette_worker" / "gunicorn.conf.py")
    command = [sys.executable, "-m", "gunicorn", "-c", configuration, "palette_worker.wsgi:app"]
    with (folder / "worker.log").open("wb") as log:
        process = subprocess.Popen(  # noqa: S603 - our own command
            command, cwd=HOUSE, env=environment, stdout=log, stderr=log, start_new_session=True
        )
    try:
        until(lambda: answers(url))
        yield process, url, mint.token(CALLER, url)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        web.stop()


def answers(url):
    try:
        return requests.get(f"{url}/health", timeout=2).ok
    except requests.ConnectionError:
        return False


def post(url, token, task):
    try:
        headers = {"Authorization": f"Bearer {token}"}
        render = f"{url}/internal/tasks/render"
        return requests.post(render, data=task.to_json(), headers=headers, timeout=SOON).status_code
    except requests.ConnectionError:  # cut off: the queue takes that as a reason to retry, too
        return None


def test_a_process_that_is_told_to_stop_gives_back_even_what_hangs(
    sqlite_ledger: Ledger, clock, tmp_path
):
    pictures = tmp_path / "pictures"
    bench = a_bench(sqlite_ledger, LocalFolderStore(pictures, "k" * 32), clock)
    job, [task] = a_placed_job(bench)
    [source] = (file for file in pictures.rglob("*") if file.is_file())
    source.unlink()
    os.mkfifo(source)  # to open it takes for ever

    with (
        a_worker_process(sqlite_ledger, tmp_path) as (process, url, token),
        ThreadPoolExecutor(1) as pool,
    ):
        answer = pool.submit(post, url, token, task)
        until(lambda: colorway_of(bench, task).status is Status.PROCESSING)
        process.send_signal(signal.SIGTERM)
        process.wait(SOON)
        assert answer.result(SOON) is None

    row = colorway_of(bench, task)
    assert (row.status, row.tries, row.leased_until) == (Status.PENDING, 0, None)
    assert row.error["code"] == "worker-stopped"
    assert job_of(bench, job).processing == 0


def test_a_process_without_work_stops_at_once(sqlite_ledger: Ledger, tmp_path):
    with a_worker_process(sqlite_ledger, tmp_path) as (process, _, _):
        process.send_signal(signal.SIGTERM)
        assert process.wait(SOON) == 0
