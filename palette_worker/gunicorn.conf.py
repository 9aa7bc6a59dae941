"""gunicorn for the palette worker: one process, scaled by instances; and how it is stopped.

On SIGTERM attempts give back between their steps; what is still held a second before the grace
ends is given back for them, even if its thread is in C code: the fence makes that safe.
"""

import ctypes
import os
import signal
import threading
import time
from contextlib import suppress

from colorway.settings import read_settings
from colorway.telemetry.processes import forget_metrics, share_metrics
from colorway.telemetry.traces import flush_traces, stop_traces
from palette_worker.settings import Settings

bind = f"{os.environ.get('HOST', '127.0.0.1')}:{os.environ.get('PORT', '8001')}"
worker_class = "gthread"
workers = 1
threads = int(os.environ.get("THREADS", "8"))
timeout = 0  # with gthread it only watches the process, and nothing here blocks its main loop
graceful_timeout = int(os.environ.get("GRACE_S", "8"))  # Cloud Run kills after ten seconds
keepalive = 75
control_socket_disable = True  # its default path is one for every gunicorn of the user
loglevel = "warning"
worker_tmp_dir = "/dev/shm" if os.path.isdir("/dev/shm") else None  # noqa: PTH112, S108

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # from glibc's malloc.h
_LARGE_BYTES = 12 << 20  # the pixels of 3 MP; Pillow takes more in blocks of 16 MiB
_KEPT_BYTES = 32 << 20


def post_fork(server, worker):
    """Let the memory of a large picture go back to the system with the picture, and keep a small's.

    Left alone, glibc keeps ever larger blocks for itself once it has seen some freed, and peaks
    higher at 12 MP (benchmarks/worker_memory.py). Were small ones given back too, the kernel would
    zero every page anew for the next: 4 ms of CPU per megapixel (benchmarks/end_to_end.py).
    """
    with suppress(OSError, AttributeError):  # another C library
        libc = ctypes.CDLL(None)
        libc.mallopt(_M_MMAP_THRESHOLD, _LARGE_BYTES)
        libc.mallopt(_M_TRIM_THRESHOLD, _KEPT_BYTES)


def post_worker_init(worker):
    """Chain our draining before gunicorn's own SIGTERM handler.

    worker_exit would be a race with SIGKILL, and worker_int never fires on SIGTERM. The thread is
    there from the start, for a handler that started one might wait for a lock that the very code
    it interrupts is holding.
    """
    bench = worker.app.wsgi().extensions["bench"]
    gunicorns_own = signal.getsignal(signal.SIGTERM)

    def give_back_at_the_end():
        bench.draining.wait()
        time.sleep(max(0, graceful_timeout - 1))
        bench.heartbeat.give_back_all()
        flush_traces()

    def drain(signum, frame):
        # once: a second signal within set() would wait for ever for the lock that the first holds
        signal.signal(signal.SIGTERM, gunicorns_own)
        bench.draining.set()
        gunicorns_own(signum, frame)

    threading.Thread(target=give_back_at_the_end, name="drain", daemon=True).start()
    signal.signal(signal.SIGTERM, drain)


def worker_exit(server, worker):
    """Send the last spans where there is time to."""
    stop_traces()


def on_starting(server):
    """Before any process is forked: a later one goes on with what an earlier one has counted.

    Wrong settings end this one: a worker that ended by them would be started again for ever.
    """
    read_settings(Settings)
    share_metrics()


def on_exit(server):
    """Remove what they shared."""
    forget_metrics()
