"""Whatever is killed, whenever: every accepted palette still ends exactly once."""

from __future__ import annotations

import os
import signal
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import grpc
from google.cloud import tasks_v2
from google.cloud.tasks_v2.services.cloud_tasks.transports import CloudTasksGrpcTransport
from sqlalchemy import select

from colorway.client import Client, Counts, Job
from colorway.ledger import lease
from colorway.ledger.connection import Ledger
from colorway.ledger.lease import Claim
from colorway.ledger.tables import jobs
from colorway.lifecycle import MAX_TRIES
from colorway.render_task import RenderTask
from demo.machine import QUEUES, TASK_CALLER, Machine
from tests.builders import with_tries
from tests.journeys.travel import (
    SEVEN,
    TWO,
    a_photo,
    eventually,
    finished,
    named,
    stored_files,
    tasks_of,
)


def test_a_palette_that_fails_for_good_leaves_the_others(
    machine: Machine, client: Client, its_ledger: Ledger, tmp_path: Path
) -> None:
    machine.worker.kill()
    job = client.submit(a_photo(tmp_path), named("one", "two", "three"))
    _die_for_the_last_time(its_ledger, tasks_of(its_ledger)[1])

    _start(machine, "worker")
    done = finished(client, job)

    assert done.status == "partial"
    assert [colorway.status for colorway in done.colorways] == [
        "completed",
        "failed",
        "completed",
    ]
    assert [c.error.code for c in done.colorways if c.error] == ["worker-lost"]
    assert done.counts == _counts(total=3, completed=2, failed=1)


def test_every_task_delivered_twice_renders_once(
    machine: Machine, client: Client, its_ledger: Ledger, tmp_path: Path
) -> None:
    machine.worker.kill()
    job = client.submit(a_photo(tmp_path), SEVEN)
    _deliver_again(machine, tasks_of(its_ledger))

    _start(machine, "worker")
    done = finished(client, job)

    assert done.counts == _counts(total=7, completed=7)
    assert done.stats.attempts == 7
    assert len(stored_files(machine.data / "pictures")) == 1 + 2 * 7


def test_a_worker_killed_while_it_renders(machine: Machine, client: Client, tmp_path: Path) -> None:
    job = client.submit(a_photo(tmp_path, width=3000, height=2000), SEVEN)
    eventually(lambda: client.job(job.id), _is_rendering)

    machine.worker.kill()
    _start(machine, "worker")
    done = finished(client, job)

    assert done.counts == _counts(total=7, completed=7)
    assert done.stats.retries > 0
    _assert_every_picture_is_there(machine, done)


def test_a_worker_asked_to_stop_gives_back_what_it_holds(
    machine: Machine, client: Client, tmp_path: Path
) -> None:
    job = client.submit(a_photo(tmp_path, width=3000, height=2000), SEVEN)
    eventually(lambda: client.job(job.id), _is_rendering)

    machine.worker.stop()
    given_back = client.job(job.id)
    _start(machine, "worker")
    done = finished(client, job)

    assert given_back.counts.processing == 0
    assert done.counts == _counts(total=7, completed=7)


def test_a_dispatcher_killed_between_commit_and_enqueue(
    machine: Machine, client: Client, its_ledger: Ledger, tmp_path: Path
) -> None:
    os.kill(machine.queue.pid, signal.SIGSTOP)  # whoever tells it anything must wait now
    with ThreadPoolExecutor(1) as elsewhere:
        submission = elsewhere.submit(client.submit, a_photo(tmp_path), SEVEN)
        eventually(lambda: tasks_of(its_ledger), lambda tasks: len(tasks) == 7)
        machine.dispatcher.kill()
        machine.queue.kill()
        _start(machine, "queue", "dispatcher")
        job = submission.result()  # the client has sent it again
    done = finished(client, job)

    assert done.counts == _counts(total=7, completed=7)
    assert _jobs_of(its_ledger) == [job.id]


def test_a_job_accepted_while_the_queue_is_away(
    machine: Machine, client: Client, tmp_path: Path
) -> None:
    machine.queue.kill()

    job = client.submit(a_photo(tmp_path), TWO)
    _start(machine, "queue")
    done = finished(client, job)

    assert done.counts == _counts(total=2, completed=2)


def test_a_queue_killed_with_tasks_in_it(machine: Machine, client: Client, tmp_path: Path) -> None:
    machine.worker.kill()
    job = client.submit(a_photo(tmp_path), SEVEN)

    machine.queue.kill()
    _start(machine, "queue", "worker")
    done = finished(client, job)

    assert done.counts == _counts(total=7, completed=7)
    assert done.stats.attempts == 7


def test_a_queue_that_has_lost_all_its_tasks_and_its_key(
    machine: Machine, client: Client, tmp_path: Path
) -> None:
    finished(client, client.submit(a_photo(tmp_path), TWO))  # the worker knows the old key now
    os.kill(machine.worker.pid, signal.SIGSTOP)
    job = client.submit(a_photo(tmp_path, width=400), SEVEN)

    machine.queue.kill()
    for file in machine.data.glob(f"{machine.queue_file.name}*"):
        file.unlink()
    _start(machine, "queue")
    os.kill(machine.worker.pid, signal.SIGCONT)
    done = finished(client, job)

    assert done.counts == _counts(total=7, completed=7)


def _start(machine: Machine, *names: str) -> None:
    services = [service for service in machine.services if service.name in names]
    for service in services:
        service.start()
    for service in services:
        service.wait_until_ready()


def _die_for_the_last_time(ledger: Ledger, task: RenderTask) -> None:
    """Play a worker that takes the lease and dies, as others did before it."""
    moment = datetime.now(UTC) - timedelta(hours=1)
    with ledger.transaction() as session:
        with_tries(session, task, MAX_TRIES - 1)
        held = lease.claim(session, task, now=moment, lease_for=timedelta(seconds=1))
    assert isinstance(held, Claim)


def _deliver_again(machine: Machine, tasks: list[RenderTask]) -> None:
    """Give the real queue a second task for each colorway, under names of its own."""
    worker = tasks_v2.HttpRequest(
        url=f"{machine.worker_url}/internal/tasks/render",
        oidc_token=tasks_v2.OidcToken(
            service_account_email=TASK_CALLER, audience=machine.worker_url
        ),
    )
    address = f"127.0.0.1:{machine.ports.queue_grpc}"
    with grpc.insecure_channel(address) as channel:
        queue = tasks_v2.CloudTasksClient(transport=CloudTasksGrpcTransport(channel=channel))
        for task in tasks:
            worker.body = task.to_json()
            queue.create_task(
                parent=QUEUES.replace("{priority}", "high"),
                task=tasks_v2.Task(http_request=worker),
            )


def _jobs_of(ledger: Ledger) -> list[str]:
    with ledger.reading() as session:
        return [str(job) for job in session.scalars(select(jobs.c.id))]


def _is_rendering(job: Job) -> bool:
    return bool(job.counts.processing)


def _assert_every_picture_is_there(machine: Machine, job: Job) -> None:
    stored = stored_files(machine.data / "pictures")
    assert {colorway.result.path for colorway in job.colorways if colorway.result} <= stored


def _counts(*, total: int, completed: int, failed: int = 0) -> Counts:
    """Return the five counts of a job that is done."""
    return Counts(
        total=total, pending=0, processing=0, completed=completed, failed=failed, cancelled=0
    )
