"""An append-only log of facts, one JSON object a line, on disk before the next thing happens."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path
from typing import Any


class Diary:
    """Lines of one file; may be written by several threads."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self._lines = file.open("a", encoding="utf-8")
        self._writing = threading.Lock()

    def note(self, event: str, **facts: Any) -> None:
        """Write down what has happened, with the time as seconds since 1970."""
        line = json.dumps({"t": round(time.time(), 4), "event": event} | facts)
        with self._writing:
            self._lines.write(f"{line}\n")
            self._lines.flush()

    def close(self) -> None:
        """Write no more."""
        self._lines.close()
