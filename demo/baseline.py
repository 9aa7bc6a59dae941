"""The same colorways really done one after another, as one request that does them all would."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

from colorway.image_keys import thumbnail_key
from colorway.image_store.local_folder import LocalFolderStore
from colorway.job import OutputOptions, RenderOptions
from colorway.palette import Palette
from palette_worker.rendering import decode, render


def seconds_one_after_another(image: Path, palettes: Iterable[Palette]) -> float:
    """Decode once, then render, encode and store each; return the seconds it took."""
    with TemporaryDirectory() as folder:
        store = LocalFolderStore(Path(folder), "not used here, but as long as a key")
        began = perf_counter()
        source = decode(image.read_bytes())
        for index, palette in enumerate(palettes):
            rendition = render(source, palette, RenderOptions(), OutputOptions())
            key = f"{index}.{rendition.format}"
            _put(store, key, rendition.body)
            _put(store, thumbnail_key(key), rendition.thumbnail)
        return perf_counter() - began


def _put(store: LocalFolderStore, key: str, body: bytes) -> None:
    digest = hashlib.sha256(body).hexdigest()
    store.put(key, BytesIO(body), size=len(body), sha256=digest, media_type="image/png")
