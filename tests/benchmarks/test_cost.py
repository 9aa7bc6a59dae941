"""What pictures cost is reckoned as docs/cost.md says."""

from __future__ import annotations

from dataclasses import fields

import pytest
import typer
from typer.testing import CliRunner

from benchmarks.cost import AlwaysOn, Item, Orders, Prices, bill, main, month_of, rule, total

PRICES = Prices()


def of(items: list[Item], name: str) -> Item:
    return next(item for item in items if item.name == name)


def test_each_pass_of_2000_pictures_through_the_queue_costs_8_hundredths_of_a_cent():
    items = bill(Orders(jobs=2000, palettes=1), PRICES)

    assert of(items, "tasks created").usd == pytest.approx(0.0008)
    assert of(items, "tasks dispatched").usd == pytest.approx(0.0008)


def test_1000_jobs_of_7_palettes_follow_the_rule_of_thumb():
    as_first_reckoned = Orders(jobs=1000, palettes=7, gib=2, objects=1, job_seconds=0)

    slope, fixed = rule(as_first_reckoned, PRICES)

    assert slope == pytest.approx(0.37, abs=0.005)
    assert fixed == pytest.approx(0.05, abs=0.005)


def test_the_rule_is_the_bill_without_what_is_kept_and_fetched():
    orders = Orders(months=3, downloads=5, seconds=0.3)

    slope, fixed = rule(orders, PRICES)

    made = total([item for item in bill(orders, PRICES) if not item.is_kept])
    assert made == pytest.approx(slope * 0.3 + fixed)


def test_a_second_attempt_renders_and_dispatches_again_but_creates_no_task():
    once, twice = (bill(Orders(attempts=attempts), PRICES) for attempts in (1, 2))

    for name in ("rendering", "tasks dispatched", "the worker's requests"):
        assert of(twice, name).usd == pytest.approx(2 * of(once, name).usd)
    for name in ("tasks created", "objects written", "objects kept", "downloads"):
        assert of(twice, name).usd == of(once, name).usd


def test_pictures_that_nobody_keeps_or_fetches_cost_nothing_more():
    items = bill(Orders(months=0, downloads=0), PRICES)

    assert total([item for item in items if item.is_kept]) == 0


def test_two_zones_pay_for_the_database_twice():
    one, two = (month_of(AlwaysOn(database_zones=zones, dispatchers=0), PRICES) for zones in (1, 2))

    assert total(two) == pytest.approx(2 * total(one))


def printed(*options):
    command = typer.Typer()
    command.command()(main)
    return CliRunner().invoke(command, options)


def test_every_price_may_be_another():
    free = [f"--price={field.name}=0" for field in fields(Prices)]

    assert (
        "| all                   |        |                    | 0.0000 |" in printed(*free).output
    )


@pytest.mark.parametrize("price", ["luck=1", "gb_month=cheap", "gb_month"])
def test_a_price_that_is_none_is_refused(price):
    assert printed("--price", price).exit_code == 2
