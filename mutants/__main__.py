"""`make mutants`: each mutant in a copy of its own; exit code 1 unless every one of them dies.

A mutant dies if the tests that watch over it fail. They are run on the unbroken copy first: where
they fail there, they would kill anything.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer
from rich.console import Console

from mutants.catalogue import MUTANTS
from mutants.mutant import Mutant

HOUSE = Path(__file__).resolve().parents[1]
LEFT_BEHIND = shutil.ignore_patterns(
    ".git",
    ".venv",
    "__pycache__",
    ".mypy_cache",
    ".pytest_cache",
    ".ruff_cache",
    "data",
    "*-output",
)
LIMIT_S = 600
ALL_PASSED, SOME_FAILED = 0, 1

console = Console()


def main(
    only: Annotated[str, typer.Option(help="a part of the names of those to try")] = "",
    at_once: Annotated[int, typer.Option(min=1, help="copies tested side by side")] = 2,
) -> None:
    """Try every mutant and say which of them lived."""
    chosen = [mutant for mutant in MUTANTS if only in mutant.name]
    if not chosen:
        console.print(f"no mutant has {only!r} in its name", style="red")
        raise typer.Exit(2)
    watchers = tuple(sorted({path for mutant in chosen for path in mutant.watched_by}))
    unbroken = tested(None, watchers)
    if unbroken.returncode != ALL_PASSED:
        console.print(unbroken.stdout[-3000:], markup=False, highlight=False)
        console.print("the tests fail without any mutant", style="red")
        raise typer.Exit(1)
    with ThreadPoolExecutor(at_once) as pool:
        lived = [
            mutant for mutant, died in zip(chosen, pool.map(dies, chosen), strict=True) if not died
        ]
    console.print(f"{len(chosen) - len(lived)} of {len(chosen)} mutants died")
    raise typer.Exit(1 if lived else 0)


def dies(mutant: Mutant) -> bool:
    """Whether the tests that watch over it fail with this mutant."""
    began = time.perf_counter()
    died = tested(mutant, mutant.watched_by).returncode == SOME_FAILED
    verdict = "[green]died[/]" if died else "[red]LIVES[/]"
    console.print(
        f"{verdict} in {time.perf_counter() - began:3.0f} s  {mutant.name}", highlight=False
    )
    return died


def tested(mutant: Mutant | None, watchers: tuple[str, ...]) -> subprocess.CompletedProcess[str]:
    """Run these tests in a copy with this mutant."""
    with TemporaryDirectory(prefix="colorway-mutant-") as folder:
        copy = Path(folder) / "copy"
        shutil.copytree(HOUSE, copy, ignore=LEFT_BEHIND)
        if mutant is not None:
            for file, text in mutant.broken(HOUSE).items():
                (copy / file).write_text(text)
        command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *watchers]
        return subprocess.run(  # noqa: S603 - our own command
            command,
            cwd=copy,
            env=dict(os.environ) | {"PYTHONPATH": str(copy)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=LIMIT_S,
            check=False,
        )


if __name__ == "__main__":
    typer.run(main)
