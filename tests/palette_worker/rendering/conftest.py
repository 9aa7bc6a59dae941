"""What the tests of the command share."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.palette_worker.rendering.drawn_pictures import a_logo, a_photo, file_of


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the command works: with a photo.png and a logo.png, and nothing else."""
    (tmp_path / "photo.png").write_bytes(file_of(a_photo()))
    (tmp_path / "logo.png").write_bytes(file_of(a_logo()))
    monkeypatch.chdir(tmp_path)
    return tmp_path
