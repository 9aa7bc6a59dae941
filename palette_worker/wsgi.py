"""What gunicorn loads: `gunicorn -c palette_worker/gunicorn.conf.py palette_worker.wsgi:app`."""

from __future__ import annotations

from colorway.settings import read_settings
from colorway.telemetry.logs import configure_logging
from colorway.telemetry.traces import configure_traces
from palette_worker.app import create_app
from palette_worker.settings import Settings

settings = read_settings(Settings)
configure_logging("palette_worker", settings.log_level, project=settings.google_cloud_project)
configure_traces("palette_worker")
app = create_app(settings)
