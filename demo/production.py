"""The machine in the shape that it has in the cloud: Postgres, several processes of each kind."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path

from demo.machine import Machine, Ports
from demo.postgres import embedded_postgres
from demo.shape import AS_IN_THE_CLOUD, PRODUCTION


@contextmanager
def production(
    data: Path, ports: Ports | None = None, *, settings: Mapping[str, str] | None = None
) -> Iterator[Machine]:
    """Yield the machine, not running yet.

    Its ledger is at DATABASE_URL, its pictures in IMAGE_STORE. Where these are not set, in a
    Postgres that goes with the block, and in the data folder.

    It reconciles by a timer in each dispatcher process, for there is no scheduler to call one: that
    is safe to do at once, and none of them is needed.
    """
    given = os.environ.get("DATABASE_URL")
    store = {name: os.environ[name] for name in ("IMAGE_STORE",) if name in os.environ}
    with nullcontext(given) if given else embedded_postgres() as url:
        yield Machine(
            data,
            ports=ports,
            database_url=url,
            settings=AS_IN_THE_CLOUD | store | dict(settings or {}),
            shape=PRODUCTION,
        )
