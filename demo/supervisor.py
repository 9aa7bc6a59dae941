"""Starts processes, waits until they answer, and leaves none behind.

A process is its own group, so that whatever it started ends with it; and the kernel sends it
SIGTERM if we die ourselves (setpriv --pdeathsig, part of every Debian).
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import socket
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import requests
from tenacity import Retrying, retry_if_result, stop_after_delay, wait_fixed

_STARTS_WITHIN_S = 60
_ENDS_WITHIN_S = 12
_PORTS = range(20_000, 32_000)


class DidNotStart(Exception):
    """A process ended, or never answered; the message shows the end of its log."""


@dataclass(slots=True)
class Service:
    """One process that answers on a health URL; its output goes to a log file."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    health_url: str
    log: Path
    _process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def pid(self) -> int:
        """The process's id; its group's too."""
        return self._started().pid

    @property
    def is_running(self) -> bool:
        """Whether it was started and has not ended."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start it, and do not wait."""
        guard = ["setpriv", "--pdeathsig", "TERM"] if shutil.which("setpriv") else []
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - our own commands
                [*guard, *self.command],
                env=dict(self.environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def wait_until_ready(self) -> None:
        """Return once it answers, or raise DidNotStart."""
        until_ready = Retrying(
            retry=retry_if_result(lambda ready: not ready),
            wait=wait_fixed(0.05),
            stop=stop_after_delay(_STARTS_WITHIN_S),
            retry_error_callback=lambda _: False,
        )
        if not until_ready(self._answers):
            raise DidNotStart(f"{self.name} does not answer at {self.health_url}\n{self._tail()}")

    def ask_to_stop(self) -> None:
        """Send SIGTERM, and do not wait."""
        if self._process is not None:
            self._signal(signal.SIGTERM)

    def stop(self) -> None:
        """Ask it to end, and see to it."""
        if self._process is None:
            return
        self.ask_to_stop()
        try:
            self._process.wait(_ENDS_WITHIN_S)
        except subprocess.TimeoutExpired:
            self.kill()
        self._signal(signal.SIGKILL)  # what it may have left in its group
        self._process = None

    def kill(self) -> None:
        """End it and its children at once, as a power cut would."""
        self._signal(signal.SIGKILL)
        self._started().wait()

    def _answers(self) -> bool:
        if not self.is_running:
            raise DidNotStart(f"{self.name} ended at once\n{self._tail()}")
        try:
            return requests.get(self.health_url, timeout=2).ok
        except requests.RequestException:
            return False

    def _signal(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self.pid, number)

    def _started(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise DidNotStart(f"{self.name} was not started")
        return self._process

    def _tail(self) -> str:
        lines = self.log.read_text(errors="replace").splitlines()
        return "\n".join(lines[-15:])


def free_port(preferred: int | None = None) -> int:
    """Return a free port on loopback, the preferred one if it is.

    Others are taken from below the range that the kernel gives to outgoing connections, or one of
    those might sit on it by the time that the service binds.
    """
    for port in (preferred, *random.sample(_PORTS, 50)):
        if port is None:
            continue
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise DidNotStart("there is no free port")
