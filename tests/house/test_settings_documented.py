"""docs/settings.md names every setting with its default and its meaning, and no other."""

from __future__ import annotations

import re
import runpy
from datetime import timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from pydantic_settings import BaseSettings

import dispatcher.settings
import palette_worker.settings
from colorway.settings import SharedSettings

PAGE = Path(__file__).parents[2] / "docs" / "settings.md"
ROW = re.compile(r"^\| `[A-Z_]+` \|.*$", re.MULTILINE)


@pytest.mark.parametrize(
    ("heading", "settings", "but"),
    [
        ("## Both services", SharedSettings, None),
        ("## Dispatcher", dispatcher.settings.Settings, SharedSettings),
        ("## Palette worker", palette_worker.settings.Settings, SharedSettings),
    ],
)
def test_every_setting_has_its_row(
    heading: str, settings: type[BaseSettings], but: type[BaseSettings] | None
) -> None:
    section = PAGE.read_text().partition(heading)[2].partition("\n## ")[0]

    rows = ROW.findall(section)

    known = but.model_fields if but else {}
    assert rows == [_row(settings, name) for name in settings.model_fields if name not in known]


@pytest.mark.parametrize("service", [dispatcher, palette_worker])
def test_gunicorn_has_as_many_threads_as_the_settings_say(
    service: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("THREADS", raising=False)

    configuration = runpy.run_path(str(Path(service.__path__[0]) / "gunicorn.conf.py"))

    assert configuration["threads"] == service.settings.Settings.model_fields["threads"].default


def _row(settings: type[BaseSettings], name: str) -> str:
    field = settings.model_fields[name]
    return f"| `{name.upper()}` | {_default(field)} | {field.description} |"


def _default(field: Any) -> str:
    if field.is_required():
        return "*required*"
    if field.default_factory is not None:
        return "(see there)"
    if field.default is None:
        return "unset"
    if isinstance(field.default, timedelta):
        return f"{field.default.total_seconds():g} s"
    return f"`{field.default}`"
