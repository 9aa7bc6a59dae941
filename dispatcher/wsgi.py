"""What gunicorn loads: `gunicorn -c dispatcher/gunicorn.conf.py dispatcher.wsgi:app`."""

from __future__ import annotations

from colorway.settings import read_settings
from colorway.telemetry.logs import configure_logging
from colorway.telemetry.traces import configure_traces
from dispatcher.app import create_app, start_timers
from dispatcher.settings import Settings

settings = read_settings(Settings)
configure_logging("dispatcher", settings.log_level, project=settings.google_cloud_project)
configure_traces("dispatcher")
app = create_app(settings)
start_timers(app, settings)
