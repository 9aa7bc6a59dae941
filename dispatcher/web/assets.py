"""The files that pages are made of, ours and Swagger UI's: no page asks another host for anything.

A file's address has its digest in it, so a browser asks once and keeps it until we ship another.
"""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable

from colorway.errors import NotFound

_OURS = files("dispatcher.web") / "static"
_SWAGGER_UI = files("flask_swagger_ui") / "dist"  # its files only: it writes scripts into its page

_SERVED: dict[str, tuple[Traversable, str]] = {
    "pages.css": (_OURS, "text/css"),
    "docs.js": (_OURS, "text/javascript"),
    "favicon.svg": (_OURS, "image/svg+xml"),
    "swagger-ui.css": (_SWAGGER_UI, "text/css"),
    "swagger-ui-bundle.js": (_SWAGGER_UI, "text/javascript"),
}


@dataclass(frozen=True, slots=True)
class Asset:
    """A file as it is served."""

    media_type: str
    body: bytes
    packed: bytes = field(init=False)
    digest: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "packed", gzip.compress(self.body, mtime=0))
        object.__setattr__(self, "digest", hashlib.sha256(self.body).hexdigest()[:16])


@cache  # packed once for all requests, and not before one comes: it takes some 100 ms
def asset(name: str) -> Asset:
    """Return the file of this name, or raise NotFound."""
    if name not in _SERVED:
        raise NotFound(f"there is no file {name!r}")
    folder, media_type = _SERVED[name]
    return Asset(media_type, (folder / name).read_bytes())
