"""What gunicorn loads: `gunicorn -c palette_worker/gunicorn.conf.py palette_worker.wsgi:app`."""

from __future__ import annotations

from colorway.settings import read_settings
from colorway.telemetry.logs import configure_logging
from palette_worker.app import create_app
from palette_worker.settings import Settings

settings = read_settings(Settings)
configure_logging("palette_worker", settings.log_level)
app = create_app(settings)
