"""The whole server, for the command line and for tests in process.

with LocalTasks(tmp_path / "queue.db", queues={NAME: QueueSettings()}, clock=clock) as tasks:
    client = CloudTasksClient(transport=CloudTasksGrpcTransport(
        channel=grpc.insecure_channel(tasks.grpc_address)))
"""

import logging
import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType

import grpc

from local_tasks.clock import Clock, SystemClock
from local_tasks.dispatch import Dispatcher
from local_tasks.errors import CannotStart
from local_tasks.faults import NO_FAULTS, Faults
from local_tasks.oidc import TokenMint, new_key_pem
from local_tasks.queue_settings import QueueSettings
from local_tasks.service import CloudTasks
from local_tasks.store import Store
from local_tasks.task_rules import SHORTEST_DEADLINE, TaskRules, is_loopback
from local_tasks.web import Web

log = logging.getLogger(__name__)

# Calls are short and the store takes one at a time: more threads would only wait in line.
GRPC_THREADS = 8
# A call that is being answered may finish, for so many seconds.
GRPC_STOPS_WITHIN = 0.5


class LocalTasks:
    """Starts when it is made (raising CannotStart), until stop() or the end of its `with` block.

    data                   the SQLite file; made if missing, with a new signing key
    queues                 made, or given these settings if they exist; others in the file stay
    grpc_address,          where to listen, loopback only; port 0: any free one
    http_address
    issuer                 `iss` of the tokens; by default the URL of http_address
    allow_remote_targets   whether tasks may be sent to other machines
    clock                  runs schedules, back-off, rates, names and tokens; not the deadline
    shortest_deadline      seconds; the cloud's 15, or less so that a test can miss one
    faults                 what goes wrong on purpose; nothing unless told
    """

    def __init__(
        self,
        data: Path,
        *,
        queues: Mapping[str, QueueSettings] | None = None,
        grpc_address: str = "127.0.0.1:0",
        http_address: str = "127.0.0.1:0",
        issuer: str | None = None,
        allow_remote_targets: bool = False,
        clock: Clock | None = None,
        shortest_deadline: float = SHORTEST_DEADLINE,
        faults: Faults = NO_FAULTS,
    ) -> None:
        clock = clock or SystemClock()
        grpc_host, grpc_port = loopback_address(grpc_address)
        http_host, http_port = loopback_address(http_address)
        self._is_stopped = False
        self._store = Store(data)
        self._calls = grpc.server(
            ThreadPoolExecutor(GRPC_THREADS, thread_name_prefix="grpc"),
            # Without this, Linux lets a second server share the port and take half of the calls.
            options=[("grpc.so_reuseport", 0)],
        )
        try:
            for name, settings in (queues or {}).items():
                self._store.put_queue(name, settings)
            self._web = _bound_web(http_host, http_port)
        except CannotStart:
            self._store.close()
            raise
        try:
            grpc_port = self._calls.add_insecure_port(f"{grpc_host}:{grpc_port}")
        except RuntimeError as error:
            self._web.stop()
            self._store.close()
            raise CannotStart(f"cannot listen on {grpc_address}: {error}") from error
        self.grpc_address = f"{grpc_host}:{grpc_port}"
        self.http_url = self._web.url
        self.issuer = issuer or self.http_url

        mint = TokenMint(self._signing_key(), issuer=self.issuer, clock=clock)
        self._store.put_fact("issuer", self.issuer)
        self._dispatcher = Dispatcher(self._store, mint, clock, faults)
        rules = TaskRules(allow_remote_targets, shortest_deadline)
        service = CloudTasks(self._store, self._dispatcher, rules, clock)
        self._calls.add_generic_rpc_handlers((service.handlers(),))
        if faults != NO_FAULTS:
            log.warning("faults on purpose: %s", faults)
        # The keys first: what the dispatcher sends may be checked at once.
        self._web.start(mint.certificates(), issuer=self.issuer)
        self._dispatcher.start()
        self._calls.start()
        log.info("serving: grpc=%s http=%s data=%s", self.grpc_address, self.http_url, data)

    def settle(self, give_up_after: float = 10.0) -> bool:
        """Wait until nothing is being dispatched and nothing may start; False after so many
        seconds of real time. With a clock of one's own: what was to happen by now, has."""
        return self._dispatcher.settle(give_up_after)

    def stop(self) -> None:
        """Stop within two seconds. Attempts in flight are abandoned, and sent again next time.

        A second stop() does nothing.
        """
        if self._is_stopped:
            return
        self._is_stopped = True
        self._calls.stop(GRPC_STOPS_WITHIN).wait()
        self._dispatcher.stop()
        self._web.stop()
        self._store.close()
        log.info("stopped: grpc=%s", self.grpc_address)

    def __enter__(self) -> "LocalTasks":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _signing_key(self) -> str:
        key = self._store.fact("signing_key")
        if key is None:
            key = new_key_pem()
            self._store.put_fact("signing_key", key)
        return key


def loopback_address(address: str) -> tuple[str, int]:
    """Split "127.0.0.1:8123" or "[::1]:8123"; raises CannotStart if it is not loopback."""
    host, _, port = address.rpartition(":")
    if not port.isdecimal() or int(port) > 65535 or not host:
        raise CannotStart(f"{address!r} is not HOST:PORT, as in 127.0.0.1:8123")
    if not is_loopback(host):
        raise CannotStart(f"{address!r} is not a loopback address: whoever reaches it may use it")
    return host, int(port)


def _bound_web(host: str, port: int) -> Web:
    try:
        return Web(host, port)
    except OSError as error:
        message = os.strerror(error.errno) if error.errno else str(error)
        raise CannotStart(f"cannot listen on {host}:{port}: {message}") from error
