"""No file grows beyond what one can hold in mind; no module is named for being a drawer."""

from __future__ import annotations

from tests.databases import ROOT

HOUSE = (
    "benchmarks",
    "chaos",
    "colorway",
    "dispatcher",
    "palette_worker",
    "local_tasks",
    "mutants",
    "demo",
    "migrations",
    "tests",
)
FILES = [file.relative_to(ROOT) for room in HOUSE for file in sorted((ROOT / room).rglob("*.py"))]
MOST_LINES = 400
DRAWERS = {"utils", "util", "helpers", "common", "manager", "base", "misc"}


def test_no_file_is_too_long():
    lengths = {str(file): len((ROOT / file).read_text().splitlines()) for file in FILES}

    assert {file: length for file, length in lengths.items() if length > MOST_LINES} == {}


def test_no_module_or_folder_is_a_drawer():
    drawers = [str(file) for file in FILES if DRAWERS & {file.stem, *file.parts}]

    assert drawers == []
