"""The palette worker over a store whose one source kills whoever reads it.

What gunicorn loads in a journey, instead of palette_worker.wsgi.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import BinaryIO
from urllib.parse import unquote, urlsplit

from colorway.image_store.local_folder import LocalFolderStore
from colorway.settings import read_settings
from colorway.telemetry.logs import configure_logging
from palette_worker.app import create_app
from palette_worker.settings import Settings


class PoisonedStore(LocalFolderStore):
    """A folder in which the sources with this SHA-256 are poison."""

    poison = os.environ["POISON_SHA256"]

    def open(self, key: str) -> BinaryIO:
        if self.poison in key:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().open(key)


settings = read_settings(Settings)
configure_logging("palette_worker", settings.log_level)
app = create_app(
    settings,
    store=PoisonedStore(
        Path(unquote(urlsplit(settings.image_store).path)),
        settings.link_signing_key.get_secret_value(),
    ),
)
