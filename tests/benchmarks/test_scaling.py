"""The real service is measured under a load, and the model told what one colorway took."""

from __future__ import annotations

from dataclasses import replace

import pytest

from benchmarks.capacity import PALETTES
from benchmarks.scaling import (
    ALONE,
    Load,
    Run,
    bars_hold,
    drawn,
    measure,
    predicted,
    processors,
    work_of,
)

ONE = Run(
    colorways=70,
    seconds=7.0,
    cpu_s={"worker": 0.06, "queue": 0.01},
    upload_s=0.02,
    megabytes=1.4,
    processors=2.0,
)


def test_a_load_is_done_by_the_real_service(tmp_path):
    upload_s = 0.1

    run = measure(Load(slots=1, uploads=1, upload_s=upload_s), drawn(2, tmp_path, 64, 48))

    assert run.colorways == PALETTES
    assert run.upload_s >= upload_s
    assert run.seconds >= PALETTES * upload_s
    assert set(run.cpu_s) == {"queue", "worker", "dispatcher"}
    assert all(seconds > 0 for seconds in run.cpu_s.values())


def test_the_slow_part_of_a_load_is_added_to_what_one_alone_took():
    work = work_of(ONE, Load(slots=4, uploads=2, upload_s=0.3))

    assert work.attempt_s == pytest.approx(0.1 - 0.02)
    assert work.upload_s == pytest.approx(0.32)
    assert work.worker_cpu_s == pytest.approx(0.07)


@pytest.mark.parametrize(
    ("load", "free", "name", "per_second"),
    [
        (Load(2, 2, 0.3), 2.0, "tasks of a queue at once", 2 / 0.4),
        (Load(8, 2, 0.3), 2.0, "uploads at once", 2 / 0.32),
        (Load(8, 8, 0.0), 2.0, "workers' processors", 2 / 0.07),
        (Load(8, 8, 0.0), 0.7, "workers' processors", 0.7 / 0.07),
    ],
)
def test_the_limit_that_holds_a_load_back_is_named(load, free, name, per_second):
    limit = predicted(ONE, load, free)

    assert limit.name == name
    assert limit.per_second == pytest.approx(per_second)


def test_alone_the_prediction_is_what_was_measured():
    assert predicted(ONE, ALONE, 2.0).per_second == pytest.approx(ONE.per_second)


@pytest.mark.parametrize(
    ("seconds", "holds"), [(7.0, True), (9.0, True), (11.0, False), (6.0, False)]
)
def test_a_model_that_is_far_off_is_a_failure(seconds, holds):
    assert bars_hold(ONE, {ALONE: replace(ONE, seconds=seconds)}) is holds


def test_there_is_some_of_the_machine_for_us():
    assert 0 < processors() < 1000
