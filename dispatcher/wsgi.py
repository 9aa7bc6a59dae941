"""What gunicorn loads: `gunicorn -c dispatcher/gunicorn.conf.py dispatcher.wsgi:app`."""

from __future__ import annotations

import threading

from colorway.settings import read_settings
from colorway.telemetry.logs import configure_logging
from dispatcher.app import Machinery, create_app
from dispatcher.reconciler import reconcile_every
from dispatcher.settings import Settings

settings = read_settings(Settings)
configure_logging("dispatcher", settings.log_level)
app = create_app(settings)
if settings.reconcile_every is not None:
    # a daemon, ended with the process: each repair is one transaction, so it may end anywhere
    machinery: Machinery = app.extensions["machinery"]
    reconcile_every(settings.reconcile_every, machinery.reconciler, threading.Event())
