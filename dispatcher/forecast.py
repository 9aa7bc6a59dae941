"""How long a job will take and how large its pictures will be, from what earlier ones took.

    work    = palettes x (1 + megapixels of the source)
    seconds = its work x the median of (seconds from submission to end / work)
    bytes   = pixels of its new pictures x the median of (bytes / pixels), and those of equal ones

The 1 is what a palette takes however small the picture is: its way through queue, ledger and store
is worth about a megapixel. So icons do not make a photo seem to take hours, nor photos an icon no
time. The seconds are those that clients saw, with all the waiting and as many workers as there
were. It is the median that counts, for one job that met an outage says nothing of the next.

For bytes only jobs that asked for the same format count, and of these, where there are any, those
of the same source: photos are many times as large as flat art of the same size.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from statistics import median
from uuid import UUID

from colorway.job import OutputOptions
from colorway.ledger.history import PastJob

_MEGAPIXEL = 1_000_000


@dataclass(frozen=True, slots=True)
class Guess:
    """A figure and the number of jobs that it comes from; None where there are none."""

    value: float | None
    jobs: int


def expected_seconds(past: Sequence[PastJob], *, palettes: int, source_pixels: int) -> Guess:
    """Return how long it will take to render so many palettes of such a source."""
    paces = [job.took.total_seconds() / _work(job.rendered, job.source_pixels) for job in past]
    return _guess(paces, times=_work(palettes, source_pixels))


def expected_bytes(
    past: Sequence[PastJob],
    output: OutputOptions,
    *,
    image: UUID | None,
    pixels: float,
    known: Collection[int] = (),
) -> Guess:
    """Return how large pictures will be: so many pixels of this image, and some of known bytes."""
    alike = [job for job in past if job.format == output.format]
    of_same = [job for job in alike if job.image == image]
    return _guess(
        [job.bytes / job.pixels for job in of_same or alike], times=pixels, plus=sum(known)
    )


def _work(palettes: int, source_pixels: int) -> float:
    return palettes * (1 + source_pixels / _MEGAPIXEL)


def _guess(rates: Sequence[float], *, times: float, plus: int = 0) -> Guess:
    if not times:  # nothing is to be guessed
        return Guess(plus, 0)
    return Guess(median(rates) * times + plus if rates else None, len(rates))
