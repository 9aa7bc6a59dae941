"""What journeys have in common: pictures to send, and waiting for something to come true."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np
from PIL import Image
from sqlalchemy import select
from tenacity import Retrying, retry_if_result, stop_after_delay, wait_fixed

from colorway.client import Client, Job
from colorway.ledger.connection import Ledger
from colorway.ledger.tables import colorways
from colorway.palette import CATALOGUE, Palette
from colorway.render_task import RenderTask

SEVEN = CATALOGUE
TWO = CATALOGUE[:2]
_PATIENCE_S = 60

T = TypeVar("T")


def eventually(look: Callable[[], T], holds: Callable[[T], bool]) -> T:
    """Return what `look` sees once it holds; fail if it never does."""
    until_it_holds = Retrying(
        retry=retry_if_result(lambda seen: not holds(seen)),
        wait=wait_fixed(0.02),
        stop=stop_after_delay(_PATIENCE_S),
    )
    return until_it_holds(look)


def finished(client: Client, job: Job) -> Job:
    """Return the job once it is done."""
    return client.wait(job.id, within_s=_PATIENCE_S)


def tasks_of(ledger: Ledger) -> list[RenderTask]:
    """Return the tasks of every colorway in the ledger."""
    with ledger.reading() as session:
        rows = session.execute(select(colorways.c.id, colorways.c.epoch).order_by(colorways.c.id))
        return [RenderTask(row.id, row.epoch) for row in rows]


def a_photo(folder: Path, *, width: int = 320, height: int = 240) -> Path:
    """Draw a picture of soft hills with some grain; a large one keeps a worker busy."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    hills = [np.sin(x / 37 + phase) * 60 + np.cos(y / 23 - phase) * 50 + 128 for phase in (0, 1, 2)]
    grain = np.random.default_rng(7).normal(0, 4, (height, width, 1))
    pixels = np.clip(np.stack(hills, axis=-1) + grain, 0, 255).astype(np.uint8)
    file = folder / f"photo-{width}x{height}.png"
    Image.fromarray(pixels).save(file, compress_level=1)
    return file


def a_broken_photo(folder: Path) -> Path:
    """Cut a picture off in the middle: its header is fine, its pixels are not."""
    whole = a_photo(folder).read_bytes()
    file = folder / "broken.png"
    file.write_bytes(whole[: len(whole) // 2])
    return file


def stored_files(pictures: Path) -> set[str]:
    """Return the keys in a folder store, and whatever else lies there."""
    files = (path for path in pictures.rglob("*") if path.is_file())
    return {path.relative_to(pictures).as_posix() for path in files}


def named(*names: str) -> tuple[Palette, ...]:
    """Return two-colour palettes of these names."""
    return tuple(
        Palette(name, ("#101010", f"#{index + 3:x}0a0f0")) for index, name in enumerate(names)
    )
