"""From the outbox to the queue: inline, by the deliver route, and while the queue is away."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from uuid import UUID

import pytest
import requests

from colorway.render_task import RenderTask
from demo.supervisor import free_port
from local_tasks.queue_settings import QueueSettings
from local_tasks.server import LocalTasks
from tests.dispatcher.stage import Stage, local_queue, many_palettes, on_stage
from tests.served import served

BRISK = QueueSettings(max_dispatches_per_second=500, max_concurrent_dispatches=8)


class Worker(ThreadingHTTPServer):
    """Stands where the worker would, and notes which colorways it was sent, how often."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Route)
        self.received: list[UUID] = []
        self.url = f"http://127.0.0.1:{self.server_address[1]}"


class _Route(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        worker = self.server
        assert isinstance(worker, Worker)
        worker.received.append(RenderTask.from_json(body).colorway)
        self.send_response_only(204)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Tests are quiet."""


@contextmanager
def serving(server: Worker) -> Iterator[Worker]:
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def worker() -> Iterator[Worker]:
    with serving(Worker()) as worker:
        yield worker


@pytest.fixture
def tasks(tmp_path: Path) -> Iterator[LocalTasks]:
    with local_queue(tmp_path, BRISK) as tasks:
        yield tasks


@contextmanager
def live(ledger, folder, tasks: LocalTasks, worker: Worker, **matters) -> Iterator[Stage]:
    """Yield a dispatcher that the queue can call back over HTTP."""
    port = free_port()
    matters |= {
        "worker_url": worker.url,
        "dispatcher_url": f"http://127.0.0.1:{port}",
        "oidc_issuer": tasks.issuer,
        "oidc_certs_url": f"{tasks.http_url}/certs",
    }
    with (
        on_stage(ledger, folder, tasks.grpc_address, **matters) as stage,
        served(stage.app, port=port),
    ):
        yield stage
        tasks.settle()


def test_a_small_job_is_with_the_queue_when_post_answers(stage):
    job = stage.a_job("nord", "spring")

    assert stage.undelivered() == []
    assert job["counts"]["pending"] == 2


def test_five_hundred_palettes_reach_the_worker_by_way_of_the_deliver_route(
    sqlite_ledger, tmp_path, tasks, worker
):
    with live(sqlite_ledger, tmp_path, tasks, worker) as stage:
        image = {"id": stage.an_image()}

        job = stage.post_json({"image": image, "palettes": many_palettes(500)}).json["id"]

        assert tasks.settle(20)
        assert stage.undelivered() == []
        ordered = [row.id for row in stage.rows(job)]
    assert sorted(worker.received) == sorted(ordered)


def test_on_postgres_too(postgres_ledger, tmp_path, tasks, worker):
    with live(postgres_ledger, tmp_path, tasks, worker, enqueue_inline=2) as stage:
        job = stage.a_job(*(f"palette {number}" for number in range(10)))["id"]

        assert tasks.settle(20)
        assert stage.undelivered() == []
        ordered = [row.id for row in stage.rows(job)]
    assert sorted(worker.received) == sorted(ordered)


def test_the_deliver_route_is_for_the_queue_alone(sqlite_ledger, tmp_path, tasks, worker):
    with live(sqlite_ledger, tmp_path, tasks, worker) as stage:
        url = f"{stage.settings.dispatcher_url}/internal/deliver"

        bare = requests.post(url, json={"job": stage.a_job("nord")["id"]}, timeout=5)
        keyed = requests.post(url, headers=stage.headers, timeout=5)

    assert (bare.status_code, keyed.status_code) == (401, 401)


@contextmanager
def a_silent_queue() -> Iterator[str]:
    """Yield an address that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield f"127.0.0.1:{listening.getsockname()[1]}"


def test_while_the_queue_is_gone_jobs_are_accepted_and_kept(sqlite_ledger, tmp_path, idle_queue):
    with on_stage(sqlite_ledger, tmp_path, f"127.0.0.1:{free_port()}") as stage:
        image = {"id": stage.an_image()}
        began = time.perf_counter()

        answer = stage.post_json({"image": image, "palettes": many_palettes(100)})

        took = time.perf_counter() - began
        assert answer.status_code == 202
        assert took < 2
        assert len(stage.undelivered()) == 100


def test_while_the_queue_hangs_a_client_waits_no_longer(sqlite_ledger, tmp_path):
    with (
        a_silent_queue() as address,
        on_stage(sqlite_ledger, tmp_path, address) as stage,
    ):
        image = {"id": stage.an_image()}
        began = time.perf_counter()

        answer = stage.post_json({"image": image, "palettes": many_palettes(100)})

        took = time.perf_counter() - began
        assert answer.status_code == 202
        assert took < 2
        assert len(stage.undelivered()) == 100


def test_what_was_kept_is_delivered_when_the_queue_is_back(sqlite_ledger, tmp_path, tasks, worker):
    with on_stage(sqlite_ledger, tmp_path, f"127.0.0.1:{free_port()}") as away:
        job = away.a_job("nord", "spring")["id"]
    with live(sqlite_ledger, tmp_path, tasks, worker) as stage:
        later = datetime.now(UTC) + timedelta(seconds=31)

        repairs = stage.machinery.reconciler.reconcile(now=later)

        assert repairs.silent_outbox == 2
        assert stage.undelivered() == []
        ordered = [row.id for row in stage.rows(job)]
        assert tasks.settle(20)
    assert sorted(worker.received) == sorted(ordered)


def test_a_bug_in_delivery_does_not_cost_the_job(sqlite_ledger, tmp_path, idle_queue):
    broken = {
        "dispatch_deadline": "PT15S",
        "task_queues": "projects/p/locations/l/queues/{priority}",
    }
    with on_stage(sqlite_ledger, tmp_path, idle_queue.grpc_address, **broken) as stage:
        stage.machinery.delivery.close()  # a pool that is shut raises RuntimeError
        document = {"image": {"id": stage.an_image()}, "palettes": many_palettes(1)}

        answer = stage.post_json(document)

        assert answer.status_code == 202
        assert len(stage.undelivered()) == 1
