"""How long POST /v1/jobs takes as palettes grow: `python -m benchmarks.post_jobs`.

A real dispatcher under gunicorn and a real local queue, in a temporary folder. The queue takes
tasks and sends none, so that nothing competes. Sizes take turns within each round, so that a noisy
moment hits all of them alike; the bars are ratios of medians. The exit code is 1 where one is
missed.
"""

from __future__ import annotations

import hashlib
import json
import random
import struct
import sys
import tempfile
import time
import zlib
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import Annotated, Any

import requests
import typer

from demo.machine import Machine

SIZES = (1, 7, 100, 500)
BARS = {7: 1.5, 500: 5.0}
"""How many times as long as one palette a job of so many may take, with its picture of 1 MB."""

EDGE = 590  # pixels of 3 bytes of noise: 1.04 MB of PNG

Submit = Callable[[int], requests.Response]


def noise_png(edge: int, *, seed: int = 1) -> bytes:
    """Return a PNG of noise, which no compression makes smaller."""
    noise = random.Random(seed)  # noqa: S311 - a picture, not a secret
    rows = b"".join(b"\0" + noise.randbytes(3 * edge) for _ in range(edge))
    header = struct.pack(">IIBBBBB", edge, edge, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows, 1)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )


def palettes(count: int) -> list[dict[str, Any]]:
    """Return so many different palettes of five colours."""
    return [
        {
            "name": f"Palette {index}",
            "colors": [
                "#" + hashlib.sha256(f"{index}-{color}".encode()).hexdigest()[:6]
                for color in range(5)
            ],
        }
        for index in range(count)
    ]


def medians(submit: Submit, rounds: int) -> dict[int, float]:
    """Return the median milliseconds for each size."""
    took: dict[int, list[float]] = {size: [] for size in SIZES}
    for number in range(rounds + 2):
        for size in SIZES:
            began = time.perf_counter()
            answer = submit(size)
            seconds = time.perf_counter() - began
            if answer.status_code != 202:
                raise SystemExit(f"{answer.status_code} {answer.text[:500]}")
            if number >= 2:  # the first rounds warm up
                took[size].append(seconds * 1000)
    return {size: median(times) for size, times in took.items()}


def main(
    rounds: Annotated[int, typer.Option(help="requests of each size and kind")] = 40,
    inline: Annotated[int | None, typer.Option(help="ENQUEUE_INLINE, to try another")] = None,
) -> None:
    """Measure, print, and judge."""
    # nothing is rendered, so all of it stays pending
    settings = {"RECONCILE_EVERY": "3600", "MAX_PENDING": "1000000", "RATE_LIMIT": ""}
    if inline is not None:
        settings["ENQUEUE_INLINE"] = str(inline)
    with ExitStack() as running:
        folder = running.enter_context(tempfile.TemporaryDirectory(prefix="colorway-benchmark-"))
        machine = Machine(Path(folder), settings=settings)
        machine.queue.command = [_idle(argument) for argument in machine.queue.command]
        for service in (machine.queue, machine.dispatcher):
            service.start()
            running.callback(service.stop)
            service.wait_until_ready()
        calls = running.enter_context(requests.Session())
        calls.headers["Authorization"] = f"Bearer {machine.api_key}"
        url = f"{machine.dispatcher_url}/v1/jobs"
        picture = noise_png(EDGE)
        wanted = {size: palettes(size) for size in SIZES}
        image = calls.post(f"{machine.dispatcher_url}/v1/images", data=noise_png(64)).json()["id"]
        number = 0

        def multipart(size: int) -> requests.Response:
            nonlocal number
            number += 1  # bytes after the end: another picture each time, so that it is stored
            parts: dict[str, Any] = {
                "image": ("noise.png", picture + number.to_bytes(4), "image/png"),
                "job": (None, json.dumps({"palettes": wanted[size]}), "application/json"),
            }
            return calls.post(url, files=parts)

        def by_id(size: int) -> requests.Response:
            return calls.post(url, json={"image": {"id": image}, "palettes": wanted[size]})

        with_picture = medians(multipart, rounds)
        without = medians(by_id, rounds)
    _show(f"multipart, {len(picture) / 1e6:.2f} MB PNG", with_picture)
    _show("JSON with image.id", without)
    missed = [size for size, bar in BARS.items() if with_picture[size] > bar * with_picture[1]]
    for size in missed:
        print(f"missed: {size} palettes with a picture take more than {BARS[size]} x one")  # noqa: T201
    sys.exit(1 if missed else 0)


def _idle(argument: str) -> str:
    """Turn the declaration of a queue into one that sends next to nothing."""
    slow = ",max_dispatches_per_second=0.001,max_burst_size=1,max_concurrent_dispatches="
    return argument.replace(",max_concurrent_dispatches=", slow)


def _show(kind: str, times: dict[int, float]) -> None:
    cells = (f"{size}: {ms:.1f} ms ({ms / times[1]:.2f} x)" for size, ms in times.items())
    print(f"{kind:24}", "   ".join(cells))  # noqa: T201


if __name__ == "__main__":
    typer.run(main)
