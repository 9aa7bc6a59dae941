"""How good the renditions are, beside other methods: `python -m benchmarks.quality`.

Photographs, ramps and logos (quality_set) in palettes that suit them and palettes that do not, by
ours and by its rivals, measured (measures) and held against bars (bars). `docs/quality.md` tells
what the figures mean. Exit code 1 if ours misses a bar.

`--picture` and `--palette` narrow it down, `--rows` prints every pair, `--sheets FOLDER` keeps the
renditions and puts them side by side: look at them too, for a figure can lie.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from statistics import mean
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from benchmarks import rivals
from benchmarks.bars import BARS, OURS_ALONE, summary
from benchmarks.quality_set import (
    COMPARED,
    PALETTES,
    RAMPS,
    flat_art,
    missing_photographs,
    photographs,
    picture_names,
)
from benchmarks.sheets import write_sheets
from benchmarks.trials import ANY, OURS, Trial, digest, trials
from colorway.palette import Palette

console = Console(width=None if sys.stdout.isatty() else 150)

Values = dict[str, dict[tuple[str, str], float]]  # by measure, then by picture and palette


def main(
    quick: Annotated[bool, typer.Option(help="four palettes only")] = False,
    ours: Annotated[bool, typer.Option(help="without rivals")] = False,
    picture: Annotated[list[str] | None, typer.Option(help="only this one; repeatable")] = None,
    palette: Annotated[list[str] | None, typer.Option(help="only this one; repeatable")] = None,
    rows: Annotated[bool, typer.Option(help="print every pair")] = False,
    sheets: Annotated[Path | None, typer.Option(help="a folder for contact sheets")] = None,
) -> None:
    """Measure, print, and judge."""
    names = [name for name in picture_names() if not picture or name in picture]
    compared = [one for one in PALETTES if one.name in COMPARED]
    palettes = compared if quick else list(PALETTES)
    if palette:
        palettes = compared = [one for one in PALETTES if one.name in palette]
    if not names or not palettes:
        raise SystemExit(
            f"pictures: {', '.join(picture_names())}\n"
            f"palettes: {', '.join(one.name for one in PALETTES)}"
        )
    others = [] if ours else list(rivals.available())
    found = _measured(names, palettes, compared, others, sheets)
    mine = [trial for trial in found if trial.method == OURS]
    if rows:
        _print_rows(found)
    _print_means(mine)
    if others:
        _print_methods(found, [OURS, *others], [one.name for one in compared])
    if sheets is not None:
        write_sheets(sheets, names, palettes, [OURS, *others], compared)
        console.print(f"contact sheets are in {sheets}")
    _print_missing(ours=ours)
    sys.exit(0 if _bars_hold(mine) else 1)


def _measured(
    names: Sequence[str],
    palettes: Sequence[Palette],
    compared: Sequence[Palette],
    others: Sequence[str],
    sheets: Path | None,
) -> list[Trial]:
    if sheets is not None:
        (sheets / "renditions").mkdir(parents=True, exist_ok=True)
    tasks = [(OURS, name, palettes, sheets) for name in names]
    tasks += [(method, name, compared, sheets) for name in names for method in others]
    with ProcessPoolExecutor() as pool:
        found = [trial for group in pool.map(trials, *zip(*tasks, strict=True)) for trial in group]
    return found + _repeated(names)


def _repeated(names: Sequence[str]) -> list[Trial]:
    """Return for each picture whether two processes of their own make different files of it."""
    fresh = get_context("spawn")
    with ProcessPoolExecutor(1, fresh) as one, ProcessPoolExecutor(1, fresh) as another:
        made = [one.map(digest, names), another.map(digest, names)]
    return [
        Trial(OURS, name, ANY, {"other bytes": float(first != second)})
        for name, first, second in zip(names, *made, strict=True)
    ]


def _by_measure(found: Iterable[Trial]) -> Values:
    values: Values = {name: {} for name in BARS}
    for trial in found:
        for name, value in trial.values.items():
            values[name][trial.picture, trial.palette] = value
    return {name: measured for name, measured in values.items() if measured}


def _print_rows(found: Iterable[Trial]) -> None:
    for trial in found:
        told = "  ".join(f"{name} {value:.3f}" for name, value in trial.values.items())
        pair = f"{trial.method:19} {trial.picture:15} {trial.palette:15}"
        console.print(pair, told, highlight=False, soft_wrap=True)


def _print_means(mine: Sequence[Trial]) -> None:
    """Print a table for each kind of picture, by picture and by palette; what misses, in red."""
    kinds = {
        "Photographs": list(photographs()),
        "Ramps": list(RAMPS),
        "Flat art": list(flat_art()),
    }
    for kind, names in kinds.items():
        of_kind = [trial for trial in mine if trial.picture in names]
        columns = [name for name in _by_measure(of_kind) if name not in OURS_ALONE]
        if not columns:
            continue
        table = Table("means of ours", *columns, title=kind, title_justify="left")
        for by in ("picture", "palette"):
            for key in dict.fromkeys(getattr(trial, by) for trial in of_kind):
                values = _by_measure(trial for trial in of_kind if getattr(trial, by) == key)
                cells = [_mean_cell(name, values) for name in columns]
                if any(cells):
                    table.add_row(key, *cells)
            table.add_section()
        console.print(table)


def _mean_cell(name: str, values: Values) -> str:
    if name not in values:
        return ""
    average = mean(values[name].values())
    return f"{average:.3f}" if BARS[name].holds(average) else f"[red]{average:.3f}*[/]"


def _print_methods(found: Iterable[Trial], methods: Sequence[str], palettes: Sequence[str]) -> None:
    """Print means over the pairs that all methods were measured on, and their summaries."""
    title = f"Means over {', '.join(palettes)}"
    table = Table("measure", "bar", *methods, title=title, title_justify="left")
    by_method = {
        method: _by_measure(
            trial
            for trial in found
            if trial.method == method
            and (trial.palette in palettes or trial.palette not in {p.name for p in PALETTES})
        )
        for method in methods
    }
    means = {
        method: {name: mean(pairs.values()) for name, pairs in values.items()}
        for method, values in by_method.items()
    }
    for name in means[OURS]:
        if name not in OURS_ALONE:
            cells = [f"{means[method][name]:.3f}" for method in methods]
            table.add_row(name, f"{BARS[name].limit:g}", *cells)
    table.add_section()
    table.add_row("U", "", *(f"{summary(means[method]):.0f}" for method in methods))
    console.print(table)


def _print_missing(*, ours: bool) -> None:
    missing = missing_photographs() + ([] if ours else rivals.missing())
    if missing:
        console.print(f"not measured, for lack of packages (`make quality`): {', '.join(missing)}")


def _bars_hold(mine: Iterable[Trial]) -> bool:
    table = Table(title="Ours against the bars", title_justify="left")
    for column in ("measure", "bar", "on the", "mean", "worst", "of", "pairs beyond", ""):
        table.add_column(column, justify="right" if column in ("bar", "mean", "worst") else "left")
    passed = True
    for name, values in _by_measure(mine).items():
        bar = BARS[name]
        worst = (min if bar.higher_is_better else max)(values, key=values.__getitem__)
        holds = bar.holds(bar.judged(values))
        passed &= holds
        beyond = sum(not bar.holds(value) for value in values.values())
        table.add_row(
            name,
            f"{bar.limit:g}",
            "worst" if bar.worst_counts else "mean",
            f"{mean(values.values()):.3f}",
            f"{values[worst]:.3f}",
            " in ".join(worst) if beyond else "",
            f"{beyond} of {len(values)}",
            "holds" if holds else "[red]missed[/]",
        )
    console.print(table)
    return passed


if __name__ == "__main__":
    typer.run(main)
