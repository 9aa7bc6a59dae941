"""Where the processes of one service put what they count."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from colorway.telemetry.processes import FOLDER, forget_metrics, share_metrics


@pytest.fixture(autouse=True)
def not_shared(monkeypatch):
    """Whatever the test does to it, the variable is unset again."""
    monkeypatch.setenv(FOLDER, "")
    monkeypatch.delenv(FOLDER)


def test_each_service_has_a_folder_of_its_own_until_it_ends(monkeypatch, tmp_path):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)  # else it goes on with what it once found

    share_metrics()
    first = Path(os.environ[FOLDER])
    share_metrics()
    second = Path(os.environ[FOLDER])
    (second / "counter_1.db").touch()
    forget_metrics()

    assert first.parent == second.parent == tmp_path
    assert [first.exists(), second.exists(), FOLDER in os.environ] == [True, False, False]


@pytest.mark.parametrize(("is_there", "place"), [(True, "memory"), (False, "disk")])
def test_it_lies_in_memory_where_there_is_some(monkeypatch, tmp_path, is_there, place):
    monkeypatch.delenv("TMPDIR", raising=False)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "disk"))
    for folder in ("disk", *(["memory"] if is_there else [])):
        (tmp_path / folder).mkdir()

    share_metrics(memory=tmp_path / "memory")

    assert Path(os.environ[FOLDER]).parent == tmp_path / place
