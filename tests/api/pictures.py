"""Pictures to send: small ones, in every format, and some that are accepted but cannot be drawn."""

from __future__ import annotations

from dispatcher.picture_header import FORMATS
from tests.dispatcher.stage import a_picture


def broken(number: int) -> bytes:
    """Return a file whose header is fine and that has no pixels: its job fails."""
    return a_picture("png", color=number)[:41]


# few enough that many a picture is sent twice, and so many that many are new
WHOLE = [a_picture(kind, color=color) for kind in FORMATS for color in range(8)]
BROKEN = [broken(number) for number in range(8)]
