"""A process of its own that stores 64 MiB, reads them back, and prints how much it grew by each.

It is told the store by the environment, as services are.
"""

from __future__ import annotations

import hashlib
import json
import re
from io import RawIOBase
from pathlib import Path
from typing import Any

from colorway.image_store import open_store
from colorway.settings import StoreSettings, read_settings

MIB = 1 << 20
SIZE = 64 * MIB
_PIECE = 1 << 18


class Made(RawIOBase):
    """So many bytes, made while they are read; no two MiB of them are the same."""

    def __init__(self, size: int) -> None:
        self._at = 0
        self._size = size

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        count = min(len(buffer), self._size - self._at, MIB - self._at % MIB)
        buffer[:count] = bytes([self._at // MIB]) * count
        self._at += count
        return count


def digest_of(stream: Any) -> str:
    digest = hashlib.sha256()
    while piece := stream.read(_PIECE):
        digest.update(piece)
    return digest.hexdigest()


def peak_kib() -> int:
    """Return the most memory that this process has had since the peak was forgotten."""
    said = Path("/proc/self/status").read_text()
    peak = int(re.findall(r"VmHWM:\s+(\d+) kB", said)[0])
    Path("/proc/self/clear_refs").write_text("5")  # proc(5): the peak is what it has now
    return peak


def main() -> None:
    store = open_store(read_settings(StoreSettings))

    def put(key: str, size: int) -> None:
        digest = digest_of(Made(size))
        store.put(key, Made(size), size=size, sha256=digest, media_type="image/png")  # type: ignore[arg-type]

    def read(key: str) -> str:
        with store.open(key) as stream:
            return digest_of(stream)

    put("small", 1)  # what is imported and connected once is no growth
    read("small")
    peak_kib()
    before = peak_kib()
    put("large", SIZE)
    after_put = peak_kib()
    digest = read("large")
    after_open = peak_kib()
    told = {
        "put": after_put - before,
        "open": after_open - before,
        "whole": digest == digest_of(Made(SIZE)),
    }
    store.delete("large")
    print(json.dumps(told))  # noqa: T201


if __name__ == "__main__":
    main()
