"""gunicorn for the palette worker: one process, scaled by instances; and how it is stopped.

On SIGTERM attempts give back between their steps; what is still held a second before the grace
ends is given back for them, even if its thread is in C code: the fence makes that safe.
"""

import os
import signal
import threading
import time

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

    def drain(signum, frame):
        bench.draining.set()
        gunicorns_own(signum, frame)

    threading.Thread(target=give_back_at_the_end, name="drain", daemon=True).start()
    signal.signal(signal.SIGTERM, drain)
