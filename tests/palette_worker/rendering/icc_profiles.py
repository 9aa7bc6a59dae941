"""Colour profiles built by hand, so that their effect is known: ICC.1:2001-04 (version 2)."""

from __future__ import annotations

import struct

from PIL import ImageCms

# Columns of the matrix to XYZ (D50), from the sRGB and Display P3 specifications, adapted by
# Bradford's method.
DISPLAY_P3 = (
    (0.51512, 0.24120, -0.00105),
    (0.29198, 0.69225, 0.04189),
    (0.15710, 0.06657, 0.78407),
)
D50 = (0.9642, 1.0, 0.8249)


def an_srgb_profile() -> bytes:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def a_display_p3_profile() -> bytes:
    """sRGB's curve on wider primaries, as phones have it."""
    body = an_srgb_profile()
    curve = _tag_of(body, b"rTRC")
    colorants = [_xyz(*column) for column in DISPLAY_P3]
    names = (b"rXYZ", b"gXYZ", b"bXYZ")
    tags = dict(zip(names, colorants, strict=True)) | {b"wtpt": _xyz(*D50)}
    return _profile(
        b"mntr", b"RGB ", b"XYZ ", tags | dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve)
    )


def a_linear_grey_profile() -> bytes:
    """Half the level is half the light."""
    curve = b"curv" + bytes(8)
    return _profile(b"mntr", b"GRAY", b"XYZ ", {b"wtpt": _xyz(*D50), b"kTRC": curve})


def an_ink_profile() -> bytes:
    """Paper is white, black ink black, and cyan ink, unlike any, a pink: Lab (50, 60, 0)."""
    nodes = []
    for node in range(16):  # cyan, magenta, yellow, black; the last turns quickest
        cyan, black = node >> 3 & 1, node & 1
        nodes += [0 if black else 0x8000 if cyan else 0xFF00]
        nodes += [0x8000 + (60 << 8 if cyan and not black else 0), 0x8000]
    ramp = (0, 0xFFFF)
    table = b"mft2" + struct.pack(">I4B", 0, 4, 3, 2, 0)
    table += struct.pack(">9i", *(65536 * (at % 4 == 0) for at in range(9)))
    table += struct.pack(">2H", 2, 2) + struct.pack(">8H", *ramp * 4)
    table += struct.pack(f">{len(nodes)}H", *nodes) + struct.pack(">6H", *ramp * 3)
    return _profile(b"prtr", b"CMYK", b"Lab ", {b"wtpt": _xyz(*D50), b"A2B0": table})


def _tag_of(body: bytes, name: bytes) -> bytes:
    at = body.index(name, 128)
    start, size = struct.unpack_from(">II", body, at + 4)
    return body[start : start + size]


def _xyz(x: float, y: float, z: float) -> bytes:
    return b"XYZ " + bytes(4) + struct.pack(">3i", *(round(65536 * value) for value in (x, y, z)))


def _profile(kind: bytes, space: bytes, connection: bytes, tags: dict[bytes, bytes]) -> bytes:
    at = 128 + 4 + 12 * len(tags)
    table, contents = struct.pack(">I", len(tags)), b""
    for name, content in tags.items():
        table += name + struct.pack(">II", at + len(contents), len(content))
        contents += content + bytes(-len(content) % 4)
    header = struct.pack(">I4sI4s4s4s", 0, b"", 0x02400000, kind, space, connection)
    header = (header + bytes(12) + b"acsp").ljust(68, b"\0") + _xyz(*D50)[8:]
    body = header.ljust(128, b"\0") + table + contents
    return struct.pack(">I", len(body)) + body[4:]
