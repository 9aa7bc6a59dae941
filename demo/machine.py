"""The whole service on one machine: local queue, palette worker, dispatcher, SQLite, a folder.

Everything it keeps lies in one data folder, secrets included; a second start goes on with it. While
it runs, `running.json` in there says how, for the doctors.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from threading import Event
from typing import Any

from alembic import command
from alembic.config import Config
from sqlalchemy.orm import Session

from colorway.errors import Unauthenticated
from colorway.ledger.accounts import caller_with, issue_key, open_account
from colorway.ledger.connection import Ledger
from demo.shape import Shape
from demo.supervisor import Service, free_port

HOUSE = Path(__file__).resolve().parents[1]
QUEUES = "projects/local/locations/local/queues/colorway-{priority}"
TASK_CALLER = "tasks@colorway.local"
_NEVER_GIVES_UP = "max_attempts=-1,min_backoff=2,max_backoff=60"  # seconds; the ledger decides


@dataclass(slots=True)
class Ports:
    """Where the parts listen on loopback; the defaults are free ones."""

    dispatcher: int = field(default_factory=free_port)
    worker: int = field(default_factory=free_port)
    queue_grpc: int = field(default_factory=free_port)
    queue_http: int = field(default_factory=free_port)


class Machine:
    """The processes and the data folder they share."""

    def __init__(
        self,
        data: Path,
        *,
        ports: Ports | None = None,
        settings: Mapping[str, str] | None = None,
        database_url: str | None = None,
        worker_app: str = "palette_worker.wsgi:app",
        shape: Shape | None = None,
    ) -> None:
        self.data = data.resolve()
        self.shape = shape or Shape()
        self.ports = ports or Ports()
        self.database_url = database_url or f"sqlite:///{self.data / 'ledger.db'}"
        self.dispatcher_url = f"http://127.0.0.1:{self.ports.dispatcher}"
        self.worker_url = f"http://127.0.0.1:{self.ports.worker}"
        self.queue_url = f"http://127.0.0.1:{self.ports.queue_http}"
        self.queue_file = self.data / "queue.db"
        self.logs = self.data / "logs"
        self.logs.mkdir(parents=True, exist_ok=True)
        self.temporary = self.data / "tmp"
        self.temporary.mkdir(exist_ok=True)
        self.api_key = self._prepare()
        self.running_file = running_file(self.data)
        environment = self._environment() | dict(settings or {})
        self.queue = self._service("queue", self._queue_command(), environment, self.queue_url)
        self.workers = [
            self._service(
                name,
                _gunicorn("palette_worker", worker_app, *self._sharing_the_port()),
                environment
                | {"PORT": str(self.ports.worker), "THREADS": str(self.shape.worker_threads)},
                self.worker_url,
            )
            for name in ("worker", *(f"worker-{n + 1}" for n in range(1, self.shape.workers)))
        ]
        self.dispatcher = self._service(
            "dispatcher",
            _gunicorn("dispatcher", "dispatcher.wsgi:app"),
            environment
            | {"PORT": str(self.ports.dispatcher), "WORKERS": str(self.shape.dispatchers)},
            self.dispatcher_url,
        )

    @property
    def worker(self) -> Service:
        """The first of the workers, mostly the only one."""
        return self.workers[0]

    @property
    def services(self) -> tuple[Service, ...]:
        """The processes, in the order of starting."""
        return self.queue, *self.workers, self.dispatcher

    @contextmanager
    def running(self) -> Iterator[None]:
        """Keep everything running while the block does."""
        _keep_secret(self.running_file, json.dumps(self._as_it_runs(), indent=1))
        try:
            for service in self.services:
                service.start()
            for service in self.services:
                service.wait_until_ready()
            yield
        finally:
            for service in self.services:
                service.ask_to_stop()
            for service in self.services:
                service.stop()
            self.running_file.unlink(missing_ok=True)

    def keep_alive(self, stopping: Event, *, report: Callable[[str], None]) -> None:
        """Start whatever has ended anew, until `stopping`."""
        while not stopping.wait(1):
            for service in self.services:
                if not service.is_running:
                    report(f"{service.name} has ended; starting it again")
                    service.start()

    def task_headers(self) -> dict[str, str]:
        """Return headers that let whoever sends them into the worker, as the queue's do."""
        asking = [sys.executable, "-m", "local_tasks", "token", "--data", str(self.queue_file)]
        asking += ["--audience", self.worker_url, "--account", TASK_CALLER]
        token = subprocess.check_output(asking, text=True).strip()  # noqa: S603 - our own command
        return {"Authorization": f"Bearer {token}"}

    def remove(self) -> None:
        """Delete the data folder and all that is in it."""
        shutil.rmtree(self.data)

    def _prepare(self) -> str:
        """Bring the ledger to its newest revision; make the first key where there is none."""
        migrate(self.database_url)
        kept = self.data / "api_key"
        ledger, now = Ledger(self.database_url), datetime.now(UTC)
        try:
            with ledger.transaction() as session:
                if kept.exists() and _is_known(session, kept.read_text().strip(), now=now):
                    return kept.read_text().strip()
                key = issue_key(session, open_account(session, "local", now=now), now=now)
        finally:
            ledger.dispose()
        _keep_secret(kept, key)
        return key

    def _environment(self) -> dict[str, str]:
        return dict(os.environ) | {
            "PYTHONPATH": str(HOUSE),
            "PYTHONUNBUFFERED": "1",
            "TMPDIR": os.environ.get("TMPDIR", str(self.temporary)),
            "HOST": "127.0.0.1",
            "DATABASE_URL": self.database_url,
            "IMAGE_STORE": (self.data / "pictures").as_uri(),
            "LINK_SIGNING_KEY": self._link_signing_key(),
            "OIDC_ISSUER": self.queue_url,
            "OIDC_CERTS_URL": f"{self.queue_url}/certs",
            "OIDC_CALLERS": TASK_CALLER,
            "TASK_CALLER": TASK_CALLER,
            "TASK_QUEUES": QUEUES,
            "CLOUD_TASKS_EMULATOR_HOST": f"127.0.0.1:{self.ports.queue_grpc}",
            "DISPATCHER_URL": self.dispatcher_url,
            "WORKER_URL": self.worker_url,
            "RECONCILE_EVERY": "10",
            "CLEANUP_EVERY": "3600",
            "TASK_UNSEEN_FOR": "5",
        }

    def _link_signing_key(self) -> str:
        kept = self.data / "link_signing_key"
        if not kept.exists():
            _keep_secret(kept, secrets.token_urlsafe(32))
        return kept.read_text().strip()

    def _queue_command(self) -> list[str]:
        arguments = [sys.executable, "-m", "local_tasks", "serve", "--data", str(self.queue_file)]
        arguments += ["--grpc", f"127.0.0.1:{self.ports.queue_grpc}"]
        arguments += ["--http", f"127.0.0.1:{self.ports.queue_http}"]
        for priority, slots in self.shape.slots.items():
            name = QUEUES.replace("{priority}", priority)
            arguments += ["--queue", f"{name},max_concurrent_dispatches={slots},{_NEVER_GIVES_UP}"]
        return arguments

    def _sharing_the_port(self) -> list[str]:
        return ["--reuse-port"] if self.shape.workers > 1 else []

    def _as_it_runs(self) -> dict[str, Any]:
        """Return what a doctor must know: whole environments, so secrets are among it."""
        return {
            "dispatchers": self.shape.dispatchers,
            "workers": self.shape.workers,
            "dispatcher": dict(self.dispatcher.environment),
            "palette_worker": dict(self.worker.environment),
        }

    def _service(
        self, name: str, command: list[str], environment: dict[str, str], url: str
    ) -> Service:
        return Service(name, command, environment, f"{url}/health", self.logs / f"{name}.log")


def running_file(data: Path) -> Path:
    """Return where a machine with this data folder says how it runs, while it does."""
    return data / "running.json"


def migrate(database_url: str) -> None:
    """Bring the ledger at this URL to the newest revision."""
    config = Config(HOUSE / "alembic.ini")
    config.attributes["url"] = database_url
    command.upgrade(config, "head")


def _gunicorn(service: str, app: str, *arguments: str) -> list[str]:
    configuration = str(HOUSE / service / "gunicorn.conf.py")
    return [sys.executable, "-m", "gunicorn", "-c", configuration, *arguments, app]


def _is_known(session: Session, key: str, *, now: datetime) -> bool:
    try:
        caller_with(session, key, now=now)
    except Unauthenticated:
        return False
    return True


def _keep_secret(file: Path, secret: str) -> None:
    file.touch(mode=0o600)
    file.write_text(f"{secret}\n")
