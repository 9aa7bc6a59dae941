"""Where the processes of one gunicorn keep their counts, so that any of them can tell all.

For gunicorn's configuration, in its first process: prometheus_client looks for the folder once,
when it is imported, so nothing here may import it.
https://prometheus.github.io/client_python/multiprocess/
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

FOLDER = "PROMETHEUS_MULTIPROC_DIR"

_SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - a folder of our own in it


def share_metrics(*, memory: Path = _SHARED_MEMORY) -> None:
    """Make a folder for the counts, in shared memory unless TMPDIR names another place.

    They are mapped files: on a disk, the kernel would write them back again and again.
    """
    is_memory = "TMPDIR" not in os.environ and os.access(memory, os.W_OK)
    place = memory if is_memory else None
    os.environ[FOLDER] = tempfile.mkdtemp(prefix="colorway-metrics-", dir=place)


def forget_metrics() -> None:
    """Remove that folder, when the last process has ended."""
    shutil.rmtree(os.environ.pop(FOLDER), ignore_errors=True)
