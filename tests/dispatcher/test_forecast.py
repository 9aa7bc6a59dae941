"""What is to be expected of a job, from what earlier ones took and made."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest

from colorway.job import OutputOptions
from colorway.ledger.history import PastJob
from dispatcher.forecast import Guess, expected_bytes, expected_seconds

ICON, PHOTO = UUID(int=1), UUID(int=2)
MEGAPIXEL = 1_000_000
PNG = OutputOptions(format="png")


def a_past_job(*, seconds: float = 10, bytes: int = 500, rendered: int = 1, **matters) -> PastJob:
    """Return a job of a picture of one megapixel, made smaller to a thousand pixels."""
    facts = {"image": PHOTO, "source_pixels": MEGAPIXEL, "format": "png", "pixels": 1000} | matters
    return PastJob(took=timedelta(seconds=seconds), rendered=rendered, bytes=bytes, **facts)


def seconds_for(past: list[PastJob], *, palettes: int = 1, megapixels: float = 1) -> Guess:
    return expected_seconds(past, palettes=palettes, source_pixels=round(megapixels * MEGAPIXEL))


def bytes_of(past: list[PastJob], output: OutputOptions = PNG, **matters) -> Guess:
    return expected_bytes(past, output, **({"image": PHOTO, "pixels": 1000} | matters))


def test_where_nothing_was_ever_done_nothing_is_expected():
    assert seconds_for([]) == Guess(None, 0)
    assert bytes_of([]) == Guess(None, 0)


def test_the_same_again_takes_as_long_again():
    assert seconds_for([a_past_job(seconds=10)]) == Guess(10, 1)


@pytest.mark.parametrize(
    ("matters", "seconds"),
    [
        ({"palettes": 7}, 70),
        ({"megapixels": 3}, 20),
        ({"megapixels": 0}, 5),
        ({"palettes": 2, "megapixels": 12}, 130),
    ],
)
def test_time_grows_with_the_palettes_and_with_the_picture_beyond_a_megapixel(matters, seconds):
    assert seconds_for([a_past_job(seconds=10)], **matters).value == pytest.approx(seconds)


def test_a_job_of_many_palettes_tells_what_one_takes():
    assert seconds_for([a_past_job(seconds=70, rendered=7)]).value == pytest.approx(10)


def test_one_job_that_waited_for_an_hour_changes_little():
    past = [a_past_job(seconds=seconds) for seconds in (9, 10, 3600)]

    assert seconds_for(past) == Guess(10, 3)


def test_pictures_are_as_large_as_earlier_ones_of_the_same_format():
    past = [a_past_job(bytes=500), a_past_job(bytes=90, format="webp")]

    assert bytes_of(past, pixels=4000) == Guess(2000, 1)
    assert bytes_of(past, OutputOptions(format="webp")) == Guess(90, 1)
    assert bytes_of(past, OutputOptions(format="jpeg")) == Guess(None, 0)


def test_earlier_ones_of_the_same_source_tell_more_than_all_others():
    past = [a_past_job(bytes=20, image=ICON)] * 5 + [a_past_job(bytes=500, image=PHOTO)]

    assert bytes_of(past, image=PHOTO) == Guess(500, 1)
    assert bytes_of(past, image=None) == Guess(20, 6)


def test_pictures_that_are_there_count_as_they_are():
    past = [a_past_job(bytes=500)]

    assert bytes_of(past, known=[7, 8]) == Guess(515, 1)
    assert bytes_of([], pixels=0, known=[7, 8]) == Guess(15, 0)
    assert bytes_of([], known=[7, 8]) == Guess(None, 0)
