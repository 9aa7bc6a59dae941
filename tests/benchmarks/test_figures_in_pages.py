"""docs/cost.md and docs/scaling.md show what the calculations print."""

from __future__ import annotations

import re
import shlex

import pytest
import typer
from typer.testing import CliRunner

from benchmarks import capacity, cost
from tests.databases import ROOT

CALCULATIONS = {"cost": cost.main, "capacity": capacity.main}
COMMAND = re.compile(r"^\.venv/bin/python -m benchmarks\.(cost|capacity)\b(.*)$", re.MULTILINE)


def without_blank_lines(text: str) -> str:
    return "\n".join(line.rstrip() for line in text.splitlines() if line.strip())


def commands() -> list[tuple[str, str, str]]:
    """Return each page with the calculations on it, and their options."""
    pages = [(ROOT / "docs" / name).read_text() for name in ("cost.md", "scaling.md")]
    return [(page, *found) for page in pages for found in COMMAND.findall(page)]


@pytest.mark.parametrize(("page", "name", "options"), commands(), ids=lambda said: said[:30])
def test_a_page_shows_what_the_calculation_prints(page, name, options):
    command = typer.Typer()
    command.command()(CALCULATIONS[name])

    printed = CliRunner().invoke(command, shlex.split(options, comments=True))

    assert printed.exit_code == 0, printed.output
    said = f".venv/bin/python -m benchmarks.{name}{options}\n```\n"
    assert said + without_blank_lines(printed.output) in without_blank_lines(page)


def test_there_are_calculations_on_the_pages():
    assert {name for _, name, _ in commands()} == set(CALCULATIONS)
