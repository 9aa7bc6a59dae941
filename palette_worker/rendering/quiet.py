"""Keeps Pillow's warnings about odd files from reaching anyone.

Pillow warns about what we judge ourselves (very many pixels, damaged EXIF, a broken animation
header). `warnings.catch_warnings` swaps state of the whole process and two threads that overlap
may leave it swapped (Python documents it as not thread-safe before 3.14). So the first thread in
swaps it and the last one out swaps it back; decoding itself stays parallel.
"""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager


class _Silence:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._swapped = ExitStack()

    @contextmanager
    def kept(self) -> Iterator[None]:
        with self._lock:
            self._inside += 1
            if self._inside == 1:
                self._swapped.enter_context(warnings.catch_warnings())
                warnings.simplefilter("ignore")
        try:
            yield
        finally:
            with self._lock:
                self._inside -= 1
                if self._inside == 0:
                    self._swapped.close()


without_warnings = _Silence().kept
