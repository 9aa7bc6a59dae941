from __future__ import annotations

from itertools import product

import pytest
from uuid_utils.compat import uuid7

from colorway.errors import InvalidRequest
from colorway.job import JobProgress, JobRequest, JobStatus, PaletteOrder
from colorway.lifecycle import Status
from tests.builders import a_palette


def progress(total, *, processing=0, completed=0, failed=0, cancelled=0, started=True, asked=False):
    """`asked`: whether the client has cancelled the job."""
    return JobProgress(total, processing, completed, failed, cancelled, started, asked)


def every_progress(total):
    """All ways in which so many colorways can be spread over the five states."""
    for counts in product(range(total + 1), repeat=4):
        if sum(counts) <= total:
            for started, asked in product((True, False), repeat=2):
                yield JobProgress(total, *counts, started, asked)


@pytest.mark.parametrize(
    ("counts", "status"),
    [
        ({"started": False}, JobStatus.PENDING),
        ({"started": False, "completed": 1}, JobStatus.PENDING),  # born completed: no claim yet
        ({}, JobStatus.PROCESSING),
        ({"processing": 3}, JobStatus.PROCESSING),
        ({"completed": 2, "processing": 1}, JobStatus.PROCESSING),
        ({"failed": 2, "cancelled": 0}, JobStatus.PROCESSING),
        ({"completed": 3}, JobStatus.COMPLETED),
        ({"completed": 3, "started": False}, JobStatus.COMPLETED),
        ({"completed": 3, "asked": True}, JobStatus.COMPLETED),  # the cancel came too late
        ({"completed": 2, "failed": 1}, JobStatus.PARTIAL),
        ({"failed": 3}, JobStatus.FAILED),
        ({"completed": 1, "failed": 1, "cancelled": 1}, JobStatus.PARTIAL),  # on_error: stop
        ({"failed": 1, "cancelled": 2}, JobStatus.FAILED),  # on_error: stop
        ({"completed": 2, "cancelled": 1, "asked": True}, JobStatus.CANCELLED),
        ({"failed": 2, "cancelled": 1, "asked": True}, JobStatus.CANCELLED),
        ({"cancelled": 3, "asked": True, "started": False}, JobStatus.CANCELLED),
        ({"failed": 3, "asked": True}, JobStatus.FAILED),
        ({"cancelled": 1, "processing": 1, "asked": True}, JobStatus.PROCESSING),
    ],
)
def test_the_first_rule_that_fits_is_the_status(counts, status):
    assert progress(3, **counts).status is status


def test_what_holds_for_every_job():
    for one in every_progress(4):
        counts = [one.count(status) for status in Status]

        assert sum(counts) == one.total
        assert min(counts) >= 0
        assert one.is_done == (one.count(Status.PENDING) + one.count(Status.PROCESSING) == 0)
        assert one.is_done == (one.percent == 100)
        assert one.is_done == (one.status not in (JobStatus.PENDING, JobStatus.PROCESSING))


def test_percents_are_whole_and_never_too_many():
    assert progress(7, completed=4).percent == 57
    assert progress(500, completed=499).percent == 99
    assert progress(3, failed=1, cancelled=1).percent == 66


@pytest.mark.parametrize("keys", [(), ("nord", "nord"), ("Nord!",)])
def test_a_job_names_each_of_its_palettes(keys):
    orders = tuple(PaletteOrder(key, a_palette()) for key in keys)

    with pytest.raises(InvalidRequest):
        JobRequest(uuid7(), orders)
