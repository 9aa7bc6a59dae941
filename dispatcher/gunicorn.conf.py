"""gunicorn for the dispatcher: one process, many threads. Never preload: the ledger is per process.

PORT, THREADS and GRACE_S come from the environment, as Cloud Run sets them.
"""

import os
import signal
import threading
import time
from typing import Any

from colorway.settings import read_settings
from colorway.telemetry.processes import forget_metrics, share_metrics
from colorway.telemetry.traces import flush_traces, stop_traces
from dispatcher.settings import Settings

bind = f"{os.environ.get('HOST', '127.0.0.1')}:{os.environ.get('PORT', '8000')}"
worker_class = "dispatcher.door.Door"
workers = int(os.environ.get("WORKERS", "1"))
threads = int(os.environ.get("THREADS", "128"))
timeout = 0  # with gthread it only watches the process, and nothing here blocks its main loop
graceful_timeout = int(os.environ.get("GRACE_S", "8"))  # Cloud Run kills after ten seconds
keepalive = 75
forwarder_headers = ""  # else whoever is on loopback may say what SCRIPT_NAME is
control_socket_disable = True  # its default path is one for every gunicorn of the user
loglevel = "warning"
worker_tmp_dir = "/dev/shm" if os.path.isdir("/dev/shm") else None  # noqa: PTH112, S108


def post_worker_init(worker: Any) -> None:
    """Let whoever waits for news go before gunicorn's own SIGTERM handler waits for them."""
    stopping = worker.app.wsgi().extensions["machinery"].stopping
    gunicorns_own = signal.getsignal(signal.SIGTERM)

    def let_go(signum: int, frame: Any) -> None:
        # once: a second signal within set() would wait for ever for the lock that the first holds
        signal.signal(signal.SIGTERM, gunicorns_own)
        stopping.set()
        gunicorns_own(signum, frame)

    def flush_at_the_end() -> None:
        stopping.wait()
        time.sleep(max(0, graceful_timeout - 1))
        flush_traces()

    threading.Thread(target=flush_at_the_end, name="last spans", daemon=True).start()
    signal.signal(signal.SIGTERM, let_go)


def worker_exit(server: Any, worker: Any) -> None:
    """Close connections where there is time to; nothing depends on it."""
    if worker.booted:
        worker.wsgi.extensions["machinery"].close()
    stop_traces()


def on_starting(server: Any) -> None:
    """Before any process is forked: they share what they count.

    Wrong settings end this one: a worker that ended by them would be started again for ever.
    """
    read_settings(Settings)
    share_metrics()


def on_exit(server: Any) -> None:
    """Remove what they shared."""
    forget_metrics()
