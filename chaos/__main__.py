"""`python -m chaos`: hurt the whole service for some minutes, and prove that nothing got lost."""

from __future__ import annotations

import os
import random
import shutil
import sys
from pathlib import Path
from tempfile import mkdtemp
from typing import Annotated

import typer
from rich.console import Console

from chaos.auditor.books import open_books
from chaos.auditor.evidence import gather
from chaos.auditor.verdict import enough_for, judge
from chaos.databases import EMBEDDED, database_at
from chaos.observer import forget
from chaos.report import as_json, as_markdown
from chaos.run import NotEmpty, perform
from demo.supervisor import DidNotStart

WRONG, TOO_LITTLE, CANNOT = 1, 3, 2

commands = typer.Typer(help=__doc__, add_completion=False)
console = Console(highlight=False)


@commands.command()
def main(
    minutes: Annotated[float, typer.Option(help="how long it hurts")] = 1.0,
    seed: Annotated[int | None, typer.Option(help="the same seed makes the same plan")] = None,
    out: Annotated[Path | None, typer.Option(help="folder for report.md and report.json")] = None,
    keep: Annotated[bool, typer.Option(help="keep database, logs and pictures")] = False,
) -> None:
    """Hurt everything, let it heal, and audit what is left.

    DATABASE_URL: SQLite if unset, `embedded` for a Postgres of our own, or a server's URL.
    Ends with 0 if nothing is wrong and it hurt enough, 1 if something is wrong, 3 if it hurt too
    little to tell, 2 if it could not begin.
    """
    seed = random.randrange(1_000_000) if seed is None else seed  # noqa: S311
    wanted = os.environ.get("DATABASE_URL") or None
    data = Path(mkdtemp(prefix="colorway-chaos-"))
    console.print(f"seed {seed}, {minutes:g} minutes, data in {data}")
    try:
        with database_at(wanted, data) as database:
            if database.remark:
                console.print(database.remark)
            traces = perform(data, database, seed=seed, minutes=minutes, say=console.print)
            evidence = gather(
                traces.database_url,
                told=traces.told,
                acts=traces.acts,
                pictures=traces.pictures,
                logs=traces.logs,
            )
            if not keep:
                with open_books(traces.database_url) as books:
                    forget(books)
    except (DidNotStart, NotEmpty) as error:
        console.print(str(error), markup=False)
        if isinstance(error, NotEmpty):
            shutil.rmtree(data)
        raise typer.Exit(CANNOT) from error
    verdict = judge(evidence, enough_for(minutes))
    facts = {"database": _kind(wanted), "seed": str(seed), "minutes": f"{minutes:g}"}
    print(f"\n{as_markdown(verdict, facts)}")  # noqa: T201 - as it is, to be pasted
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        (out / "report.md").write_text(as_markdown(verdict, facts), encoding="utf-8")
        (out / "report.json").write_text(as_json(verdict, facts), encoding="utf-8")
    if verdict.is_clean and not keep:
        shutil.rmtree(data)
    else:
        console.print(f"database, logs and pictures are kept in {data}")
    if not verdict.is_clean:
        raise typer.Exit(WRONG)
    if verdict.too_little:
        raise typer.Exit(TOO_LITTLE)


def _kind(wanted: str | None) -> str:
    if wanted is None or wanted.startswith("sqlite"):
        return "SQLite"
    return "Postgres (embedded)" if wanted == EMBEDDED else "Postgres (given)"


if __name__ == "__main__":
    sys.exit(commands())
