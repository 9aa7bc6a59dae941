"""Where source and result live in the store. No key is ever written by two attempts.

    <account>/sources/<sha256>-<upload>
    <account>/uploads/<slot>
    <account>/colorways/<fingerprint>/<colorway>-<fence>.<format>   and   ….thumb.webp

A key uses `[A-Za-z0-9/_.-]` only: Supabase Storage refuses anything else.
"""

from __future__ import annotations

from uuid import UUID


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
