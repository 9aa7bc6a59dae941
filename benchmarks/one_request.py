"""How it was done before: all palettes inside one request, which is cut off at its ceiling.

A request is a process of its own here, and killed where the platform would end it.
"""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from io import BytesIO
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from time import perf_counter

from benchmarks.slow_store import SlowStore
from colorway.image_keys import thumbnail_key
from colorway.job import OutputOptions, RenderOptions
from colorway.palette import Palette
from palette_worker.rendering import decode, render

_SIGNING_KEY = "not used here, but as long as a key"
_STARTS_WITHIN_S = 60


@dataclass(frozen=True, slots=True)
class Request:
    """What one request is to do: so many uploads at once, each of `upload_s` seconds."""

    picture: Path
    palettes: tuple[Palette, ...]
    at_once: int
    upload_s: float
    folder: Path

    def store(self) -> SlowStore:
        """Return the store that it puts its pictures in."""
        return SlowStore(self.folder, _SIGNING_KEY, upload_s=self.upload_s)


@dataclass(frozen=True, slots=True)
class Answered:
    """How long a request took, or its ceiling, and how many pictures are stored then."""

    seconds: float
    stored: int


def seconds_in_one_request(request: Request, *, ceiling_s: float) -> Answered:
    """Carry the request out, up to the ceiling; starting its process does not count."""
    context = get_context("forkserver")
    ours, theirs = context.Pipe()
    process = context.Process(target=_carry_out, args=(request, theirs))
    process.start()
    try:
        if not ours.poll(_STARTS_WITHIN_S):
            raise SystemExit("a request did not begin")
        ours.recv()
        seconds = ours.recv() if ours.poll(ceiling_s) else ceiling_s
    finally:
        process.kill()
        process.join()
    thumbnails = [one for one in request.store().list("") if one.key.endswith(".thumb.webp")]
    return Answered(seconds, len(thumbnails))


def _carry_out(request: Request, tell: Connection) -> None:
    """Decode once; then render, encode and store each picture and its thumbnail."""
    store = request.store()
    tell.send("begun")
    began = perf_counter()
    source = decode(request.picture.read_bytes())

    def one(palette: Palette) -> None:
        rendition = render(source, palette, RenderOptions(), OutputOptions())
        key = f"{palette.name}.{rendition.format}".replace(" ", "-")
        for name, body in ((key, rendition.body), (thumbnail_key(key), rendition.thumbnail)):
            digest = hashlib.sha256(body).hexdigest()
            store.put(name, BytesIO(body), size=len(body), sha256=digest, media_type="image/png")

    with ThreadPoolExecutor(request.at_once) as pool:
        list(pool.map(one, request.palettes))
    tell.send(perf_counter() - began)
