"""The dispatcher with a faulty store; what gunicorn loads instead of dispatcher.wsgi."""

from __future__ import annotations

import threading

from chaos.faulty_store import faulty_store
from colorway.settings import read_settings
from colorway.telemetry.logs import configure_logging
from dispatcher.app import Machinery, create_app
from dispatcher.reconciler import reconcile_every
from dispatcher.settings import Settings

settings = read_settings(Settings)
configure_logging("dispatcher", settings.log_level)
app = create_app(settings, store=faulty_store(settings))
if settings.reconcile_every is not None:
    machinery: Machinery = app.extensions["machinery"]
    reconcile_every(settings.reconcile_every, machinery.reconciler, threading.Event())
