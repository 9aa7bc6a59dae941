"""The replay of the old jobs does all of them, in every way, and cuts off what took too long."""

from __future__ import annotations

from io import StringIO

import pytest
from rich.console import Console

from benchmarks.one_request import Answered, Request, seconds_in_one_request
from benchmarks.pictures import encoded, photo
from benchmarks.seed_replay import Finished, Replay, bars_hold, measure, table
from colorway.palette import Palette

UPLOAD_S = 0.8


def test_every_job_is_done_in_every_way():
    replay = measure([2, 3], UPLOAD_S)

    for number in (2, 3):
        assert replay.old["one after another", number].stored == number
        assert replay.old["one after another", number].seconds >= number * UPLOAD_S
        assert replay.old["pool in one request", number].stored == number
        for ours in (replay.one_worker, replay.slots_enough):
            assert ours[number].seconds >= ours[number].slowest >= UPLOAD_S
    assert replay.one_worker[3].seconds >= 2 * UPLOAD_S  # for only two are uploaded at a time


def test_a_request_is_cut_off_at_its_ceiling(tmp_path):
    picture = tmp_path / "photo.png"
    picture.write_bytes(encoded(photo(32, 24), "png"))
    palette = Palette("night", ("#000000", "#ffffff"))
    hopeless = Request(picture, (palette,), at_once=1, upload_s=600, folder=tmp_path / "store")

    assert seconds_in_one_request(hopeless, ceiling_s=0.1) == Answered(0.1, stored=0)


def a_replay(*, stored=7, one_worker=6.0, slots_enough=1.1):
    return Replay(
        old={
            (way, 7): Answered(10.0, stored) for way in ("one after another", "pool in one request")
        },
        one_worker={7: Finished(one_worker, slowest=1.0)},
        slots_enough={7: Finished(slots_enough, slowest=1.0)},
    )


def test_the_table_says_how_far_a_request_came_that_was_cut_off():
    shown = Console(file=StringIO(), width=120)

    shown.print(table(a_replay(stored=6), [7], 6.7))

    said = shown.file.getvalue()
    assert all(part in said for part in ("cut off at 540 s", "(scaled 54 s)", "6 of 7 stored"))


@pytest.mark.parametrize(
    ("replay", "holds"),
    [
        (a_replay(one_worker=6.1, slots_enough=1.14), True),
        (a_replay(one_worker=6.3), False),
        (a_replay(slots_enough=1.16), False),
    ],
)
def test_a_missed_bar_is_a_failure(replay, holds):
    assert bars_hold(replay, 7) is holds


def test_what_was_cut_off_is_nothing_to_compare_with():
    with pytest.raises(SystemExit, match="cut off"):
        bars_hold(a_replay(stored=6), 7)
