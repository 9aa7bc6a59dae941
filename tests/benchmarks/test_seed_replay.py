"""The replay of the old jobs does all of them, in every way, and cuts off what took too long."""

from __future__ import annotations

import pytest

from benchmarks.one_request import Answered, Request, seconds_in_one_request
from benchmarks.pictures import encoded, photo
from benchmarks.seed_replay import Finished, Replay, bars_hold, measure
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


@pytest.mark.parametrize(
    ("one_worker", "slots_enough", "holds"),
    [(6.1, 1.14, True), (6.3, 1.14, False), (6.1, 1.16, False)],
)
def test_a_missed_bar_is_a_failure(one_worker, slots_enough, holds):
    replay = Replay(
        old={("one after another", 7): Answered(10.0, stored=7)},
        one_worker={7: Finished(one_worker, slowest=1.0)},
        slots_enough={7: Finished(slots_enough, slowest=1.0)},
    )

    assert bars_hold(replay, 7) is holds


def test_what_was_cut_off_is_nothing_to_compare_with():
    with pytest.raises(SystemExit, match="cut off"):
        bars_hold(
            Replay(
                old={("one after another", 7): Answered(10.0, stored=6)},
                one_worker={7: Finished(1.0, slowest=1.0)},
                slots_enough={7: Finished(1.0, slowest=1.0)},
            ),
            7,
        )
