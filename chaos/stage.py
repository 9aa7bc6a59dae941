"""The real processes on one machine, and what can be done to each of them.

dispatcher · worker-1, worker-2 behind one front · queue, with faults of its own · database
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import psutil

from chaos.databases import Database
from chaos.faulty_store import UPLOADS_FILE
from chaos.front import Front
from chaos.switches import SWITCHES_FILE, Switches
from demo.machine import QUEUES, Machine
from demo.shape import SLOTS
from demo.supervisor import Service, free_port

IMPATIENT = {
    "LEASE_FOR": "2.5",
    "HEARTBEAT_EVERY": "0.5",
    "RECONCILE_EVERY": "1",
    "CLEANUP_EVERY": "2",
    "KEEP_ORPHANS_FOR": "60",  # as little as can be: nothing in use may ever be taken for one
    "KEEP_IMAGES_FOR": "120",
    "OUTBOX_SILENT_FOR": "1",
    "TASK_UNSEEN_FOR": "2",
    "SLOT_WAIT": "2",
    "TIME_BUDGET": "20",
    "MAX_PARALLEL_UPLOADS": "4",
    "DISPATCH_DEADLINE": "15",
    "GRACE_S": "3",
    "RATE_LIMIT": "",  # all clients have one key
}
"""As the settings of a cloud, but for a run in which nobody waits for minutes."""

_BACKOFF = "max_attempts=-1,min_backoff=0.3,max_backoff=3"
_FAULTS = {
    "deliver_twice": "0.1",
    "drop_answer": "0.05",
    "delay": "0.1",
    "max_delay": "2",
    "reorder": "0.1",
    "forget": "0.02",
}


class Stage:
    """Everything that runs, by name; `parts` are the processes that can be hurt."""

    def __init__(self, data: Path, database: Database, *, seed: int) -> None:
        self.database = database
        data.mkdir(parents=True, exist_ok=True)
        self._switches_file = data / "switches.json"
        self.switches = Switches()
        self.switches.write(self._switches_file)
        front_port = free_port()
        machine = Machine(
            data,
            database_url=database.url,
            settings=IMPATIENT
            | {
                "WORKER_URL": f"http://127.0.0.1:{front_port}",
                SWITCHES_FILE: str(self._switches_file),
            },
        )
        self.machine = machine
        second_port = free_port()
        self._front = Front(
            front_port, [("127.0.0.1", machine.ports.worker), ("127.0.0.1", second_port)]
        )
        self.parts = {
            "queue": _with_faults(machine.queue, seed),
            "worker-1": self._worker("worker-1", machine.ports.worker),
            "worker-2": self._worker("worker-2", second_port),
            "dispatcher": _with_wsgi(machine.dispatcher, "chaos.dispatcher_wsgi:app"),
        }

    @contextmanager
    def running(self) -> Iterator[None]:
        """Keep everything running while the block does; leave no process behind."""
        try:
            for part in self.parts.values():
                part.start()
            for part in self.parts.values():
                part.wait_until_ready()
            yield
        finally:
            self.end()
            self._front.close()

    def end(self) -> None:
        """Stop every process, the frozen ones too."""
        for part in self.parts.values():
            if part.is_running:
                _signal(part, signal.SIGCONT)
                part.ask_to_stop()
        for part in self.parts.values():
            part.stop()

    def kill(self, name: str) -> None:
        """End a process and its children at once."""
        self.parts[name].kill()

    def uploads(self, name: str) -> int:
        """Return how many uploads this worker has under way; each of them holds a lease."""
        try:
            process, count = map(int, self._uploads_file(name).read_text().split())
            is_alive = psutil.Process(process).ppid() == self.parts[name].pid
        except (OSError, ValueError, psutil.NoSuchProcess):
            return 0
        return count if is_alive else 0

    def kill_child(self, name: str) -> bool:
        """End the process that serves, and leave gunicorn's master; whether there was one."""
        with suppress(psutil.NoSuchProcess):
            for child in psutil.Process(self.parts[name].pid).children():
                child.kill()
                return True
        return False

    def freeze(self, name: str) -> None:
        """Stop the clock of a process and its children."""
        _signal(self.parts[name], signal.SIGSTOP)

    def thaw(self, name: str) -> None:
        """Let it go on as if nothing had happened."""
        _signal(self.parts[name], signal.SIGCONT)

    def start(self, name: str) -> None:
        """Start what has ended, and do not wait."""
        if not self.parts[name].is_running:
            self.parts[name].start()

    def lose_queue_file(self) -> None:
        """Remove all that the queue knows, its key too; it must not be running."""
        file = self.machine.queue_file
        for part in file.parent.glob(f"{file.name}*"):
            part.unlink()

    def switch(self, switches: Switches) -> None:
        """Let the store fail like this from now on."""
        self.switches = switches
        switches.write(self._switches_file)

    def calm_queue(self) -> None:
        """Restart the queue without faults of its own."""
        queue = self.parts["queue"]
        queue.stop()
        queue.command = [part for part in queue.command if not part.startswith("--fault=")]
        queue.start()

    def _worker(self, name: str, port: int) -> Service:
        worker = _with_wsgi(self.machine.worker, "chaos.worker_wsgi:app")
        own = {"PORT": str(port), UPLOADS_FILE: str(self._uploads_file(name))}
        return replace(
            worker,
            name=name,
            environment=dict(worker.environment) | own,
            health_url=f"http://127.0.0.1:{port}/health",
            log=self.machine.logs / f"{name}.log",
        )

    def _uploads_file(self, name: str) -> Path:
        return self.machine.data / f"{name}.uploads"


def _with_wsgi(service: Service, module: str) -> Service:
    return replace(service, command=[*service.command[:-1], module])


def _with_faults(queue: Service, seed: int) -> Service:
    arguments = [f"--fault={name}={value}" for name, value in _FAULTS.items()]
    arguments.append(f"--fault=seed={seed}")
    for priority, slots in SLOTS.items():
        name = QUEUES.replace("{priority}", priority)
        both = slots + 2  # there are two workers
        arguments += ["--queue", f"{name},max_concurrent_dispatches={both},{_BACKOFF}"]
    return replace(queue, command=[*queue.command, *arguments])


def _signal(part: Service, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.killpg(part.pid, number)
