"""A transaction pooler before Postgres: a real PgBouncer, from Debian's package.

Where it is not installed, what needs it is not collected, and every run says so at its end.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from psycopg import OperationalError, connect
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from sqlalchemy import make_url
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

from demo.supervisor import free_port

PGBOUNCER = shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin")
ABSENT = "PgBouncer is NOT INSTALLED: nothing is tested behind a pooler (apt-get install pgbouncer)"

_BACKENDS = 3  # fewer than there are clients, so that they must share

_SETTINGS = """
[databases]
* = {server}

[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = {backends}
max_client_conn = 500
"""


@contextmanager
def transaction_pooler(url: str) -> Iterator[str]:
    """Yield the URL by which the same database is reached through a pooler."""
    target = make_url(url)
    facts = conninfo_to_dict(
        target.set(drivername="postgresql").render_as_string(hide_password=False)
    )
    server = {name: facts[name] for name in ("host", "port", "user", "password") if facts.get(name)}
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="colorway-pooler-") as folder:
        Path(folder).chmod(0o755)
        file = Path(folder) / "pgbouncer.ini"
        file.write_text(
            _SETTINGS.format(server=make_conninfo(**server), port=port, backends=_BACKENDS)
        )
        command = [str(PGBOUNCER), "--quiet", str(file)]
        with subprocess.Popen(command, user=_user(str(facts.get("host")))) as process:  # noqa: S603
            try:
                _wait_for(port, str(target.database))
                pooled = target.set(
                    host="127.0.0.1", port=port, query={"prepared_statements": "false"}
                )
                yield pooled.render_as_string(hide_password=False)
            finally:
                process.kill()


def _user(host: str) -> int | None:
    """Return whom to run it as: it refuses to be root, and must get at the server's socket."""
    if os.geteuid() != 0:
        return None
    return Path(host).stat().st_uid if host.startswith("/") else 65534


def _wait_for(port: int, database: str) -> None:
    for attempt in Retrying(
        retry=retry_if_exception_type(OperationalError),
        stop=stop_after_delay(10),
        wait=wait_fixed(0.05),
        reraise=True,
    ):
        with attempt, connect(host="127.0.0.1", port=port, user="anybody", dbname=database):
            pass
