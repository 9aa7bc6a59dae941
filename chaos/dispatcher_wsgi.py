"""The dispatcher with a faulty store; what gunicorn loads instead of dispatcher.wsgi."""

from __future__ import annotations

from chaos.faulty_store import faulty_store
from colorway.settings import read_settings
from colorway.telemetry.logs import configure_logging
from dispatcher.app import create_app, start_timers
from dispatcher.settings import Settings

settings = read_settings(Settings)
configure_logging("dispatcher", settings.log_level)
app = create_app(settings, store=faulty_store(settings))
start_timers(app, settings)
