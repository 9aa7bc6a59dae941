"""How long it takes to find the duplicates of an image among a thousand, and among a million.

Part of `python -m benchmarks.ledger`. All images are of one account. A tenth of them look just like
the one asked for, and a tenth nearly so: no lookup is spared by there being nothing to find. The
ledgers take turns, back and forth; of the rounds' ratios the median counts.

Bars, on both databases: among a million it takes at most 1.5 times as long, and 2 MB more.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from statistics import median
from tempfile import TemporaryDirectory
from uuid import UUID

from rich.console import Console
from rich.table import Table
from sqlalchemy import text

from benchmarks.stopwatch import growth, in_turn, ratio
from colorway.ledger.connection import Ledger, is_sqlite
from colorway.ledger.duplicates import MOST_SHOWN, Duplicates, duplicates_of
from colorway.ledger.images import find_image
from tests.builders import an_account
from tests.databases import PostgresServer, migrate

FEW = 1000
ROUNDS = 20
MAX_COST = 1.5
MAX_GROWTH = 2_000_000  # bytes

_ROWS = """
INSERT INTO images (id, account_id, sha256, key, bytes, format, width, height, created_at,
                    phash, ahash, dhash, whash)
SELECT {id}, {account}, {sha256}, 'key', 1000, 'png', 64, 48, CURRENT_TIMESTAMP,
       CASE WHEN n % 10 = 0 THEN 85 WHEN n % 10 = 1 THEN 84 ELSE {chance} END,
       CASE WHEN n % 10 < 2 THEN 85 ELSE {chance} END,
       CASE WHEN n % 10 < 2 THEN 85 ELSE {chance} END,
       CASE WHEN n % 10 < 2 THEN 85 ELSE {chance} END
FROM {numbers}
"""
FILL_POSTGRES = _ROWS.format(
    id="lpad(to_hex(n), 32, '0')::uuid",
    account=":account",
    sha256="md5(n::text) || md5((-n)::text)",
    chance="(random() * 9e18)::bigint",
    numbers="generate_series(1, :count) n",
)
FILL_SQLITE = _ROWS.format(
    id="printf('%032x', n)",
    account="replace(:account, '-', '')",
    sha256="lower(hex(randomblob(32)))",
    chance="random()",
    numbers="(WITH RECURSIVE number(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number"
    " WHERE n < :count) SELECT n FROM number)",
)


def found_as_soon_among_many(server: PostgresServer, images: int, console: Console) -> bool:
    """Measure on both databases, print, and return whether the bars are reached."""
    with (
        TemporaryDirectory(prefix="colorway-benchmark-") as folder,
        server.database() as few,
        server.database() as many,
    ):
        found = {
            "Postgres": _looked_up(few, many, images),
            "SQLite": _looked_up(
                f"sqlite:///{folder}/few.db", f"sqlite:///{folder}/many.db", images
            ),
        }
    table = Table(title=f"Duplicates among {FEW:,} and {images:,} images", title_justify="left")
    headings = (f"{unit} among {count:,}" for unit in ("ms", "MB") for count in (FEW, images))
    for column in ("", *headings, "ratio of ms"):
        table.add_column(column, justify="right" if column else "left")
    for database, it in found.items():
        times = (f"{milliseconds:.1f}" for milliseconds in it.milliseconds)
        table.add_row(database, *times, *map(_megabytes, it.grown), f"{it.cost:.2f}")
    console.print(table)
    console.print(f"bars: a ratio of {MAX_COST:g}, and {MAX_GROWTH / 1e6:g} MB more")
    return all(it.is_flat for it in found.values())


@dataclass(frozen=True, slots=True)
class _Lookups:
    """A lookup among few images and among many: milliseconds, and bytes the process grew by.

    `cost` is the median of the rounds' ratios. Bytes are None where they are not known.
    """

    milliseconds: tuple[float, float]
    cost: float
    grown: tuple[int | None, int | None]

    @property
    def is_flat(self) -> bool:
        """Whether the bars are reached."""
        few, many = self.grown
        grows = few is not None and many is not None and many - few > MAX_GROWTH
        return self.cost <= MAX_COST and not grows


def _looked_up(few_url: str, many_url: str, images: int) -> _Lookups:
    """Fill two empty databases, and look for the newest image in both in turn."""
    with _filled(few_url, FEW) as (small, mine), _filled(many_url, images) as (large, yours):
        few = partial(_look, small, mine, UUID(int=FEW))
        many = partial(_look, large, yours, UUID(int=images))
        if not all(len(call().exact) == MOST_SHOWN for call in (few, many)):
            raise SystemExit("the duplicates are not found")
        seconds = in_turn({"few": few, "many": many}, ROUNDS)
        grown = growth(few), growth(many)
    return _Lookups(
        (median(seconds["few"]) * 1e3, median(seconds["many"]) * 1e3),
        ratio(seconds["many"], seconds["few"]),
        grown,
    )


@contextmanager
def _filled(url: str, count: int) -> Iterator[tuple[Ledger, UUID]]:
    migrate(url)
    ledger = Ledger(url, pool_size=1)
    try:
        with ledger.transaction() as session:
            account = an_account(session)
            fill = text(FILL_SQLITE if is_sqlite(url) else FILL_POSTGRES)
            session.execute(fill, {"count": count, "account": str(account)})
        if not is_sqlite(url):
            at_once = ledger.engine.execution_options(isolation_level="AUTOCOMMIT")
            with at_once.connect() as connection:  # what the server would do beside us
                connection.exec_driver_sql("VACUUM ANALYZE images")
        yield ledger, account
    finally:
        ledger.dispose()


def _look(ledger: Ledger, account: UUID, image: UUID) -> Duplicates:
    with ledger.reading() as session:
        return duplicates_of(session, find_image(session, account, image))


def _megabytes(grown: int | None) -> str:
    return "?" if grown is None else f"{grown / 1e6:.1f}"
