"""The palette worker with a slow store; what gunicorn loads instead of palette_worker.wsgi."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import unquote, urlsplit

from benchmarks.slow_store import SlowStore
from colorway.settings import read_settings
from colorway.telemetry.logs import configure_logging
from palette_worker.app import create_app
from palette_worker.settings import Settings

settings = read_settings(Settings)
configure_logging("palette_worker", settings.log_level)
app = create_app(
    settings,
    store=SlowStore(
        Path(unquote(urlsplit(settings.image_store).path)),
        settings.link_signing_key.get_secret_value(),
        upload_s=float(os.environ["UPLOAD_SECONDS"]),
    ),
)
