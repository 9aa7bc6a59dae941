"""What pictures cost on Google Cloud: `python -m benchmarks.cost`.

A calculation with list prices; docs/cost.md shows what it prints, and a test keeps that so. Free
quotas are left out: they are those of a billing account, whatever else it does.

A request's seconds are not what is paid for: Cloud Run bills an instance while it answers at least
one, however many there are at once. So `--seconds` are those of an instance, shared out among the
colorways that it does: what `python -m benchmarks.scaling` finds for a worker that is kept busy.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Annotated

import typer
from rich.box import MARKDOWN
from rich.console import Console
from rich.table import Table

SECONDS_OF_A_MONTH = 730 * 3600

console = Console(width=120)


@dataclass(frozen=True, slots=True)
class Prices:
    """USD, list prices of Belgium (europe-west1) and Iowa; docs/cost.md has their sources."""

    vcpu_second: float = 24e-6
    gib_second: float = 2.5e-6
    idle_vcpu_second: float = 2.5e-6
    request: float = 0.40e-6
    task_operation: float = 0.40e-6
    object_written: float = 5e-6
    object_read: float = 0.4e-6
    gb_month: float = 0.020
    gb_downloaded: float = 0.12
    sql_vcpu_second: float = 0.0413 / 3600
    sql_gb_second: float = 0.007 / 3600
    sql_disk_gb_month: float = 0.17


@dataclass(frozen=True, slots=True)
class Orders:
    """What is ordered, and what it takes; docs/cost.md says how the defaults were measured.

    `seconds` are a worker instance's for one colorway, `job_seconds` a dispatcher's for one job.
    `megabytes` are those of a picture with its thumbnail, which are kept for `months` and fetched
    `downloads` times; `objects` is how many both are. `attempts` are 1 where nothing goes wrong.
    """

    jobs: float = 1000
    palettes: int = 7
    seconds: float = 0.04
    job_seconds: float = 0.07
    megabytes: float = 1.36
    source_megabytes: float = 1.35
    months: float = 1
    downloads: float = 1
    attempts: float = 1
    vcpu: float = 2
    gib: float = 1
    objects: int = 2

    @property
    def colorways(self) -> float:
        """The pictures of all jobs."""
        return self.jobs * self.palettes


@dataclass(frozen=True, slots=True)
class Item:
    """A line of the bill; `is_kept` where it is paid for pictures that are there, not made."""

    name: str
    amount: float
    unit: str
    price: float
    is_kept: bool = False

    @property
    def usd(self) -> float:
        """What it comes to."""
        return self.amount * self.price


def bill(orders: Orders, prices: Prices) -> list[Item]:
    """Return what the orders cost, item by item."""
    made, tried = orders.colorways, orders.colorways * orders.attempts
    worker_second = orders.vcpu * prices.vcpu_second + orders.gib * prices.gib_second
    dispatcher_second = prices.vcpu_second + prices.gib_second  # 1 vCPU, 1 GiB
    written = orders.jobs + made * orders.objects
    kept_gb = (made * orders.megabytes + orders.jobs * orders.source_megabytes) / 1000
    fetched = made * orders.downloads
    fetched_gb = fetched * orders.megabytes / 1000
    return [
        Item("rendering", tried * orders.seconds, "worker seconds", worker_second),
        Item("tasks created", made, "operations", prices.task_operation),
        Item("tasks dispatched", tried, "operations", prices.task_operation),
        Item("the worker's requests", tried, "requests", prices.request),
        Item("jobs", orders.jobs * orders.job_seconds, "dispatcher seconds", dispatcher_second),
        Item("objects written", written, "operations", prices.object_written),
        Item("objects kept", kept_gb * orders.months, "GB months", prices.gb_month, is_kept=True),
        Item("objects fetched", fetched, "operations", prices.object_read, is_kept=True),
        Item("downloads", fetched_gb, "GB", prices.gb_downloaded, is_kept=True),
    ]


def total(items: list[Item]) -> float:
    """Return the sum in USD."""
    return sum(item.usd for item in items)


@dataclass(frozen=True, slots=True)
class AlwaysOn:
    """What is paid for whether it is used or not; the defaults are production's in infra/."""

    database_vcpu: float = 2
    database_gb: float = 7.5
    database_zones: int = 2
    disk_gb: float = 50
    dispatchers: int = 1


def month_of(kept: AlwaysOn, prices: Prices) -> list[Item]:
    """Return what a month costs in which nobody orders anything."""
    zones = kept.database_zones
    idle_second = prices.idle_vcpu_second + prices.gib_second  # 1 vCPU, 1 GiB
    seconds = SECONDS_OF_A_MONTH
    return [
        Item("database vCPUs", zones * kept.database_vcpu * seconds, "s", prices.sql_vcpu_second),
        Item("database memory", zones * kept.database_gb * seconds, "GB s", prices.sql_gb_second),
        Item("database disk", zones * kept.disk_gb, "GB months", prices.sql_disk_gb_month),
        Item("idle dispatchers", kept.dispatchers * seconds, "s", idle_second),
    ]


_ALWAYS_ON = {
    "minimal": AlwaysOn(database_zones=0, dispatchers=0),
    "dev": AlwaysOn(1, 3.75, database_zones=1, disk_gb=20, dispatchers=0),
    "prod": AlwaysOn(),
}


def rule(orders: Orders, prices: Prices) -> tuple[float, float]:
    """Return a and b of a·s + b, what the orders cost before pictures are kept and fetched."""
    fixed = total([i for i in bill(replace(orders, seconds=0), prices) if not i.is_kept])
    one = total([i for i in bill(replace(orders, seconds=1), prices) if not i.is_kept])
    return one - fixed, fixed


def main(
    jobs: Annotated[float, typer.Option(help="how many")] = Orders().jobs,
    palettes: Annotated[int, typer.Option(help="of each job")] = Orders().palettes,
    megapixels: Annotated[float, typer.Option(help="of each picture")] = 1,
    seconds: Annotated[
        float, typer.Option(help="of a worker instance, for a colorway of 1 MP")
    ] = Orders().seconds,
    job_seconds: Annotated[
        float, typer.Option(help="of a dispatcher instance, for a job")
    ] = Orders().job_seconds,
    megabytes: Annotated[
        float, typer.Option(help="of a picture of 1 MP and its thumbnail")
    ] = Orders().megabytes,
    source_megabytes: Annotated[
        float, typer.Option(help="of a source of 1 MP")
    ] = Orders().source_megabytes,
    months: Annotated[float, typer.Option(help="that pictures are kept")] = Orders().months,
    downloads: Annotated[float, typer.Option(help="of each picture")] = Orders().downloads,
    attempts: Annotated[float, typer.Option(help="at each colorway")] = Orders().attempts,
    vcpu: Annotated[float, typer.Option(help="of a worker")] = Orders().vcpu,
    gib: Annotated[float, typer.Option(help="of a worker's memory")] = Orders().gib,
    objects: Annotated[int, typer.Option(help="written for each colorway")] = Orders().objects,
    price: Annotated[
        list[str] | None, typer.Option(help="another price, like gb_downloaded=0.08")
    ] = None,
    always_on: Annotated[bool, typer.Option(help="what a month costs without any job")] = False,
) -> None:
    """Print what the orders cost."""
    prices = _prices(price or [])
    if always_on:
        console.print(_month_table(prices))
        return
    orders = Orders(
        jobs=jobs,
        palettes=palettes,
        seconds=seconds * megapixels,
        job_seconds=job_seconds,
        megabytes=megabytes * megapixels,
        source_megabytes=source_megabytes * megapixels,
        months=months,
        downloads=downloads,
        attempts=attempts,
        vcpu=vcpu,
        gib=gib,
        objects=objects,
    )
    items, (slope, fixed) = bill(orders, prices), rule(orders, prices)
    console.print(_bill_table(items))
    console.print(f"\nBefore pictures are kept and fetched: {slope:.3f}·s + {fixed:.3f} USD.")


def _prices(others: list[str]) -> Prices:
    known = {field.name for field in fields(Prices)}
    told: dict[str, float] = {}
    for text in others:
        name, _, usd = text.partition("=")
        if name not in known:
            raise typer.BadParameter(f"there is no price {name!r}: {', '.join(sorted(known))}")
        try:
            told[name] = float(usd)
        except ValueError:
            raise typer.BadParameter(f"{usd!r} is no price in USD") from None
    return replace(Prices(), **told)


def _bill_table(items: list[Item]) -> Table:
    table = Table(box=MARKDOWN)
    table.add_column("for")
    table.add_column("amount", justify="right")
    table.add_column("of")
    table.add_column("USD", justify="right")
    for item in items:
        table.add_row(item.name, f"{item.amount:,.6g}", item.unit, f"{item.usd:,.4f}")
    table.add_row("all", "", "", f"{total(items):,.4f}")
    return table


def _month_table(prices: Prices) -> Table:
    months = {name: month_of(kept, prices) for name, kept in _ALWAYS_ON.items()}
    table = Table(box=MARKDOWN)
    table.add_column("USD a month")
    for name in months:
        table.add_column(name, justify="right")
    for row in zip(*months.values(), strict=True):
        table.add_row(row[0].name, *(f"{item.usd:,.0f}" for item in row))
    table.add_row("all", *(f"{total(items):,.0f}" for items in months.values()))
    return table


if __name__ == "__main__":
    typer.run(main)
