"""Where source and result live in the store. No key is ever written by two attempts.

    <account>/sources/<sha256>-<upload>
    <account>/uploads/<slot>
    <account>/colorways/<fingerprint>/<colorway>-<fence>.<format>   and   ….thumb.webp

A key uses `[A-Za-z0-9/_.-]` only: Supabase Storage refuses anything else.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID


class Kind(StrEnum):
    """What an object is, by the folder of its account that it lies in."""

    SOURCE = "sources"
    SLOT = "uploads"
    PICTURE = "colorways"  # or its thumbnail


@dataclass(frozen=True, slots=True)
class Origin:
    """What an object must have been stored for, as its key tells; by `mark` the ledger finds it.

    That is a source's SHA-256, a slot's id, or a picture's fingerprint.
    """

    account: UUID
    kind: Kind
    mark: str


_ID = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_SHA256 = "[0-9a-f]{64}"
_SHAPES = {
    Kind.SOURCE: re.compile(rf"({_ID})/sources/({_SHA256})-{_ID}"),
    Kind.SLOT: re.compile(rf"({_ID})/uploads/({_ID})"),
    Kind.PICTURE: re.compile(rf"({_ID})/colorways/({_SHA256})/{_ID}-[0-9]+(?:\.thumb)?\.[a-z]+"),
}


def source_key(account: UUID, sha256: str, upload: UUID) -> str:
    """Return where a source lies; an id of its own keeps two simultaneous uploads apart."""
    return f"{account}/sources/{sha256}-{upload}"


def slot_key(account: UUID, slot: UUID) -> str:
    """Return where a client may put a source, until it is confirmed."""
    return f"{account}/uploads/{slot}"


def rendition_key(
    account: UUID, fingerprint: str, colorway: UUID, fence: int, extension: str
) -> str:
    """Return where one attempt, and no other, puts its picture."""
    return f"{account}/colorways/{fingerprint}/{colorway}-{fence}.{extension}"


def thumbnail_key(rendition: str) -> str:
    """Return where the thumbnail of the picture at this key lies."""
    return f"{rendition.rpartition('.')[0]}.thumb.webp"


def origin_of(key: str) -> Origin | None:
    """Return what the object under this key was stored for; None if no key of ours looks so."""
    for kind, shape in _SHAPES.items():
        if found := shape.fullmatch(key):
            return Origin(UUID(found[1]), kind, found[2])
    return None
