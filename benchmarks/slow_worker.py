"""The palette worker with a slow store; what gunicorn loads instead of palette_worker.wsgi."""

from __future__ import annotations

from benchmarks.slow_store import slow_store
from colorway.settings import read_settings
from colorway.telemetry.logs import configure_logging
from palette_worker.app import create_app
from palette_worker.settings import Settings

settings = read_settings(Settings)
configure_logging("palette_worker", settings.log_level)
app = create_app(settings, store=slow_store(settings))
